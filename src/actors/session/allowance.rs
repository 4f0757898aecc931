//! How much a client may say: 20 messages a second, in one breath if it likes.

use std::time::{Duration, Instant};

const MOST: u32 = 20;
const REFILL: Duration = Duration::from_millis(50);
/// Whoever goes on for so long after being told is closed.
const FLOOD: u32 = 200;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    /// Too many: the client is told.
    FirstRefused,
    /// Too many still: it was told already.
    Refused,
    /// It does not listen.
    Flood,
}

/// One client's allowance.
#[derive(Debug)]
pub struct Allowance {
    left: u32,
    refilled_at: Instant,
    /// Since the allowance was last full.
    refused: u32,
}

impl Allowance {
    pub fn new(now: Instant) -> Self {
        Self {
            left: MOST,
            refilled_at: now,
            refused: 0,
        }
    }

    pub fn spend(&mut self, now: Instant) -> Verdict {
        let periods = now.duration_since(self.refilled_at).as_millis() / REFILL.as_millis();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        if self.left.saturating_add(periods) >= MOST {
            *self = Self::new(now);
        } else {
            self.left += periods;
            self.refilled_at += REFILL * periods;
        }
        if self.left > 0 {
            self.left -= 1;
            return Verdict::Granted;
        }
        self.refused += 1;
        match self.refused {
            1 => Verdict::FirstRefused,
            2..FLOOD => Verdict::Refused,
            _ => Verdict::Flood,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(allowance: &mut Allowance, times: u32, now: Instant) -> Vec<Verdict> {
        let mut verdicts: Vec<_> = (0..times).map(|_| allowance.spend(now)).collect();
        verdicts.dedup();
        verdicts
    }

    #[test]
    fn twenty_in_one_breath_are_granted_and_the_next_is_told() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert_eq!(spend(&mut allowance, 20, start), [Verdict::Granted]);
        assert_eq!(
            spend(&mut allowance, 30, start),
            [Verdict::FirstRefused, Verdict::Refused]
        );
        let later = start + Duration::from_millis(500);
        assert_eq!(spend(&mut allowance, 10, later), [Verdict::Granted]);
        assert_eq!(spend(&mut allowance, 1, later), [Verdict::Refused]);
        let rested = later + Duration::from_secs(1);
        assert_eq!(
            spend(&mut allowance, 21, rested),
            [Verdict::Granted, Verdict::FirstRefused]
        );
    }

    #[test]
    fn whoever_goes_on_regardless_is_a_flood() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        spend(&mut allowance, 20 + FLOOD - 1, start);
        assert_eq!(allowance.spend(start), Verdict::Flood);
    }

    #[test]
    fn twenty_a_second_may_go_on_for_ever() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        for tick in 0..2000 {
            assert_eq!(allowance.spend(start + REFILL * tick), Verdict::Granted);
        }
    }
}
