//! What a site may set about capturing.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Kilograms;

/// The capture logic's settings. Weights in kilograms, times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureSettings {
    /// A vehicle is on the deck from this weight on.
    pub min_weight_kg: Kilograms,
    /// The deck counts as empty below this weight; lower than `min_weight_kg`, so that noise cannot rearm.
    pub rearm_below_kg: Kilograms,
    /// A vehicle has left when it was not seen for this long, in at least two readings; 0 to 10000, and with 0 the first
    /// reading below `rearm_below_kg` says so.
    pub leave_ms: u32,
    /// The weight must stay within `tolerance_kg` for this long; 1 to 60000.
    pub dwell_ms: u32,
    pub tolerance_kg: Kilograms,
    /// Whether the indicator's own stable flag is needed as well, where its protocol has one.
    pub require_stable_flag: bool,
    /// An outage up to this long, of the same boot, may be bridged: the same weight is then the same truck.
    pub gap_same_ms: u32,
    /// A reading beyond it is an overload, where set.
    pub max_weight_kg: Option<Kilograms>,
    /// An empty deck that shows more than this has drifted, where set.
    pub zero_band_kg: Option<Kilograms>,
    /// How long an empty deck must stand beyond the band before that is told; 1 to 3600000.
    pub zero_drift_after_ms: u32,
    /// How long after its capture a cycle may last before it is told that the deck never returned to zero;
    /// 1000 to 86400000.
    pub never_zero_after_ms: u32,
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self {
            min_weight_kg: Kilograms::from_whole(500),
            rearm_below_kg: Kilograms::from_whole(300),
            leave_ms: 500,
            dwell_ms: 2000,
            tolerance_kg: Kilograms::from_whole(20),
            require_stable_flag: true,
            gap_same_ms: 30_000,
            max_weight_kg: None,
            zero_band_kg: None,
            zero_drift_after_ms: 10_000,
            never_zero_after_ms: 180_000,
        }
    }
}

/// The server's wishes for a station: each key that is set replaces the edge's own, from the next zero on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_weight_kg: Option<Kilograms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rearm_below_kg: Option<Kilograms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance_kg: Option<Kilograms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_stable_flag: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_same_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_weight_kg: Option<Kilograms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_band_kg: Option<Kilograms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_drift_after_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never_zero_after_ms: Option<u32>,
}

impl CaptureSettings {
    /// These settings, if one can weigh with them.
    ///
    /// # Errors
    /// [`SettingsError`] names the first value that cannot be, and what is expected.
    pub fn checked(self) -> Result<Self, SettingsError> {
        self.check_thresholds()?;
        if self.tolerance_kg.is_negative() || self.tolerance_kg >= self.min_weight_kg {
            let error = SettingsError::new("tolerance_kg", &self.tolerance_kg, "0 to less than ");
            return Err(error.against("min_weight_kg", self.min_weight_kg));
        }
        in_range("leave_ms", self.leave_ms, 0, 10_000)?;
        in_range("dwell_ms", self.dwell_ms, 1, 60_000)?;
        in_range("gap_same_ms", self.gap_same_ms, 0, 600_000)?;
        in_range("zero_drift_after_ms", self.zero_drift_after_ms, 1, 3_600_000)?;
        in_range("never_zero_after_ms", self.never_zero_after_ms, 1000, 86_400_000)?;
        Ok(self)
    }

