//! The machine's two clocks: the wall's, which may jump, and the one that only counts on, within one boot.

use chrono::{DateTime, FixedOffset, Local};
use nix::time::{ClockId, clock_gettime};
use uuid::Uuid;
use weighbridge_protocol::link::messages::EdgeClock;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why the machine gives no usable clock.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("{BOOT_ID} cannot be read")]
    NoBootId(#[source] std::io::Error),
    #[error("{BOOT_ID} says {0:?}, expected a UUID")]
    StrangeBootId(String),
    #[error("the monotonic clock cannot be read")]
    NoClock(#[source] nix::Error),
}

/// Reads both clocks. A copy is as good as the original: the boot does not change while we run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot: Uuid,
    id: ClockId,
}

impl Clock {
    /// Prefers the clock that also counts while the machine sleeps.
    pub fn of_this_machine() -> Result<Self, ClockError> {
        let text = std::fs::read_to_string(BOOT_ID).map_err(ClockError::NoBootId)?;
        let boot = Uuid::parse_str(text.trim()).map_err(|_| ClockError::StrangeBootId(text))?;
        let ids = [ClockId::CLOCK_BOOTTIME, ClockId::CLOCK_MONOTONIC];
        let id = ids.into_iter().find(|id| clock_gettime(*id).is_ok());
        match id {
            Some(id) => Ok(Self { boot, id }),
            None => Err(ClockError::NoClock(nix::Error::last())),
        }
    }

    pub const fn boot(&self) -> Uuid {
        self.boot
    }

    /// Milliseconds since the machine started. 0 only if a clock that answered at start-up answers no more.
    pub fn mono_ms(&self) -> i64 {
        clock_gettime(self.id).map_or(0, |time| time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000)
    }

    pub fn wall(&self) -> DateTime<FixedOffset> {
        Local::now().fixed_offset()
    }

    pub fn now(&self) -> EdgeClock {
        EdgeClock {
            wall: self.wall(),
            mono_ms: self.mono_ms(),
            boot: self.boot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_counts_on_within_one_boot() {
        let clock = Clock::of_this_machine().unwrap();
        let (first, second) = (clock.now(), clock.now());
        assert!(first.mono_ms > 0 && second.mono_ms >= first.mono_ms);
        assert_eq!(first.boot, second.boot);
    }
}
