//! What a site may set about capturing.

use serde::{Deserialize, Serialize};

use crate::Kilograms;

/// The capture logic's settings. Weights in kilograms, times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureSettings {
    /// A vehicle is on the deck from this weight on.
    pub min_weight_kg: Kilograms,
    /// The deck counts as empty below this weight; lower than `min_weight_kg`, so that noise cannot rearm.
    pub rearm_below_kg: Kilograms,
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
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self {
            min_weight_kg: Kilograms::from_whole(500),
            rearm_below_kg: Kilograms::from_whole(300),
            dwell_ms: 2000,
            tolerance_kg: Kilograms::from_whole(20),
            require_stable_flag: true,
            gap_same_ms: 30_000,
            max_weight_kg: None,
            zero_band_kg: None,
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
}

impl CaptureSettings {
    #[must_use]
    pub fn overridden_by(self, wishes: &CaptureOverrides) -> Self {
        Self {
            min_weight_kg: wishes.min_weight_kg.unwrap_or(self.min_weight_kg),
            rearm_below_kg: wishes.rearm_below_kg.unwrap_or(self.rearm_below_kg),
            dwell_ms: wishes.dwell_ms.unwrap_or(self.dwell_ms),
            tolerance_kg: wishes.tolerance_kg.unwrap_or(self.tolerance_kg),
            require_stable_flag: wishes.require_stable_flag.unwrap_or(self.require_stable_flag),
            gap_same_ms: wishes.gap_same_ms.unwrap_or(self.gap_same_ms),
            max_weight_kg: wishes.max_weight_kg.or(self.max_weight_kg),
            zero_band_kg: wishes.zero_band_kg.or(self.zero_band_kg),
        }
    }
}