    fn check_thresholds(&self) -> Result<(), SettingsError> {
        if self.min_weight_kg <= Kilograms::ZERO {
            return Err(SettingsError::new("min_weight_kg", &self.min_weight_kg, "more than 0"));
        }
        if self.rearm_below_kg <= Kilograms::ZERO || self.rearm_below_kg >= self.min_weight_kg {
            let error = SettingsError::new("rearm_below_kg", &self.rearm_below_kg, "more than 0 and less than ");
            return Err(error.against("min_weight_kg", self.min_weight_kg));
        }
        if let Some(most) = self.max_weight_kg.filter(|&most| most <= self.min_weight_kg) {
            let error = SettingsError::new("max_weight_kg", &most, "more than ");
            return Err(error.against("min_weight_kg", self.min_weight_kg));
        }
        let band = self
            .zero_band_kg
            .filter(|&band| band.is_negative() || band >= self.rearm_below_kg);
        band.map_or(Ok(()), |band| {
            let error = SettingsError::new("zero_band_kg", &band, "0 to less than ");
            Err(error.against("rearm_below_kg", self.rearm_below_kg))
        })
    }

    /// These settings with the wishes in their place; to be [`checked`](Self::checked) before use, since two values
    /// that are right alone may not fit together.
    #[must_use]
    pub fn overridden_by(self, wishes: &CaptureOverrides) -> Self {
        Self {
            min_weight_kg: wishes.min_weight_kg.unwrap_or(self.min_weight_kg),
            rearm_below_kg: wishes.rearm_below_kg.unwrap_or(self.rearm_below_kg),
            leave_ms: wishes.leave_ms.unwrap_or(self.leave_ms),
            dwell_ms: wishes.dwell_ms.unwrap_or(self.dwell_ms),
            tolerance_kg: wishes.tolerance_kg.unwrap_or(self.tolerance_kg),
            require_stable_flag: wishes.require_stable_flag.unwrap_or(self.require_stable_flag),
            gap_same_ms: wishes.gap_same_ms.unwrap_or(self.gap_same_ms),
            max_weight_kg: wishes.max_weight_kg.or(self.max_weight_kg),
            zero_band_kg: wishes.zero_band_kg.or(self.zero_band_kg),
            zero_drift_after_ms: wishes.zero_drift_after_ms.unwrap_or(self.zero_drift_after_ms),
            never_zero_after_ms: wishes.never_zero_after_ms.unwrap_or(self.never_zero_after_ms),
        }
    }
}

impl CaptureOverrides {
    /// Takes `key=value` as a site writes it, and answers whether the key is one of capturing at all.
    ///
    /// # Errors
    /// [`SettingsError`] if the value is no weight, number or truth.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, SettingsError> {
        match key {
            "min_weight_kg" => self.min_weight_kg = Some(read("min_weight_kg", value, WEIGHT)?),
            "rearm_below_kg" => self.rearm_below_kg = Some(read("rearm_below_kg", value, WEIGHT)?),
            "leave_ms" => self.leave_ms = Some(read("leave_ms", value, MILLISECONDS)?),
            "dwell_ms" => self.dwell_ms = Some(read("dwell_ms", value, MILLISECONDS)?),
            "tolerance_kg" => self.tolerance_kg = Some(read("tolerance_kg", value, WEIGHT)?),
            "require_stable_flag" => {
                self.require_stable_flag = Some(read("require_stable_flag", value, "true or false")?);
            }
            "gap_same_ms" => self.gap_same_ms = Some(read("gap_same_ms", value, MILLISECONDS)?),
            "max_weight_kg" => self.max_weight_kg = Some(read("max_weight_kg", value, WEIGHT)?),
            "zero_band_kg" => self.zero_band_kg = Some(read("zero_band_kg", value, WEIGHT)?),
            "zero_drift_after_ms" => self.zero_drift_after_ms = Some(read("zero_drift_after_ms", value, MILLISECONDS)?),
            "never_zero_after_ms" => self.never_zero_after_ms = Some(read("never_zero_after_ms", value, MILLISECONDS)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a wish back; answers what it was, where there was one.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        fn text(wish: &mut Option<impl ToString>) -> Option<String> {
            wish.take().map(|wish| wish.to_string())
        }
        match key {
            "min_weight_kg" => text(&mut self.min_weight_kg),
            "rearm_below_kg" => text(&mut self.rearm_below_kg),
            "leave_ms" => text(&mut self.leave_ms),
            "dwell_ms" => text(&mut self.dwell_ms),
            "tolerance_kg" => text(&mut self.tolerance_kg),
            "require_stable_flag" => text(&mut self.require_stable_flag),
            "gap_same_ms" => text(&mut self.gap_same_ms),
            "max_weight_kg" => text(&mut self.max_weight_kg),
            "zero_band_kg" => text(&mut self.zero_band_kg),
            "zero_drift_after_ms" => text(&mut self.zero_drift_after_ms),
            "never_zero_after_ms" => text(&mut self.never_zero_after_ms),
            _ => None,
        }
    }
}

const WEIGHT: &str = "kilograms with at most two decimals";
const MILLISECONDS: &str = "whole milliseconds";

/// A setting that one cannot weigh with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}, expected {expected}")]
pub struct SettingsError {
    pub key: &'static str,
    pub value: String,
    pub expected: String,
    /// The setting that it must go with.
    pub against: Option<&'static str>,
}

impl SettingsError {
    fn new(key: &'static str, value: &impl ToString, expected: impl Into<String>) -> Self {
        Self {
            key,
            value: value.to_string(),
            expected: expected.into(),
            against: None,
        }
    }

