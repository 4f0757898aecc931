//! A&D's standard 18 bytes, which many others copy.

use super::{
    Frame,
    text::{magnitude, sign, steadiness},
};
use crate::indicator::Shown;

/// `ST,GS,+0018340kg\r\n`; out of range the digits are blank.
pub fn and18(shown: &Shown) -> Frame {
    let frame = if shown.overload {
        "OL,GS,+       kg\r\n".to_owned()
    } else {
        format!(
            "{},GS,{}{}kg\r\n",
            steadiness(shown),
            sign(shown, '+'),
            magnitude(shown, 7, '0')
        )
    };
    Frame::plain(frame.into_bytes())
}
