//! Rice Lake's stream.

use super::{
    Frame,
    text::{magnitude, sign},
};
use crate::indicator::Shown;

/// `STX` polarity, seven characters, `K`, `G`, status, CR LF.
pub fn stream(shown: &Shown) -> Frame {
    let status = match (shown.overload, shown.stable) {
        (true, _) => 'O',
        (false, true) => ' ',
        (false, false) => 'M',
    };
    let frame = format!("\x02{}{}KG{status}\r\n", sign(shown, ' '), magnitude(shown, 7, ' '));
    Frame::plain(frame.into_bytes())
}
