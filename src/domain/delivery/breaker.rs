//! Leaves a destination alone that is down: asks it once every half minute, until it answers.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// So many failures in a row, and the destination counts as down.
const IN_A_ROW: usize = 5;
/// Or half of so many.
const OF_THE_LAST: usize = 20;

/// What is known of one destination.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    /// How long it is left alone between two probes.
    rest: Duration,
}

#[derive(Clone, Debug)]
enum State {
    /// The newest last; `true` is an answer.
    Closed(VecDeque<bool>),
    Open {
        since: Instant,
    },
    /// One message is on its way to see whether it is up again.
    Probing {
        since: Instant,
    },
}

impl Breaker {
    pub const fn new(rest: Duration) -> Self {
        Self {
            state: State::Closed(VecDeque::new()),
            rest,
        }
    }

    /// How many messages may be sent now, of `free` that could be.
    pub fn admits(&self, free: usize, now: Instant) -> usize {
        match self.state {
            State::Closed(_) => free,
            // A probe whose end was never told is given up after the same time.
            State::Open { since } | State::Probing { since } if now.duration_since(since) >= self.rest => free.min(1),
            State::Open { .. } | State::Probing { .. } => 0,
        }
    }

    /// A message is on its way. Answers whether it is a probe.
    pub fn sends(&mut self, now: Instant) -> bool {
        if let State::Closed(_) = self.state {
            return false;
        }
        self.state = State::Probing { since: now };
        true
    }

    /// How a message fared: whether its destination `answered`, be it with a refusal. What was sent before the destination
    /// counted as down says nothing any more.
    pub fn saw(&mut self, answered: bool, was_probe: bool, now: Instant) {
        match (&mut self.state, was_probe, answered) {
            (State::Closed(recent), _, _) => {
                recent.push_back(answered);
                if recent.len() > OF_THE_LAST {
                    recent.pop_front();
                }
                if is_down(recent) {
                    self.state = State::Open { since: now };
                }
            }
            (State::Open { .. } | State::Probing { .. }, true, true) => self.state = State::Closed(VecDeque::new()),
            (State::Open { .. } | State::Probing { .. }, true, false) => self.state = State::Open { since: now },
            (State::Open { .. } | State::Probing { .. }, false, _) => {}
        }
    }

    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }
}

fn is_down(recent: &VecDeque<bool>) -> bool {
    let in_a_row = recent.iter().rev().take_while(|answered| !**answered).count();
    let failures = recent.iter().filter(|answered| !**answered).count();
    in_a_row >= IN_A_ROW || (recent.len() >= OF_THE_LAST && failures * 2 >= OF_THE_LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);

    fn seen(answers: &[bool]) -> (Breaker, Instant) {
        let (mut breaker, now) = (Breaker::new(REST), Instant::now());
        for answered in answers {
            breaker.saw(*answered, false, now);
        }
        (breaker, now)
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_four_do_not() {
        assert!(
            !seen(&[false, false, false, false, true, false, false, false, false])
                .0
                .is_open()
        );
        let (breaker, now) = seen(&[true, false, false, false, false, false]);
        assert!(breaker.is_open());
        assert_eq!(breaker.admits(8, now), 0);
    }

    #[test]
    fn half_of_the_last_twenty_open_it() {
        let mixed: Vec<bool> = (0..20).map(|number| number % 2 == 0).collect();
        assert!(!seen(&mixed[..19]).0.is_open());
        assert!(seen(&mixed).0.is_open());
    }

    #[test]
    fn one_probe_goes_out_after_the_rest_and_decides() {
        let (mut breaker, now) = seen(&[false; 5]);
        let later = now + REST;
        assert_eq!(breaker.admits(8, later), 1);
        assert!(breaker.sends(later));
        assert_eq!(breaker.admits(8, later), 0, "one at a time");
        breaker.saw(false, true, later);
        assert_eq!(
            (breaker.admits(8, later + REST / 2), breaker.admits(8, later + REST)),
            (0, 1)
        );
        assert!(breaker.sends(later + REST));
        breaker.saw(true, false, later + REST);
        assert!(breaker.is_open(), "a straggler from before decides nothing");
        breaker.saw(true, true, later + REST);
        assert_eq!(breaker.admits(8, later + REST), 8);
        assert!(!breaker.sends(later + REST));
    }

    #[test]
    fn a_probe_that_never_ends_is_followed_by_another() {
        let (mut breaker, now) = seen(&[false; 5]);
        assert!(breaker.sends(now + REST));
        assert_eq!(breaker.admits(8, now + REST + REST), 1);
    }
}
