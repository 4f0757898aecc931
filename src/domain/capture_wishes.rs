//! How a station is to capture: its capture settings, its division and its capacity have to go together.

use weighbridge_protocol::{
    Kilograms,
    scale::{CaptureOverrides, CaptureSettings, SettingsError},
};

/// Why a station cannot be set up so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error(transparent)]
    Capture(#[from] SettingsError),
    /// One division is the tolerance where none is wished.
    #[error("division is {division}, expected less than min_weight_kg ({min_weight}), or a tolerance_kg that is")]
    CoarseDivision { division: Kilograms, min_weight: Kilograms },
    /// No vehicle could ever be weighed.
    #[error("capacity is {capacity}, expected more than min_weight_kg ({min_weight})")]
    LightCapacity { capacity: Kilograms, min_weight: Kilograms },
    #[error("capacity is {capacity}, expected more than the division ({division})")]
    NoInterval { capacity: Kilograms, division: Kilograms },
}

/// The wishes as an edge gets them: the tolerance is one division where that is known and nothing else is wished.
#[must_use]
pub fn told(mut wishes: CaptureOverrides, division: Option<Kilograms>) -> CaptureOverrides {
    wishes.tolerance_kg = wishes.tolerance_kg.or(division);
    wishes
}

/// Whether one can weigh so, as far as the server knows: an edge has settings of its own besides.
///
/// # Errors
/// [`Misfit`] names what does not go together.
pub fn go_together(
    wishes: &CaptureOverrides,
    division: Option<Kilograms>,
    capacity: Option<Kilograms>,
) -> Result<(), Misfit> {
    if let (Some(capacity), Some(division)) = (capacity, division.filter(|&d| capacity.is_some_and(|c| c <= d))) {
        return Err(Misfit::NoInterval { capacity, division });
    }
    let settings = CaptureSettings::default().overridden_by(wishes).checked()?;
    let min_weight = settings.min_weight_kg;
    let tolerance = division.filter(|_| wishes.tolerance_kg.is_none());
    if let Some(division) = tolerance.filter(|&division| division >= min_weight) {
        return Err(Misfit::CoarseDivision { division, min_weight });
    }
    match capacity.filter(|&capacity| capacity <= min_weight) {
        Some(capacity) => Err(Misfit::LightCapacity { capacity, min_weight }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[(&str, &str)], division: Option<i32>, capacity: Option<i32>, expected: &str) {
        let mut wishes = CaptureOverrides::default();
        for (key, value) in set {
            assert_eq!(wishes.set(key, value), Ok(true));
        }
        let kg = |weight: Option<i32>| weight.map(Kilograms::from_whole);
        let judged = go_together(&wishes, kg(division), kg(capacity));
        assert_eq!(judged.map_or_else(|why| why.to_string(), |()| String::new()), expected);
    }

    #[test]
    fn what_goes_together_is_taken() {
        check(&[], None, None, "");
        check(&[], Some(20), Some(60_000), "");
        check(&[("tolerance_kg", "20")], Some(700), Some(60_000), "");
        check(&[("min_weight_kg", "800")], Some(700), Some(1000), "");
    }

    #[test]
    fn what_does_not_is_named() {
        check(
            &[("dwell_ms", "10000")],
            Some(700),
            None,
            "division is 700.00, expected less than min_weight_kg (500.00), or a tolerance_kg that is",
        );
        check(
            &[("min_weight_kg", "5000")],
            None,
            Some(1000),
            "capacity is 1000.00, expected more than min_weight_kg (5000.00)",
        );
        check(
            &[],
            None,
            Some(500),
            "capacity is 500.00, expected more than min_weight_kg (500.00)",
        );
        check(
            &[],
            Some(200),
            Some(200),
            "capacity is 200.00, expected more than the division (200.00)",
        );
        check(
            &[("tolerance_kg", "500")],
            None,
            None,
            "tolerance_kg is 500.00, expected 0 to less than min_weight_kg (500.00)",
        );
    }
}
