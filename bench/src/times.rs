//! Measured times, in order.

use std::time::Duration;

/// At least one measured time.
#[derive(Clone, Debug)]
pub struct Times {
    sorted: Vec<Duration>,
}

impl Times {
    /// None where nothing was measured.
    pub fn new(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        (!times.is_empty()).then_some(Self { sorted: times })
    }

    /// The smallest of them that at least so many thousandths do not exceed (nearest rank): 500 is the median, 1000 the
    /// greatest.
    pub fn permille(&self, permille: usize) -> Duration {
        let rank = (self.sorted.len() * permille)
            .div_ceil(1000)
            .clamp(1, self.sorted.len());
        self.sorted.get(rank - 1).copied().unwrap_or_default()
    }

    pub const fn count(&self) -> usize {
        self.sorted.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: u64, permille: usize, expected: u64) {
        let times = (1..=count).rev().map(Duration::from_millis).collect();
        let times = Times::new(times).unwrap();
        assert_eq!(times.permille(permille), Duration::from_millis(expected));
    }

    #[test]
    fn a_percentile_is_a_measured_time_by_nearest_rank() {
        check(1, 500, 1);
        check(1, 990, 1);
        check(2, 500, 1);
        check(3, 500, 2);
        check(100, 990, 99);
        check(100, 1000, 100);
        check(101, 990, 100);
        check(40, 990, 40);
    }

    #[test]
    fn nothing_measured_has_no_percentiles() {
        assert!(Times::new(Vec::new()).is_none());
    }
}
