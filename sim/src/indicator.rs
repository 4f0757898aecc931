//! What an indicator makes of the load on its deck: filtering, zero tracking, rounding to divisions, its stable flag.

use std::collections::VecDeque;

use weighbridge_protocol::Kilograms;

use crate::load::{exact, physical, whole};

/// What the display shows and the serial line says, once per frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Gross, a multiple of the division; meaningless under `overload`.
    pub weight: Kilograms,
    pub stable: bool,
    pub overload: bool,
    /// Within a quarter of a division of zero.
    pub zero: bool,
    /// Digits behind the point, as the division demands.
    pub decimals: u8,
}

/// What the maker and the site have set.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    /// The division d (한눈).
    pub division: Kilograms,
    /// The greatest load; from 9 divisions above it the indicator shows an overload.
    pub capacity: Kilograms,
    /// How many frames in a row must agree before the stable lamp comes on.
    pub steady_frames: usize,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            division: Kilograms::from_whole(20),
            capacity: Kilograms::from_whole(60_000),
            steady_frames: 5,
        }
    }
}

/// The signal chain of one indicator. Feed it a load per frame.
#[derive(Clone, Debug)]
pub struct Indicator {
    calibration: Calibration,
    filtered: f64,
    zero_offset: f64,
    recent: VecDeque<f64>,
    /// Divisions shown last.
    divisions: i64,
}

impl Indicator {
    /// An indicator that was just switched on over an empty deck.
    pub const fn new(calibration: Calibration) -> Self {
        Self {
            calibration,
            filtered: 0.0,
            zero_offset: 0.0,
            recent: VecDeque::new(),
            divisions: 0,
        }
    }

    /// Takes the mean load of one frame's time, in kilograms, and says what is shown.
    pub fn sample(&mut self, load: f64) -> Shown {
        self.filtered += 0.6 * (load - self.filtered);
        let division = physical(self.calibration.division).max(0.01);
        let steady = self.is_steady(division);
        self.track_zero(division, steady);
        let weight = self.filtered - self.zero_offset;
        self.round(weight / division);
        Shown {
            weight: self.calibration.division * self.divisions,
            stable: steady,
            overload: exact(weight) > self.calibration.capacity + self.calibration.division * 9,
            zero: weight.abs() <= division / 4.0,
            decimals: decimals(self.calibration.division),
        }
    }

    /// Whether the last frames lie within half a division. It lags behind the truth by as many frames, as real ones do.
    fn is_steady(&mut self, division: f64) -> bool {
        self.recent.push_back(self.filtered);
        if self.recent.len() > self.calibration.steady_frames {
            self.recent.pop_front();
        }
        let low = self.recent.iter().copied().fold(f64::MAX, f64::min);
        let high = self.recent.iter().copied().fold(f64::MIN, f64::max);
        self.recent.len() == self.calibration.steady_frames && high - low <= division / 2.0
    }

    /// Dirt and rain on an empty deck are tracked away, slowly, and only near zero.
    fn track_zero(&mut self, division: f64, steady: bool) {
        let residue = self.filtered - self.zero_offset;
        if steady && residue.abs() < division / 2.0 {
            let most = division / 20.0;
            self.zero_offset += residue.clamp(-most, most);
        }
    }

    /// Moves on to another division only when the weight is clearly nearer to it, so that the display does not flicker.
    fn round(&mut self, exact_divisions: f64) {
        let shown = physical(Kilograms::from_hundredths(self.divisions * 100));
        if (exact_divisions - shown).abs() > 0.6 {
            self.divisions = whole(exact_divisions);
        }
    }
}

fn decimals(division: Kilograms) -> u8 {
    match division.hundredths() {
        hundredths if hundredths % 100 == 0 => 0,
        hundredths if hundredths % 10 == 0 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(loads: impl IntoIterator<Item = f64>) -> Vec<Shown> {
        let mut indicator = Indicator::new(Calibration::default());
        loads.into_iter().map(|load| indicator.sample(load)).collect()
    }

    #[test]
    fn a_weight_is_shown_in_divisions_and_the_lamp_lags_behind() {
        let shown = fed([0.0; 8].into_iter().chain([18_347.0; 20]));
        let first = shown
            .iter()
            .position(|frame| frame.weight == Kilograms::from_whole(18_340))
            .unwrap();
        let lamp = shown.iter().rposition(|frame| !frame.stable).unwrap() + 1;
        assert!(
            lamp >= first,
            "the lamp came on at {lamp}, before the weight at {first}"
        );
        assert!(lamp > 8 + 5, "a lamp without lag");
        assert_eq!(shown.last().unwrap().weight, Kilograms::from_whole(18_340));
    }

    #[test]
    fn a_swaying_weight_is_not_stable() {
        let shown = fed((0..100).map(|step| 20_000.0 + 200.0 * f64::from(step).sin()));
        assert!(shown.iter().all(|frame| !frame.stable));
    }

    #[test]
    fn a_slow_drift_is_tracked_to_zero_and_a_load_is_not() {
        let drifted = fed((0..600).map(|step| f64::from(step) * 0.1));
        assert_eq!(
            drifted.last().unwrap().weight,
            Kilograms::ZERO,
            "60 kg of rain, one tenth a frame"
        );
        let loaded = fed([0.0; 10].into_iter().chain([40.0; 600]));
        assert_eq!(loaded.last().unwrap().weight, Kilograms::from_whole(40));
    }

    #[test]
    fn nine_divisions_above_capacity_is_an_overload() {
        assert!(!fed([60_170.0; 30]).last().unwrap().overload);
        assert!(fed([60_190.0; 30]).last().unwrap().overload);
    }

    #[test]
    fn a_weight_on_the_edge_of_two_divisions_does_not_flicker() {
        let shown = fed((0..200).map(|step| 18_350.0 + if step % 2 == 0 { 1.5 } else { -1.5 }));
        let settled = &shown[50..];
        assert!(settled.windows(2).all(|pair| pair[0].weight == pair[1].weight));
    }
}
