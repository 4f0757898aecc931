//! What one frame of an indicator says, in the same words for every maker.

use crate::Kilograms;

/// One decoded frame. Overload, underload and every error leave `weight` and `kg` empty, also when digits were there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The number as the indicator shows it, without leading zeros, its decimals kept: `18340`, `-0.5`.
    pub weight: Option<String>,
    pub unit: Unit,
    pub decimals: u8,
    /// The same weight in kilograms, rounded half to even at 0.01.
    pub kg: Option<Kilograms>,
    pub mode: Mode,
    /// None where the protocol has no such flag: that is not "unstable".
    pub stable: Option<bool>,
    pub overload: bool,
    pub underload: bool,
    /// Whether the indicator says that it stands at zero.
    pub zero: Option<bool>,
    /// The tare that stands in the frame, in the indicator's unit.
    pub tare: Option<String>,
    /// The indicator's own number, where the frame has one.
    pub device: Option<String>,
    /// The frame's bytes.
    pub raw: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Unit {
    #[default]
    #[serde(rename = "kg")]
    Kilogram,
    #[serde(rename = "t")]
    Tonne,
    #[serde(rename = "g")]
    Gram,
    #[serde(rename = "lb")]
    Pound,
}

impl Unit {
    /// As indicators and displays write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kilogram => "kg",
            Self::Tonne => "t",
            Self::Gram => "g",
            Self::Pound => "lb",
        }
    }

    /// `digits` × 10^−`decimals` of this unit. `None` beyond the range of a weight.
    pub fn kilograms(self, digits: i64, decimals: u32) -> Option<Kilograms> {
        let (numerator, denominator) = match self {
            Self::Kilogram => (1, 1),
            Self::Tonne => (1000, 1),
            Self::Gram => (1, 1000),
            // Exactly 0.45359237 kg (international yard and pound agreement, 1959).
            Self::Pound => (45_359_237, 100_000_000),
        };
        Kilograms::scaled(digits, decimals, numerator, denominator)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Gross,
    Net,
    Tare,
    /// Neither frame nor protocol says.
    #[default]
    Unknown,
}
