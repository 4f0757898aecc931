//! The lines that `decode` prints: one JSON object a frame, and one a rejected stretch.

use std::fmt;

use crate::reading::{Mode, Reading, Unit};

use super::decoder::Garbled;

impl Reading {
    /// One JSON object without a line break. Weights are strings that keep the indicator's decimals; `raw` is lower-case
    /// hex.
    pub fn to_json_line(&self) -> String {
        ReadingLine(self).to_string()
    }
}

impl Garbled {
    /// One JSON object without a line break.
    pub fn to_json_line(&self) -> String {
        format!("{{\"error\":\"{}\",\"raw\":\"{}\"}}", self.why.as_str(), hex(&self.raw))
    }
}

struct ReadingLine<'a>(&'a Reading);

/// A text in quotes, or `null`. Only digits, signs, points and letters come here: nothing needs escaping.
struct Quoted<T>(Option<T>);

impl fmt::Display for ReadingLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading {
            weight,
            unit,
            decimals,
            kg,
            mode,
            stable,
            overload,
            underload,
            zero,
            tare,
            device,
            raw,
        } = self.0;
        let unit = match unit {
            Unit::Kilogram => "kg",
            Unit::Tonne => "t",
            Unit::Gram => "g",
            Unit::Pound => "lb",
        };
        let mode = match mode {
            Mode::Gross => "gross",
            Mode::Net => "net",
            Mode::Tare => "tare",
            Mode::Unknown => "unknown",
        };
        let (weight, kg, tare, device) = (
            Quoted(weight.as_ref()),
            Quoted(*kg),
            Quoted(tare.as_ref()),
            Quoted(device.as_ref()),
        );
        let (stable, zero, raw) = (yes_or_null(*stable), yes_or_null(*zero), hex(raw));
        write!(
            f,
            "{{\"weight\":{weight},\"unit\":\"{unit}\",\"decimals\":{decimals},\"kg\":{kg},\"mode\":\"{mode}\""
        )?;
        write!(
            f,
            ",\"stable\":{stable},\"overload\":{overload},\"underload\":{underload},\"zero\":{zero}"
        )?;
        write!(f, ",\"tare\":{tare},\"device\":{device},\"raw\":\"{raw}\"}}")
    }
}

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("null"),
            Some(value) => write!(f, "\"{value}\""),
        }
    }
}

const fn yes_or_null(value: Option<bool>) -> &'static str {
    match value {
        None => "null",
        Some(true) => "true",
        Some(false) => "false",
    }
}

/// Lower-case hex digits without blanks.
pub fn hex(raw: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = raw.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}
