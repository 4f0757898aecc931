//! `monitor`: what comes in at a port, live: bytes, frames, readings, the curve, rates, rejections, the capture logic.
//!
//! - [`picture`]: what is known, and how it becomes lines of text
//! - [`screen`]: the terminal, taken and given back

pub mod picture;
pub mod screen;

use std::{io::IsTerminal, time::Duration};

use tokio::{
    io::{AsyncReadExt, ReadHalf},
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval},
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
        let mut leaving = Leaving::watched()?;
        loop {
            let error = match self.follow(wire, clock, &mut picture, &mut shown, &mut leaving).await? {
                End::Asked => return Ok(()),
                End::Port(error) => error,
            };
            picture.trouble(clock.mono_ms(), Some(error.to_string()));
            let mut tried = Instant::now();
            wire = loop {
                let wishes = leaving.is_wished(&shown).await?;
                if wishes || !shown.draw(&mut picture, clock)? {
                    return Ok(());
                }
                if tried.elapsed() < LOOK_AGAIN {
                    continue;
                }
                tried = Instant::now();
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
        leaving: &mut Leaving,
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
                wishes = leaving.is_wished(shown) => if wishes? { return Ok(End::Asked) },
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
                let mut lines = picture.news();
                // So that the last one ends its line, and nothing is nothing.
                if !lines.is_empty() {
                    lines.push(String::new());
                }
                cli::is_read(&lines.join("\n"))
            }
        }
    }
}

/// The wish to leave, by a key or a signal; kept from beginning to end, so that none is missed.
struct Leaving {
    term: Signal,
    interrupt: Signal,
    tick: Interval,
}

impl Leaving {
    fn watched() -> Result<Self, Exit> {
        let mut tick = interval(DRAW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            tick,
        })
    }

    /// Whether somebody wants to leave; answers at the latest when the picture is due.
    async fn is_wished(&mut self, shown: &Shown) -> Result<bool, Exit> {
        tokio::select! {
            _ = self.term.recv() => Ok(true),
            _ = self.interrupt.recv() => Ok(true),
            _ = self.tick.tick() => match shown {
                Shown::Screen(screen) => screen.is_asked_to_leave(),
                Shown::Lines => Ok(false),
            },
        }
    }
}

async fn read(reader: &mut ReadHalf<Box<dyn Wire>>, bytes: &mut [u8]) -> std::io::Result<usize> {
    reader.read(bytes).await
}
