//! When to send: the first change at once, then at most once in a while.

use std::time::{Duration, Instant};

/// Spaces sendings out. Those who follow it send by a timer, never by a message to themselves: an actor drains its mailbox
/// without yielding, and the sessions on its thread could not write on what their sockets have refused.
#[derive(Debug)]
pub struct Pace {
    gap: Duration,
    last: Option<Instant>,
    arranged: bool,
}

impl Pace {
    /// At least `gap` from the end of one sending to the beginning of the next.
    pub const fn new(gap: Duration) -> Self {
        Self {
            gap,
            last: None,
            arranged: false,
        }
    }

    /// How long to wait before sending; `None` when a sending is arranged already.
    pub fn arrange(&mut self, now: Instant) -> Option<Duration> {
        if std::mem::replace(&mut self.arranged, true) {
            return None;
        }
        Some(
            self.last
                .map_or(Duration::ZERO, |last| self.gap.saturating_sub(now.duration_since(last))),
        )
    }

    pub fn sent(&mut self, now: Instant) {
        self.last = Some(now);
        self.arranged = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_at_once_and_the_next_when_its_time_has_come() {
        let (start, after) = (Instant::now(), Duration::from_millis);
        let mut pace = Pace::new(after(50));
        assert_eq!(pace.arrange(start), Some(Duration::ZERO));
        pace.sent(start);
        assert_eq!(pace.arrange(start + after(20)), Some(after(30)));
        assert_eq!(pace.arrange(start + after(30)), None);
        pace.sent(start + after(50));
        assert_eq!(pace.arrange(start + after(200)), Some(Duration::ZERO));
    }
}
