//! What of a deck must outlive the process, so that an edge killed at any instant neither weighs a truck twice nor
//! passes one over.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{CycleId, Kilograms, link::EventId};

/// A station's state as it is kept on disk. It commits in one transaction with the events that led to it, and besides
/// at least every five seconds, for the sake of `last_reading`. The default is that of a new or salvaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleState {
    pub deck: Deck,
    /// What lies on the deck since a rearm; the thresholds count from it until the deck is seen empty.
    pub base: Option<Kilograms>,
    /// Whether a `welcome` came since the last long outage. Until then the server may have called another truck than
    /// the one that drives on, so every cycle that begins is a gap capture.
    pub proven: bool,
    /// When the deck was last seen.
    pub last_reading: Option<Moment>,
}

impl CycleState {
    /// A capture may have been given another identity since its scale learned the first one. `reborn` answers what became
    /// of an identity, where it is another one now.
    ///
    /// # Errors
    /// Those of `reborn`.
    pub fn follow_rebirth<E>(&mut self, reborn: impl FnOnce(EventId) -> Result<Option<EventId>, E>) -> Result<(), E> {
        if let Deck::Captured { event, .. } = &mut self.deck
            && let Some(now) = reborn(*event)?
        {
            *event = now;
        }
        Ok(())
    }
}

/// What stands on a deck, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deck", rename_all = "snake_case")]
pub enum Deck {
    /// Nobody looked, or not for long: whatever is found there is a gap capture.
    Unknown {
        /// The cycle that was open when it was last seen; its end is still to be told.
        open: Option<OpenCycle>,
    },
    Empty,
    /// A truck drove on and has not been captured.
    On {
        cycle: CycleId,
        /// When it drove on, in milliseconds of the boot of `last_reading`.
        on_mono_ms: i64,
        /// Its capture will be one that never completes a record by itself.
        gap: bool,
    },
    /// A truck was captured; the deck waits for zero.
    Captured {
        cycle: CycleId,
        /// The captured weight.
        weight: Kilograms,
        /// The weight at which it stood last; differs from `weight` after it moved.
        stands_at: Kilograms,
        /// Under which identity the capture was committed.
        event: EventId,
    },
}

impl Default for Deck {
    fn default() -> Self {
        Self::Unknown { open: None }
    }
}

impl Deck {
    /// The cycle whose end is still to be told.
    pub const fn open_cycle(&self) -> Option<OpenCycle> {
        match *self {
            Self::Unknown { open } => open,
            Self::Empty => None,
            Self::On { cycle, .. } => Some(OpenCycle { cycle, captured: false }),
            Self::Captured { cycle, .. } => Some(OpenCycle { cycle, captured: true }),
        }
    }
}

/// A cycle that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCycle {
    pub cycle: CycleId,
    pub captured: bool,
}

/// An instant of one boot's monotonic clock, the only one that an outage is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub boot: Uuid,
    pub mono_ms: i64,
}

/// A time in which nobody saw the deck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outage {
    /// Within one boot and at most `gap_same_ms`: no two trucks can have changed places.
    Short,
    /// Any other, and one that nobody knows the beginning of.
    Long,
}

impl Outage {
    /// Measures the time from the last look at the deck until now.
    pub fn between(last: Option<Moment>, now: Moment, gap_same_ms: u32) -> Self {
        let bridged = last.is_some_and(|last| {
            let away = i128::from(now.mono_ms) - i128::from(last.mono_ms);
            last.boot == now.boot && (0..=i128::from(gap_same_ms)).contains(&away)
        });
        if bridged { Self::Short } else { Self::Long }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Uuid = Uuid::from_u128(1);

    #[track_caller]
    fn check(last: Option<(Uuid, i64)>, now: (Uuid, i64), expected: Outage) {
        let moment = |(boot, mono_ms)| Moment { boot, mono_ms };
        assert_eq!(Outage::between(last.map(moment), moment(now), 30_000), expected);
    }

    #[test]
    fn an_outage_is_short_within_one_boot_and_the_time_that_a_swap_takes() {
        check(Some((BOOT, 1_000)), (BOOT, 31_000), Outage::Short);
        check(Some((BOOT, 1_000)), (BOOT, 31_001), Outage::Long);
        check(Some((BOOT, 1_000)), (Uuid::from_u128(2), 1_001), Outage::Long);
        check(Some((BOOT, 1_000)), (BOOT, 999), Outage::Long);
        check(Some((BOOT, i64::MIN)), (BOOT, i64::MAX), Outage::Long);
        check(None, (BOOT, 5), Outage::Long);
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        let decks = [
            Deck::default(),
            Deck::Unknown {
                open: Some(OpenCycle {
                    cycle: CycleId::from_bits(7),
                    captured: true,
                }),
            },
            Deck::Empty,
            Deck::On {
                cycle: CycleId::from_bits(7),
                on_mono_ms: -3,
                gap: true,
            },
            Deck::Captured {
                cycle: CycleId::from_bits(7),
                weight: Kilograms::from_whole(18_340),
                stands_at: Kilograms::from_whole(18_400),
                event: EventId {
                    epoch: crate::Epoch::from_bits(9),
                    seq: 4,
                },
            },
        ];
        for deck in decks {
            let state = CycleState {
                deck,
                base: Some(Kilograms::from_whole(350)),
                proven: true,
                last_reading: Some(Moment {
                    boot: BOOT,
                    mono_ms: 12,
                }),
            };
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<CycleState>(&text).unwrap(), state, "{text}");
        }
    }
}
