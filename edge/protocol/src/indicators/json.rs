//! The lines that `decode` prints: one JSON object a frame, and one a rejected stretch.

use crate::reading::{Mode, Reading};

use super::decoder::Garbled;

impl Reading {
    /// One JSON object without a line break. Weights are strings that keep the indicator's decimals; `raw` is lower-case
    /// hex.
    pub fn to_json_line(&self) -> String {
        let mut line = String::with_capacity(220 + self.raw.len() * 2);
        self.push_json_to(&mut line);
        line
    }

    /// Appends that object to `line`, so that whoever prints millions of them needs one buffer.
    pub fn push_json_to(&self, line: &mut String) {
        let kg = self.kg.map(|kg| kg.to_string());
        let mode = match self.mode {
            Mode::Gross => "gross",
            Mode::Net => "net",
            Mode::Tare => "tare",
            Mode::Unknown => "unknown",
        };
        push(line, "{\"weight\":", quoted(self.weight.as_deref()));
        push(line, ",\"unit\":", ["\"", self.unit.name(), "\""]);
        push(line, ",\"decimals\":", ["", &self.decimals.to_string(), ""]);
        push(line, ",\"kg\":", quoted(kg.as_deref()));
        push(line, ",\"mode\":", ["\"", mode, "\""]);
        push(line, ",\"stable\":", ["", yes_or_null(self.stable), ""]);
        push(line, ",\"overload\":", ["", yes_or_null(Some(self.overload)), ""]);
        push(line, ",\"underload\":", ["", yes_or_null(Some(self.underload)), ""]);
        push(line, ",\"zero\":", ["", yes_or_null(self.zero), ""]);
        push(line, ",\"tare\":", quoted(self.tare.as_deref()));
        push(line, ",\"device\":", quoted(self.device.as_deref()));
        push_raw(line, &self.raw);
    }
}

impl Garbled {
    /// One JSON object without a line break.
    pub fn to_json_line(&self) -> String {
        let mut line = String::with_capacity(40 + self.raw.len() * 2);
        self.push_json_to(&mut line);
        line
    }

    /// Appends that object to `line`.
    pub fn push_json_to(&self, line: &mut String) {
        push(line, "{\"error\":", ["\"", self.why.as_str(), "\""]);
        push_raw(line, &self.raw);
    }
}

/// Lower-case hex digits without blanks.
pub fn hex(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len() * 2);
    push_hex(&mut text, raw);
    text
}

/// A key and what stands behind it. Only digits, signs, points and letters come here: nothing needs escaping.
fn push(line: &mut String, key: &str, value: [&str; 3]) {
    line.push_str(key);
    line.extend(value);
}

fn quoted(value: Option<&str>) -> [&str; 3] {
    value.map_or(["", "null", ""], |value| ["\"", value, "\""])
}

const fn yes_or_null(value: Option<bool>) -> &'static str {
    match value {
        None => "null",
        Some(true) => "true",
        Some(false) => "false",
    }
}

fn push_raw(line: &mut String, raw: &[u8]) {
    line.push_str(",\"raw\":\"");
    push_hex(line, raw);
    line.push_str("\"}");
}

fn push_hex(line: &mut String, raw: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in raw {
        line.push(char::from(DIGITS[usize::from(byte >> 4)]));
        line.push(char::from(DIGITS[usize::from(byte & 0x0F)]));
    }
}