    fn against(mut self, key: &'static str, value: Kilograms) -> Self {
        self.against = Some(key);
        self.expected = format!("{}{key} ({value})", self.expected);
        self
    }
}

fn in_range(key: &'static str, value: u32, least: u32, most: u32) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SettingsError::new(key, &value, format!("{least} to {most}")))
}

fn read<T: FromStr>(key: &'static str, value: &str, expected: &str) -> Result<T, SettingsError> {
    value.parse().map_err(|_| SettingsError::new(key, &value, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[(&str, &str)], expected: Result<(), &str>) {
        let mut wishes = CaptureOverrides::default();
        let outcome = set
            .iter()
            .try_for_each(|(key, value)| wishes.set(key, value).map(|known| assert!(known, "{key}")))
            .and_then(|()| CaptureSettings::default().overridden_by(&wishes).checked().map(|_| ()));
        assert_eq!(
            outcome.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn settings_that_one_can_weigh_with_are_taken() {
        check(&[], Ok(()));
        check(
            &[("dwell_ms", "100"), ("tolerance_kg", "0"), ("gap_same_ms", "0")],
            Ok(()),
        );
        check(&[("min_weight_kg", "250.5"), ("rearm_below_kg", "100")], Ok(()));
        check(&[("require_stable_flag", "false"), ("max_weight_kg", "60000")], Ok(()));
    }

    #[test]
    fn settings_that_one_cannot_weigh_with_say_what_is_expected() {
        check(
            &[("min_weight_kg", "300")],
            Err("rearm_below_kg is 300.00, expected more than 0 and less than min_weight_kg (300.00)"),
        );
        check(&[("dwell_ms", "0")], Err("dwell_ms is 0, expected 1 to 60000"));
        check(&[("dwell_ms", "60001")], Err("dwell_ms is 60001, expected 1 to 60000"));
        check(
            &[("dwell_ms", "2s")],
            Err("dwell_ms is 2s, expected whole milliseconds"),
        );
        check(
            &[("tolerance_kg", "-1")],
            Err("tolerance_kg is -1.00, expected 0 to less than min_weight_kg (500.00)"),
        );
        check(
            &[("max_weight_kg", "500")],
            Err("max_weight_kg is 500.00, expected more than min_weight_kg (500.00)"),
        );
        check(
            &[("zero_band_kg", "300")],
            Err("zero_band_kg is 300.00, expected 0 to less than rearm_below_kg (300.00)"),
        );
        check(
            &[("require_stable_flag", "yes")],
            Err("require_stable_flag is yes, expected true or false"),
        );
    }

    #[test]
    fn a_key_of_something_else_is_left_to_others() {
        assert_eq!(CaptureOverrides::default().set("terminator", "CR"), Ok(false));
    }
}
