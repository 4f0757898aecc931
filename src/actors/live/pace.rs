//! When to send: the first change at once, and the next when sending has had a rest.

use std::time::{Duration, Instant};

/// The rest is so many times as long as the sending took: until the longest rest is reached, sending has about a ninth of
/// the thread.
const REST: u32 = 8;

/// Spaces sendings out. Those who follow it send by a timer, never by a message to themselves: an actor drains its mailbox
/// without yielding, and the sessions on its thread could not write on what their sockets have refused.
#[derive(Debug)]
pub struct Pace {
    least: Duration,
    longest: Duration,
    rest: Duration,
    last: Option<Instant>,
    arranged: bool,
}

impl Pace {
    /// From the end of one sending to the beginning of the next, at least `least`, and never more than `longest`. Where the
    /// two are at odds `longest` holds.
    pub const fn new(least: Duration, longest: Duration) -> Self {
        Self {
            least,
            longest,
            rest: Duration::ZERO,
            last: None,
            arranged: false,
        }
    }

    /// How long to wait before sending; `None` when a sending is arranged already.
    pub fn arrange(&mut self, now: Instant) -> Option<Duration> {
        if std::mem::replace(&mut self.arranged, true) {
            return None;
        }
        Some(self.last.map_or(Duration::ZERO, |last| {
            self.rest.saturating_sub(now.duration_since(last))
        }))
    }

    /// A sending went from `began` to `ended`.
    pub fn sent(&mut self, began: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(began);
        self.rest = (took * REST).max(self.least).min(self.longest);
        self.last = Some(ended);
        self.arranged = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_first_goes_at_once_and_the_next_when_its_time_has_come() {
        let start = Instant::now();
        let mut pace = Pace::new(ms(5), ms(50));
        assert_eq!(pace.arrange(start), Some(Duration::ZERO));
        pace.sent(start, start);
        assert_eq!(pace.arrange(start + ms(2)), Some(ms(3)));
        assert_eq!(pace.arrange(start + ms(3)), None);
        pace.sent(start + ms(5), start + ms(5));
        assert_eq!(pace.arrange(start + ms(200)), Some(Duration::ZERO));
    }

    #[test]
    fn the_rest_grows_with_what_a_sending_took_up_to_the_longest() {
        let start = Instant::now();
        for (took, rest) in [(0, 5), (1, 8), (4, 32), (100, 50)] {
            let mut pace = Pace::new(ms(5), ms(50));
            let ended = start + ms(took);
            pace.sent(start, ended);
            assert_eq!(pace.arrange(ended), Some(ms(rest)), "a sending of {took} ms");
        }
    }
}
