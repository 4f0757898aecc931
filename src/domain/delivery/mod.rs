//! How what is owed reaches others: what an answer means, when to try again, and when to give up.
//!
//! - [`breaker`]: leaves a destination alone that is down
//! - [`answer`]: what an HTTP answer says about a message
//! - [`kept`]: others' words, made fit to be kept

pub mod answer;
pub mod breaker;
mod kept;

use std::time::Duration;

use serde_json::Value;

/// How one attempt to deliver a message ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The receiver has it. `response` is kept where somebody will want to read it.
    Sent { response: Value },
    /// It may get there later; not before `after`, where the receiver said so.
    Retry { why: String, after: Option<Duration> },
    /// It never will: staff decide. It holds back the later ones of its aggregate.
    Dead { why: String },
    /// What it says has ceased to be true, so it must not be sent any more.
    NoLongerTrue { why: String },
    /// The sender broke on it.
    Panicked { why: String },
}

/// What becomes of the message.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    Sent {
        response: Value,
    },
    Later {
        why: String,
        wait: Duration,
        counted: bool,
        panicked: bool,
    },
    Dead {
        why: String,
        panicked: bool,
    },
    Discarded {
        why: String,
    },
}

/// What has been tried before this attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Attempts that failed and count.
    pub attempts: u32,
    /// How many of them broke the sender.
    pub panics: u32,
    /// Since the first attempt, by the database's clock; without the time for which its destination was left alone.
    pub since: Duration,
}

/// How long a message is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The pause after a first failure is drawn from 0 to this, after each further one from twice as much.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    pub attempts: u32,
    pub lifetime: Duration,
}

/// A message that breaks its sender so often is set aside.
pub const PANICS: u32 = 3;
/// The longest pause that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

impl Patience {
    /// What becomes of a message after `outcome`.
    ///
    /// A failure that does not count (`counts`) is a probe of a destination that is down: it uses up no attempt, so an
    /// outage kills no message however long it lasts. `chance` is between 0 and 1. Others' words are made fit to be kept.
    pub fn settle(&self, outcome: Outcome, tried: Tried, counts: bool, chance: f64) -> Settlement {
        let (why, after, panicked) = match outcome {
            Outcome::Sent { response } => {
                let response = kept::answer(response);
                return Settlement::Sent { response };
            }
            Outcome::NoLongerTrue { why } => return Settlement::Discarded { why: kept::words(&why) },
            Outcome::Dead { why } => {
                let (why, panicked) = (kept::words(&why), false);
                return Settlement::Dead { why, panicked };
            }
            Outcome::Retry { why, after } => (kept::words(&why), after, false),
            Outcome::Panicked { why } => (kept::words(&why), None, true),
        };
        if panicked && tried.panics + 1 >= PANICS {
            let why = format!("set aside: it broke its sender {PANICS} times, the last time: {why}");
            return Settlement::Dead { why, panicked };
        }
        let counted = counts || panicked;
        if counted && tried.attempts + 1 >= self.attempts {
            let why = format!("given up after {} attempts: {why}", self.attempts);
            return Settlement::Dead { why, panicked };
        }
        // One that has not failed yet while its destination was there has used up nothing of its time.
        if counted && tried.attempts > 0 && tried.since >= self.lifetime {
            let hours = self.lifetime.as_secs_f64() / 3600.0;
            let why = format!("given up after {hours:.1} hours: {why}");
            return Settlement::Dead { why, panicked };
        }
        let wait = self
            .pause(tried.attempts, chance)
            .max(after.unwrap_or_default().min(LONGEST_ASKED));
        Settlement::Later {
            why,
            wait,
            counted,
            panicked,
        }
    }

    /// Full jitter: anything from no time at all to what doubles with each failure, so that messages which failed together
    /// do not come back together.
    fn pause(&self, failures: u32, chance: f64) -> Duration {
        let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
        let most = self.first_pause.saturating_mul(factor).min(self.longest_pause);
        most.mul_f64(chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_mins(5),
        attempts: 25,
        lifetime: Duration::from_hours(72),
    };

    fn failed(tried: Tried, counts: bool, chance: f64) -> Settlement {
        let outcome = Outcome::Retry {
            why: "503".to_owned(),
            after: None,
        };
        PATIENCE.settle(outcome, tried, counts, chance)
    }

    #[track_caller]
    fn check_wait(tried: Tried, chance: f64, seconds: f64) {
        let Settlement::Later { wait, .. } = failed(tried, true, chance) else {
            panic!("it was given up");
        };
        assert_eq!(wait, Duration::from_secs_f64(seconds));
    }

    fn after(attempts: u32) -> Tried {
        Tried {
            attempts,
            ..Tried::default()
        }
    }

    #[test]
    fn pauses_are_drawn_from_a_span_that_doubles_up_to_five_minutes() {
        check_wait(after(0), 1.0, 1.0);
        check_wait(after(0), 0.25, 0.25);
        check_wait(after(4), 1.0, 16.0);
        check_wait(after(4), 0.0, 0.0);
        check_wait(after(9), 1.0, 300.0);
        check_wait(after(23), 0.5, 150.0);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_of_an_hour_at_most() {
        for (asked, expected) in [(7, 7), (7200, 3600)] {
            let outcome = Outcome::Retry {
                why: "429".to_owned(),
                after: Some(Duration::from_secs(asked)),
            };
            let settled = PATIENCE.settle(outcome, after(0), true, 1.0);
            let Settlement::Later { wait, .. } = settled else {
                panic!("{settled:?}")
            };
            assert_eq!(wait, Duration::from_secs(expected));
        }
    }

    #[test]
    fn a_message_is_given_up_after_25_attempts_or_72_hours_and_never_for_an_outage() {
        let old = Tried {
            attempts: 1,
            since: Duration::from_hours(72),
            ..Tried::default()
        };
        for tried in [after(24), old] {
            assert!(matches!(failed(tried, true, 1.0), Settlement::Dead { .. }), "{tried:?}");
            let probe = failed(tried, false, 1.0);
            assert!(matches!(probe, Settlement::Later { counted: false, .. }), "{probe:?}");
        }
        let first = Tried { attempts: 0, ..old };
        assert!(matches!(
            failed(first, true, 1.0),
            Settlement::Later { counted: true, .. }
        ));
        assert!(matches!(
            failed(after(23), true, 1.0),
            Settlement::Later { counted: true, .. }
        ));
    }

    #[test]
    fn what_breaks_its_sender_three_times_is_set_aside() {
        let broke = |panics| {
            let outcome = Outcome::Panicked {
                why: "index out of bounds".to_owned(),
            };
            PATIENCE.settle(
                outcome,
                Tried {
                    panics,
                    ..Tried::default()
                },
                true,
                1.0,
            )
        };
        assert!(matches!(broke(1), Settlement::Later { panicked: true, .. }));
        let Settlement::Dead { why, panicked: true } = broke(2) else {
            panic!("not set aside")
        };
        assert_eq!(
            why,
            "set aside: it broke its sender 3 times, the last time: index out of bounds"
        );
    }
}
