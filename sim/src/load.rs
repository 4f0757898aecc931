//! Between exact weights and the floating point in which the physics of a deck is reckoned.

use weighbridge_protocol::Kilograms;

/// A weight as physics sees it. Exact up to 21 474 t.
pub fn physical(weight: Kilograms) -> f64 {
    i32::try_from(weight.hundredths()).map_or(f64::from(i32::MAX), f64::from) / 100.0
}

/// The exact weight nearest to `kilograms`; what lies beyond 20 000 t either way is cut off.
pub fn exact(kilograms: f64) -> Kilograms {
    Kilograms::from_hundredths(whole(kilograms * 100.0))
}

/// The nearest whole number, within ± 2 000 000 000.
pub fn whole(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to a range that i64 holds exactly"
    )]
    let rounded = value.clamp(-2e9, 2e9).round() as i64;
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_survives_the_way_there_and_back() {
        for hundredths in [-1, 0, 1, 1_834_000, 4_400_001, 2_000_000_000] {
            let weight = Kilograms::from_hundredths(hundredths);
            assert_eq!(exact(physical(weight)), weight);
        }
    }
}
