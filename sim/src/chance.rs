//! Chance that is a pure function of a seed: the same seed gives the same day, with whatever version of any crate.

use std::time::Duration;

/// A stream of numbers (`SplitMix64`). Copies go on independently from where they were copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    pub const fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream for one thing among many (a truck, a station, a visit), which does not depend on how much of any
    /// other stream was used.
    pub const fn branch(self, of: u64) -> Self {
        Self(scramble(self.0 ^ scramble(of.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.0)
    }

    /// 0 to `count` − 1; 0 where there is nothing to choose from.
    pub const fn below(&mut self, count: u64) -> u64 {
        if count == 0 { 0 } else { self.bits() % count }
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * fraction(self.bits())
    }

    pub fn happens(&mut self, probability: f64) -> bool {
        fraction(self.bits()) < probability
    }

    /// One of `items`, all equally likely; the first of none is the default.
    pub fn one_of<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let count = u64::try_from(items.len()).unwrap_or(0);
        usize::try_from(self.below(count))
            .ok()
            .and_then(|index| items.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// How long until the next of many independent happenings that come `mean` apart (exponential, at most six means).
    pub fn gap(&mut self, mean: Duration) -> Duration {
        let uniform = fraction(self.bits());
        mean.mul_f64((-(1.0 - uniform).ln()).min(6.0))
    }
}

/// A smooth ripple between −1 and 1 that finds a new direction every `period`, as a function of time.
pub fn ripple(chance: Chance, at: Duration, period: Duration) -> f64 {
    let period = period.as_micros().max(1);
    let step = u64::try_from(at.as_micros() / period).unwrap_or(u64::MAX);
    let height = |step: u64| 2.0 * fraction(chance.branch(step).bits()) - 1.0;
    let part = at.as_secs_f64() * 1e6 % as_f64(period) / as_f64(period);
    let eased = part * part * (3.0 - 2.0 * part);
    height(step) + (height(step.wrapping_add(1)) - height(step)) * eased
}

fn as_f64(microseconds: u128) -> f64 {
    u32::try_from(microseconds).map_or(f64::from(u32::MAX), f64::from)
}

/// 0 up to, but never, 1.
fn fraction(bits: u64) -> f64 {
    let high = u32::try_from(bits >> 32).unwrap_or(0);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

const fn scramble(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_published_splitmix64() {
        let mut chance = Chance::of_seed(1_234_567);
        assert_eq!(chance.bits(), 6_457_827_717_110_365_317);
        assert_eq!(chance.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_branch_does_not_depend_on_what_others_used() {
        let day = Chance::of_seed(7);
        let mut used = day.branch(1);
        used.bits();
        assert_eq!(day.branch(2), Chance::of_seed(7).branch(2));
        assert_ne!(day.branch(1), day.branch(2));
    }

    #[test]
    fn a_ripple_is_smooth_and_bounded() {
        let chance = Chance::of_seed(3);
        let at = |ms| ripple(chance, Duration::from_millis(ms), Duration::from_millis(100));
        for ms in 0..2000 {
            assert!(at(ms).abs() <= 1.0);
            assert!((at(ms) - at(ms + 1)).abs() < 0.05, "a leap after {ms} ms");
        }
    }
}
