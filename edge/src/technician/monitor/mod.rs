//! `monitor`: what comes in at a port, live: bytes, frames, readings, the curve, rates, rejections, the capture logic.
//!
//! - [`picture`]: what is known, and how it becomes lines of text
//! - [`screen`]: the terminal, taken and given back

pub mod picture;
pub mod screen;

use std::{io::IsTerminal, time::Duration};

use tokio::{
    io::{AsyncReadExt, ReadHalf},
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval, sleep},
};
use weighbridge_protocol::indicators::Poll;

use super::listening::refused;
use crate::{
    cli,
    clock::Clock,
    exit::Exit,
    port::{PortAddress, PortError, Wire, ask, open},
};
pub use picture::Picture;
use screen::Screen;

/// How often the picture is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// A port that went is looked for again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A port to watch.
#[derive(Debug)]
pub struct Watch {
    pub address: PortAddress,
    pub poll: Option<Poll>,
}

/// Where the picture goes.
enum Shown {
    Screen(Screen),
    /// Not a terminal: a line for everything that comes.
    Lines,
}

/// Why watching ends.
enum End {
    Asked,
    Port(PortError),
}

impl Watch {
    /// Shows what comes until `q`, Ctrl-C or SIGTERM; a port that goes is looked for again.
    ///
    /// # Errors
    /// Where the port cannot be opened to begin with.
    pub async fn show(&self, mut picture: Picture) -> Result<(), Exit> {
        let clock = Clock::of_this_machine().map_err(|error| Exit::Internal(error.to_string()))?;
        let mut wire = open::open(&self.address).await.map_err(|error| refused(&error))?;
        let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        let mut shown = if is_terminal {
            Shown::Screen(Screen::take()?)
        } else {
            Shown::Lines
        };
        loop {
            let error = match self.follow(wire, clock, &mut picture, &mut shown).await? {
                End::Asked => return Ok(()),
                End::Port(error) => error,
            };
            picture.trouble(clock.mono_ms(), Some(error.to_string()));
            wire = loop {
                if !shown.draw(&mut picture, clock)? {
                    return Ok(());
                }
                tokio::select! {
                    () = sleep(LOOK_AGAIN) => (),
                    asked = left(&mut shown) => if asked? { return Ok(()) },
                }
                if let Ok(wire) = open::open(&self.address).await {
                    break wire;
                }
            };
            picture.trouble(clock.mono_ms(), None);
        }
    }

    async fn follow(
        &self,
        wire: Box<dyn Wire>,
        clock: Clock,
        picture: &mut Picture,
        shown: &mut Shown,
    ) -> Result<End, Exit> {
        let (mut reader, mut writer) = tokio::io::split(wire);
        let asking = ask::again_and_again(self.poll.as_ref(), &mut writer);
        tokio::pin!(asking);
        let mut bytes = [0; 4096];
        let gone = || PortError::Gone(self.address.place());
        loop {
            tokio::select! {
                read = read(&mut reader, &mut bytes) => match read {
                    Ok(count) if count > 0 => picture.hear(clock.mono_ms(), &bytes[..count]),
                    _ => return Ok(End::Port(gone())),
                },
                _ = &mut asking => return Ok(End::Port(gone())),
                asked = left(shown) => if asked? { return Ok(End::Asked) },
            }
            let is_due = matches!(shown, Shown::Lines) || picture.is_due(clock.mono_ms());
            if is_due && !shown.draw(picture, clock)? {
                return Ok(End::Asked);
            }
        }
    }
}

impl Shown {
    /// Says whether anybody looks still.
    fn draw(&mut self, picture: &mut Picture, clock: Clock) -> Result<bool, Exit> {
        match self {
            Self::Screen(screen) => screen
                .draw(&picture.lines(clock.mono_ms(), screen.size()))
                .map(|()| true),
            Self::Lines => {
                let lines: String = picture.news().iter().map(|line| format!("{line}\n")).collect();
                cli::is_read(&lines)
            }
        }
    }
}

/// Whether somebody wants to leave; looks again and again, and answers at the latest when the picture is due.
async fn left(shown: &mut Shown) -> Result<bool, Exit> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut tick = interval(DRAW_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await;
    tokio::select! {
        _ = term.recv() => Ok(true),
        _ = interrupt.recv() => Ok(true),
        _ = tick.tick() => match shown {
            Shown::Screen(screen) => Ok(screen.is_asked_to_leave()?),
            Shown::Lines => Ok(false),
        },
    }
}

async fn read(reader: &mut ReadHalf<Box<dyn Wire>>, bytes: &mut [u8]) -> std::io::Result<usize> {
    reader.read(bytes).await
}
