//! The serial formats that a simulated indicator speaks: from what is shown to the bytes of one frame.
//!
//! These are written from the makers' tables on their own, not from the edge's declarations, so that each checks the
//! other.

mod and;
mod cas;
mod rice_lake;
mod sewha;
mod text;
mod toledo;
mod yaohua;

use std::{fmt, str::FromStr};

use crate::{SimError, indicator::Shown};

/// A format by the id that the edge knows it by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    #[default]
    Cas22,
    Cas10,
    And18,
    MtContinuous,
    RlwsStream,
    YaohuaTf0,
    SewhaRcwt,
}

/// One frame, and which of its bytes are a checksum, for whoever wants to spoil it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub bytes: Vec<u8>,
    /// Where the checksum begins; empty-handed where the format has none.
    pub checksum_at: Option<usize>,
}

impl Format {
    pub const ALL: [Self; 7] = [
        Self::Cas22,
        Self::Cas10,
        Self::And18,
        Self::MtContinuous,
        Self::RlwsStream,
        Self::YaohuaTf0,
        Self::SewhaRcwt,
    ];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Cas22 => "cas22",
            Self::Cas10 => "cas10",
            Self::And18 => "and18",
            Self::MtContinuous => "mt_continuous",
            Self::RlwsStream => "rlws_stream",
            Self::YaohuaTf0 => "yaohua_tf0",
            Self::SewhaRcwt => "sewha_rcwt",
        }
    }

    /// Who makes indicators that speak it.
    pub const fn maker(self) -> &'static str {
        match self {
            Self::Cas22 | Self::Cas10 => "CAS",
            Self::And18 => "A&D",
            Self::MtContinuous => "Mettler Toledo",
            Self::RlwsStream => "Rice Lake",
            Self::YaohuaTf0 => "Yaohua",
            Self::SewhaRcwt => "Sewhacnm",
        }
    }

    /// The bytes that ask for a frame; none where the indicator sends by itself.
    pub const fn request(self) -> Option<&'static [u8]> {
        match self {
            Self::SewhaRcwt => Some(sewha::REQUEST),
            _ => None,
        }
    }

    /// The frame that says what is shown.
    pub fn frame(self, shown: &Shown) -> Frame {
        match self {
            Self::Cas22 => cas::cas22(shown),
            Self::Cas10 => cas::cas10(shown),
            Self::And18 => and::and18(shown),
            Self::MtContinuous => toledo::continuous(shown),
            Self::RlwsStream => rice_lake::stream(shown),
            Self::YaohuaTf0 => yaohua::tf0(shown),
            Self::SewhaRcwt => sewha::rcwt(shown),
        }
    }
}

impl Frame {
    const fn plain(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            checksum_at: None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Format {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        Self::ALL.into_iter().find(|format| format.id() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::id).join(", ");
            SimError::Usage(format!(
                "the simulator does not speak {text:?}, expected one of {known}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_protocol::Kilograms;

    use super::*;

    #[track_caller]
    fn check(format: Format, kilograms: i32, stable: bool, expected: &str) {
        let shown = Shown {
            weight: Kilograms::from_whole(kilograms),
            stable,
            overload: false,
            zero: kilograms == 0,
            decimals: 0,
        };
        let bytes = format.frame(&shown).bytes;
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(hex.join(" "), expected, "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn the_frames_are_those_of_the_makers_tables() {
        check(
            Format::Cas22,
            18_340,
            true,
            "53 54 2C 47 53 2C 31 E4 2C 30 30 30 31 38 33 34 30 20 6B 67 0D 0A",
        );
        check(Format::Cas10, 18_340, true, "30 30 30 31 38 33 34 30 0D 0A");
        check(
            Format::And18,
            18_340,
            true,
            "53 54 2C 47 53 2C 2B 30 30 31 38 33 34 30 6B 67 0D 0A",
        );
        check(
            Format::MtContinuous,
            18_340,
            true,
            "02 2A 30 20 30 31 38 33 34 30 30 30 30 30 30 30 0D 27",
        );
        check(
            Format::RlwsStream,
            18_340,
            true,
            "02 20 20 20 31 38 33 34 30 4B 47 20 0D 0A",
        );
        check(Format::YaohuaTf0, 18_340, true, "02 2B 30 31 38 33 34 30 30 31 35 03");
        check(
            Format::SewhaRcwt,
            18_340,
            true,
            "02 30 31 52 43 57 54 53 47 50 30 2B 30 30 31 38 33 34 30 6B 67 03 31 44",
        );
    }

    #[test]
    fn motion_and_minus_are_said_where_the_format_can() {
        check(
            Format::Cas22,
            -20,
            false,
            "55 53 2C 47 53 2C 31 A4 2C 2D 30 30 30 30 30 32 30 20 6B 67 0D 0A",
        );
        check(
            Format::And18,
            -20,
            false,
            "55 53 2C 47 53 2C 2D 30 30 30 30 30 32 30 6B 67 0D 0A",
        );
        check(
            Format::RlwsStream,
            -20,
            false,
            "02 2D 20 20 20 20 20 32 30 4B 47 4D 0D 0A",
        );
    }

    #[test]
    fn an_unknown_format_is_refused_with_the_known_ones() {
        let refusal = "cas23".parse::<Format>().unwrap_err().to_string();
        assert!(refusal.contains("\"cas23\"") && refusal.contains("cas22"), "{refusal}");
    }
}
