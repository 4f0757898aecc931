//! Numbers as indicators write them.

use crate::indicator::Shown;

/// The magnitude shown, its decimals kept and filled with `fill` on the left to `width`: `0018340`, ` 1834.0`.
pub fn magnitude(shown: &Shown, width: usize, fill: char) -> String {
    let hundredths = shown.weight.abs().hundredths();
    let number = match shown.decimals {
        0 => (hundredths / 100).to_string(),
        1 => format!("{}.{}", hundredths / 100, hundredths % 100 / 10),
        _ => format!("{}.{:02}", hundredths / 100, hundredths % 100),
    };
    filled(&number, width, fill)
}

/// The same digits without a point, for formats that say elsewhere where it stands.
pub fn digits(shown: &Shown, width: usize, fill: char) -> String {
    filled(&magnitude(shown, 0, fill).replace('.', ""), width, fill)
}

fn filled(number: &str, width: usize, fill: char) -> String {
    let missing = width.saturating_sub(number.len());
    fill.to_string().repeat(missing) + number
}

pub fn sign(shown: &Shown, plus: char) -> char {
    if shown.weight.is_negative() { '-' } else { plus }
}

/// Two upper-case hex digits.
pub fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0x0F].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'7' + nibble })
}

/// `ST` or `US`.
pub const fn steadiness(shown: &Shown) -> &'static str {
    if shown.stable { "ST" } else { "US" }
}
