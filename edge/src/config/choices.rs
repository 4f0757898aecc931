//! What a site chooses for one indicator, as `--set KEY=VALUE` and `[station.options]` write it.

use weighbridge_protocol::{
    indicators::{Decoder, OptionError, Options, Protocol},
    scale::{CaptureOverrides, CaptureSettings},
};

use super::nearest;

/// The keys about capturing, for whoever mistypes one.
const CAPTURE_KEYS: [&str; 10] = [
    "min_weight_kg",
    "rearm_below_kg",
    "dwell_ms",
    "tolerance_kg",
    "require_stable_flag",
    "gap_same_ms",
    "max_weight_kg",
    "zero_band_kg",
    "zero_drift_after_ms",
    "never_zero_after_ms",
];

/// Choices about decoding and about capturing, which share one namespace.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    pub options: Options,
    capture: CaptureOverrides,
}

impl Choices {
    /// Sets one key from its text.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        if self.capture.set(key, value).map_err(|error| error.to_string())? {
            return Ok(());
        }
        self.options.set(key, value).map_err(|error| match error {
            OptionError::Unknown(key) => {
                let known = [CAPTURE_KEYS.as_slice(), &Options::KEYS].concat();
                format!("unknown key {key:?}, expected {}", nearest(&key, &known))
            }
            other => other.to_string(),
        })
    }

    /// Reads `KEY=VALUE`, as `--set` writes it.
    ///
    /// # Errors
    /// As [`Choices::set`].
    pub fn parse(settings: &[String]) -> Result<Self, String> {
        let mut choices = Self::default();
        for setting in settings {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("{setting:?} is no setting, expected KEY=VALUE"))?;
            choices.set(key.trim(), value.trim())?;
        }
        Ok(choices)
    }

    /// Settings that one can weigh with.
    ///
    /// # Errors
    /// Which value cannot be.
    pub fn capture_settings(&self) -> Result<CaptureSettings, String> {
        let settings = CaptureSettings::default().overridden_by(&self.capture);
        settings.checked().map_err(|error| error.to_string())
    }

    /// A decoder of `protocol` with these choices.
    ///
    /// # Errors
    /// Which option the protocol does not have.
    pub fn decoder(&self, protocol: &Protocol) -> Result<Decoder, String> {
        Decoder::new(protocol, &self.options).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_about_capturing_is_known_to_the_capture_logic() {
        for key in CAPTURE_KEYS {
            let value = if key == "require_stable_flag" { "true" } else { "400" };
            assert_eq!(CaptureOverrides::default().set(key, value), Ok(true), "{key}");
        }
    }

    #[test]
    fn both_kinds_of_keys_are_taken_and_others_are_refused() {
        let given = ["terminator=CR", "dwell_ms = 100"].map(str::to_owned);
        let choices = Choices::parse(&given).unwrap();
        assert_eq!(choices.capture_settings().unwrap().dwell_ms, 100);
        let refused = |setting: &str| Choices::parse(&[setting.to_owned()]).unwrap_err();
        assert_eq!(
            refused("dwel_ms=1"),
            "unknown key \"dwel_ms\", expected \"dwell_ms\", which is nearest"
        );
        assert_eq!(refused("dwell_ms"), "\"dwell_ms\" is no setting, expected KEY=VALUE");
    }
}
