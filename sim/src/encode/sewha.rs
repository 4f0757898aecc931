//! Sewhacnm's SI series, which answers when asked.

use super::{
    Frame,
    text::{digits, hex, sign},
};
use crate::indicator::Shown;

/// `STX 01 RCWT ETX`; a checksum may follow.
pub const REQUEST: &[u8] = b"\x0201RCWT\x03";

/// `STX 01 RCWT`, status, `G`, `P`, decimals, sign, seven digits, `kg ETX`, and the sum of all of it.
pub fn rcwt(shown: &Shown) -> Frame {
    let status = match (shown.overload, shown.stable) {
        (true, _) => 'O',
        (false, true) => 'S',
        (false, false) => 'U',
    };
    let text = format!(
        "\x0201RCWT{status}GP{}{}{}kg\x03",
        shown.decimals,
        sign(shown, '+'),
        digits(shown, 7, '0')
    );
    let mut bytes = text.into_bytes();
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let checksum_at = Some(bytes.len());
    bytes.extend(hex(sum));
    Frame { bytes, checksum_at }
}
