//! The terminal: taken for as long as the monitor runs, and given back as it was, whatever ends it.

use std::{
    io::{Stdout, Write, stdout},
    time::Duration,
};

use crossterm::{
    QueueableCommand,
    cursor::{Hide, MoveTo, Show},
    event::{self, Event, KeyCode, KeyModifiers},
    terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen},
};

use crate::exit::Exit;

/// The whole screen.
#[derive(Debug)]
pub struct Screen {
    out: Stdout,
}

impl Screen {
    /// # Errors
    /// Where the terminal refuses.
    pub fn take() -> Result<Self, Exit> {
        terminal::enable_raw_mode()?;
        let mut screen = Self { out: stdout() };
        screen.out.queue(EnterAlternateScreen)?.queue(Hide)?.flush()?;
        Ok(screen)
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        match terminal::size() {
            Ok((columns, rows)) if columns > 0 && rows > 0 => (columns.into(), rows.into()),
            // A terminal that does not know its size is taken for the usual one.
            _ => (80, 24),
        }
    }

    /// # Errors
    /// Where the terminal has gone.
    pub fn draw(&mut self, lines: &[String]) -> Result<(), Exit> {
        for (row, line) in (0_u16..).zip(lines) {
            self.out.queue(MoveTo(0, row))?;
            self.out.write_all(line.as_bytes())?;
            self.out.queue(Clear(ClearType::UntilNewLine))?;
        }
        self.out.queue(Clear(ClearType::FromCursorDown))?.flush()?;
        Ok(())
    }

    /// Whether `q`, Escape or Ctrl-C was pressed.
    ///
    /// # Errors
    /// Where the terminal has gone.
    pub fn is_asked_to_leave(&self) -> Result<bool, Exit> {
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let shown = self
            .out
            .queue(Show)
            .and_then(|out| out.queue(LeaveAlternateScreen))
            .and_then(Write::flush);
        // A terminal that has gone needs nothing back.
        drop((shown, terminal::disable_raw_mode()));
    }
}
