//! Mettler Toledo's standard continuous output: status in three bytes, digits without a point.

use super::{Frame, text::digits};
use crate::indicator::Shown;

const STX: u8 = 0x02;

/// `STX A B C 018340 000000 CR CHK`, where CHK makes the low seven bits of the whole sum zero.
pub fn continuous(shown: &Shown) -> Frame {
    // Bits 0 to 2: where the point stands (2 for whole numbers). Bits 3 and 4: the increment, here ×1 as in the manual.
    let point = 0b0010_1010 + shown.decimals;
    let (negative, out_of_range, motion) = (shown.weight.is_negative(), shown.overload, !shown.stable);
    let status = 0b0011_0000 | u8::from(negative) << 1 | u8::from(out_of_range) << 2 | u8::from(motion) << 3;
    let mut bytes = vec![STX, point, status, b' '];
    bytes.extend(digits(shown, 6, '0').bytes());
    bytes.extend(b"000000\r");
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes.push(sum.wrapping_neg() & 0x7F);
    Frame {
        bytes,
        checksum_at: Some(17),
    }
}
