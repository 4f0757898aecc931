//! Yaohua's XK3190 family and Keli: continuous mode tf0.

use super::{
    Frame,
    text::{digits, hex, sign},
};
use crate::indicator::Shown;

/// `STX`, sign, six digits, number of decimals, two characters of checksum, `ETX`. It has no word for motion, and shows
/// an overload by falling silent.
pub fn tf0(shown: &Shown) -> Frame {
    if shown.overload {
        return Frame::plain(Vec::new());
    }
    let text = format!("\x02{}{}{}", sign(shown, '+'), digits(shown, 6, '0'), shown.decimals);
    let mut bytes = text.into_bytes();
    let sum = bytes.iter().skip(1).fold(0_u8, |sum, byte| sum ^ byte);
    bytes.extend(hex(sum));
    bytes.push(0x03);
    Frame {
        bytes,
        checksum_at: Some(9),
    }
}
