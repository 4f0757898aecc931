//! CAS: the 22-byte and the 10-byte stream.

use super::{
    Frame,
    text::{magnitude, sign, steadiness},
};
use crate::indicator::Shown;

/// `ST,GS,1<lamps>,00018340 kg\r\n`; the lamps' byte has bit 7 set, so the line is no text.
pub fn cas22(shown: &Shown) -> Frame {
    const LIT: u8 = 0b1010_0100;
    let status = if shown.overload { "OL" } else { steadiness(shown) };
    let lamps = LIT | u8::from(shown.stable) << 6 | u8::from(shown.zero);
    let mut bytes = format!("{status},GS,1").into_bytes();
    bytes.push(lamps);
    bytes.push(b',');
    bytes.extend(signed(shown).bytes());
    bytes.extend(b" kg\r\n");
    Frame::plain(bytes)
}

/// Eight characters and CR LF; whether it is stable or overloaded it does not say.
pub fn cas10(shown: &Shown) -> Frame {
    Frame::plain(format!("{}\r\n", signed(shown)).into_bytes())
}

fn signed(shown: &Shown) -> String {
    format!("{}{}", sign(shown, '0'), magnitude(shown, 7, '0'))
}
