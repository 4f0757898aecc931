//! How often, how soon and how long: the numbers of supervision, and the judgment of one child's failures.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// The numbers by which a [`Tree`](crate::Tree) looks after its children.
///
/// The default is what the product runs with; tests shorten it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Pause before the restart after a first failure; doubles with each further one inside `window`.
    pub first_backoff: Duration,
    /// The longest such pause.
    pub longest_backoff: Duration,
    /// Failures inside `window` that are answered by a restart; one more makes the child FAILED.
    pub tolerated_failures: usize,
    /// How long a failure counts.
    pub window: Duration,
    /// Pause before a FAILED child is first tried again; doubles with each trial that ends in a failure.
    pub first_trial: Duration,
    /// The longest such pause.
    pub longest_trial: Duration,
    /// How long a FAILED child must have been up to be forgiven all its failures.
    pub forgiven_after: Duration,
    /// How long a child that is asked to end may take to finish the messages in hand.
    pub grace: Duration,
    /// How long an administrator's restart waits for the child to be up again.
    pub up_within: Duration,
    /// Restarts by administrators that one child takes a minute.
    pub restarts_a_minute: usize,
    /// How often each arbiter is asked for a sign of life.
    pub beat_every: Duration,
    /// Silence after which an arbiter counts as frozen and is replaced.
    pub frozen_after: Duration,
    /// Silence of an arbiter that cannot be replaced after which the process has to end.
    pub bound_silent_after: Duration,
    /// Failures of one supervisor inside `supervisor_window` after which the process has to end.
    pub supervisor_failures: usize,
    /// How long a supervisor's failure counts.
    pub supervisor_window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_backoff: Duration::from_millis(50),
            longest_backoff: Duration::from_secs(10),
            tolerated_failures: 5,
            window: Duration::from_secs(30),
            first_trial: Duration::from_secs(1),
            longest_trial: Duration::from_mins(1),
            forgiven_after: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            up_within: Duration::from_secs(10),
            restarts_a_minute: 10,
            beat_every: Duration::from_millis(500),
            frozen_after: Duration::from_millis(3500),
            bound_silent_after: Duration::from_secs(15),
            supervisor_failures: 3,
            supervisor_window: Duration::from_mins(1),
        }
    }
}

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again after this pause.
    Restart(Duration),
    /// Give up, and try again after this pause.
    Fail(Duration),
}

/// One child's failures, as far as they still count.
#[derive(Debug, Default)]
pub(crate) struct Record {
    recent: VecDeque<Instant>,
    trials: Option<u32>,
}

impl Record {
    /// Judges a failure at `now` of a child that had been up since `up_since`.
    ///
    /// `jitter` is between −0.2 and 0.2 and lengthens the pause by that part, so that children that fell together
    /// do not all come back at the same instant.
    pub(crate) fn judge(&mut self, now: Instant, up_since: Option<Instant>, jitter: f64, policy: &Policy) -> Verdict {
        let long_up = up_since.is_some_and(|up| now.duration_since(up) >= policy.forgiven_after);
        if self.trials.is_some() && long_up {
            self.forgive();
        }
        while self
            .recent
            .front()
            .is_some_and(|&failed_at| now.duration_since(failed_at) > policy.window)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.trials.is_none() && self.recent.len() <= policy.tolerated_failures {
            let pause = doubled(policy.first_backoff, self.recent.len() - 1, policy.longest_backoff);
            return Verdict::Restart(pause.mul_f64(1.0 + jitter));
        }
        let trial = self.trials.map_or(0, |earlier| earlier.saturating_add(1));
        self.trials = Some(trial);
        let pause = doubled(policy.first_trial, trial as usize, policy.longest_trial);
        Verdict::Fail(pause.mul_f64(1.0 + jitter))
    }

    /// Forgets every failure.
    pub(crate) fn forgive(&mut self) {
        *self = Self::default();
    }
}

/// `first`·2ⁿ, at most `longest`.
fn doubled(first: Duration, n: usize, longest: Duration) -> Duration {
    let factor = u32::try_from(n)
        .ok()
        .and_then(|n| 2_u32.checked_pow(n))
        .unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds failures at the given seconds and tells the verdicts; the child is up from the moment it was restarted.
    fn verdicts(failures_at_s: &[u64]) -> Vec<Verdict> {
        let (start, policy, mut record) = (Instant::now(), Policy::default(), Record::default());
        let mut up_since = start;
        failures_at_s
            .iter()
            .map(|&at| {
                let now = start + Duration::from_secs(at);
                let verdict = record.judge(now, Some(up_since), 0.0, &policy);
                up_since = now
                    + match verdict {
                        Verdict::Restart(pause) | Verdict::Fail(pause) => pause,
                    };
                verdict
            })
            .collect()
    }

    fn restart_ms(ms: u64) -> Verdict {
        Verdict::Restart(Duration::from_millis(ms))
    }

    fn fail_s(s: u64) -> Verdict {
        Verdict::Fail(Duration::from_secs(s))
    }

    #[test]
    fn pauses_double_and_the_sixth_failure_within_thirty_seconds_is_failed() {
        let expected = [
            restart_ms(50),
            restart_ms(100),
            restart_ms(200),
            restart_ms(400),
            restart_ms(800),
            fail_s(1),
        ];
        assert_eq!(verdicts(&[0, 1, 2, 3, 4, 5]), expected);
    }

    #[test]
    fn a_failure_every_seven_seconds_is_never_failed() {
        let failures: Vec<u64> = (0..100).map(|n| n * 7).collect();
        assert!(
            verdicts(&failures)
                .iter()
                .all(|verdict| matches!(verdict, Verdict::Restart(_)))
        );
    }

    #[test]
    fn trials_of_a_failed_child_double_up_to_a_minute() {
        let failures: Vec<u64> = (0..6).chain([7, 10, 15, 24, 41, 74, 135, 196]).collect();
        let trials = &verdicts(&failures)[5..];
        assert_eq!(trials, [1, 2, 4, 8, 16, 32, 60, 60, 60].map(fail_s));
    }

    #[test]
    fn a_failed_child_that_stayed_up_for_thirty_seconds_is_forgiven() {
        assert_eq!(verdicts(&[0, 1, 2, 3, 4, 5, 40]).last(), Some(&restart_ms(50)));
        assert_eq!(verdicts(&[0, 1, 2, 3, 4, 5, 30]).last(), Some(&fail_s(2)));
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let verdict = Record::default().judge(Instant::now(), None, -0.2, &Policy::default());
        assert_eq!(verdict, restart_ms(40));
    }
}
