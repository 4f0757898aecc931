//! The server's wishes for a station, key by key: those that fit its other settings are followed, the rest are named.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CaptureOverrides, CaptureSettings};

/// A wish that one cannot weigh with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    pub key: String,
    pub value: String,
    /// What is wrong, with the other setting that it does not go with.
    pub why: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.key, self.value, self.why)
    }
}

impl CaptureSettings {
    /// These settings, [`checked`](Self::checked) ones, with those wishes in their place that fit. The others are answered
    /// beside them: of two that do not go together the one that is checked against the other.
    pub fn fitted(self, wishes: &CaptureOverrides) -> (Self, Vec<Unfit>) {
        let (mut kept, mut unfit) = (*wishes, Vec::new());
        loop {
            let error = match self.overridden_by(&kept).checked() {
                Ok(settings) => return (settings, unfit),
                Err(error) => error,
            };
            let keys = [Some(error.key), error.against];
            let taken = keys.into_iter().flatten().find_map(|key| Some((key, kept.take(key)?)));
            // It is always a wish that is wrong.
            let Some((key, value)) = taken else {
                return (self, unfit);
            };
            unfit.push(Unfit {
                key: key.to_owned(),
                value,
                why: error.to_string(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(set: &[(&str, &str)]) -> CaptureOverrides {
        let mut wishes = CaptureOverrides::default();
        for (key, value) in set {
            assert_eq!(wishes.set(key, value), Ok(true), "{key}");
        }
        wishes
    }

    #[track_caller]
    fn check(own: &[(&str, &str)], wished: &[(&str, &str)], followed: &[(&str, &str)], named: &[&str]) {
        let own = CaptureSettings::default()
            .overridden_by(&wishes(own))
            .checked()
            .unwrap();
        let (settings, unfit) = own.fitted(&wishes(wished));
        assert_eq!(settings, own.overridden_by(&wishes(followed)));
        assert_eq!(settings.checked(), Ok(settings));
        let unfit: Vec<String> = unfit.iter().map(Unfit::to_string).collect();
        assert_eq!(unfit, named);
    }

    #[test]
    fn what_fits_is_followed_whatever_stands_beside_it() {
        let all = [("min_weight_kg", "200"), ("rearm_below_kg", "100"), ("dwell_ms", "100")];
        check(&[], &all, &all, &[]);
        check(
            &[],
            &[("tolerance_kg", "700"), ("dwell_ms", "10000")],
            &[("dwell_ms", "10000")],
            &["tolerance_kg = 700.00: tolerance_kg is 700.00, expected 0 to less than min_weight_kg (500.00)"],
        );
        check(
            &[("min_weight_kg", "340"), ("rearm_below_kg", "100")],
            &[("dwell_ms", "10000"), ("rearm_below_kg", "350")],
            &[("dwell_ms", "10000")],
            &[
                "rearm_below_kg = 350.00: rearm_below_kg is 350.00, expected more than 0 and less than min_weight_kg (340.00)",
            ],
        );
    }

    #[test]
    fn a_wish_that_does_not_go_with_the_stations_own_setting_is_the_one_that_gives_way() {
        check(
            &[],
            &[("min_weight_kg", "250"), ("leave_ms", "0")],
            &[("leave_ms", "0")],
            &[
                "min_weight_kg = 250.00: rearm_below_kg is 300.00, expected more than 0 and less than min_weight_kg (250.00)",
            ],
        );
        check(
            &[("zero_band_kg", "200"), ("max_weight_kg", "50000")],
            &[("rearm_below_kg", "150"), ("min_weight_kg", "60000"), ("dwell_ms", "0")],
            &[],
            &[
                "min_weight_kg = 60000.00: max_weight_kg is 50000.00, expected more than min_weight_kg (60000.00)",
                "rearm_below_kg = 150.00: zero_band_kg is 200.00, expected 0 to less than rearm_below_kg (150.00)",
                "dwell_ms = 0: dwell_ms is 0, expected 1 to 60000",
            ],
        );
    }
}
