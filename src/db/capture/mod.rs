//! Stable weights that wait for staff, or were decided on.
//!
//! - [`list`]: which there are
//! - [`assign`]: a capture becomes a vehicle's weighing, by hand
//! - [`curve`]: how a weight settled
//! - [`dismiss`]: a capture was nothing, for a reason
//! - [`rejected`]: events that were wrong in themselves, and what can still be made of them

pub mod assign;
pub mod curve;
pub mod dismiss;
pub mod list;
pub mod rejected;

use weighbridge_protocol::Epoch;

pub use assign::{Assign, Decision};
pub use curve::{CaptureCurve, CurvesOf};
pub use dismiss::Dismiss;
pub use list::{CaptureItem, CaptureNamed, CapturesIn, State};

/// How staff name a capture: a captured weight by its row, an event that was set aside by its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKey {
    Row(i64),
    Event(Epoch, i64),
}

impl CaptureKey {
    /// `17`, or `<epoch>-<seq>`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            text.parse()
                .ok()
                .filter(|number: &i64| *number > 0 && text.bytes().all(|b| b.is_ascii_digit()))
        };
        match text.split_once('-') {
            None => number(text).map(Self::Row),
            Some((epoch, seq)) => Some(Self::Event(epoch.parse().ok()?, number(seq)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_named_by_its_row_and_an_event_by_its_identity() {
        assert_eq!(CaptureKey::parse("17"), Some(CaptureKey::Row(17)));
        let event = CaptureKey::Event(Epoch::from_bits(0xab), 3);
        assert_eq!(CaptureKey::parse("000000000000000000000000000000ab-3"), Some(event));
        for wrong in [
            "",
            "0",
            "-1",
            "+1",
            "1e3",
            "ab-3",
            "000000000000000000000000000000ab-",
            "9223372036854775808",
        ] {
            assert_eq!(CaptureKey::parse(wrong), None, "{wrong}");
        }
    }
}
