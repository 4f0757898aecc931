//! What the capture logic tells.

use crate::{
    CycleId, Kilograms,
    link::{
        EventId,
        event::{Capture, CurvePoint, EventKind},
    },
};

/// What a reading led to. All but `Recovered` are rows of the buffer (see [`ScaleEvent::kind`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScaleEvent {
    /// A vehicle is on the deck, and with it a cycle begins. No weight where it drove on into an overload.
    VehicleOn { cycle: CycleId, weight: Option<Kilograms> },
    /// A weight to be captured. It counts when the caller has committed it; until then it comes anew with each dwell.
    Settled(Settled),
    /// A captured vehicle stands now at another weight.
    Moved { cycle: CycleId, weight: Kilograms },
    /// The cycle has ended: the deck was seen empty, or (`inferred`) must have been, or staff said that it is over.
    VehicleOff {
        cycle: CycleId,
        captured: bool,
        inferred: bool,
        /// What the deck showed then.
        weight: Option<Kilograms>,
    },
    /// More than the scale bears, once a cycle. A weight where the indicator still gives one.
    Overload { cycle: CycleId, weight: Option<Kilograms> },
    /// The empty deck stands beyond the zero band.
    ZeroDrift { weight: Kilograms },
    /// Long after its capture a cycle has not come back to zero: debris, or a vehicle that does not leave.
    NeverZero { cycle: CycleId, weight: Kilograms },
    /// After an outage the captured vehicle is recognised: the board says so again, and nothing is committed.
    Recovered {
        cycle: CycleId,
        event: EventId,
        weight: Kilograms,
    },
}

/// A weight that stood still for the whole of the settling window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub cycle: CycleId,
    /// The median of the window.
    pub weight: Kilograms,
    /// Taken where the truck may not be the one that the server thinks of; it never completes a record by itself.
    pub gap: bool,
    /// When the vehicle drove on or was first seen, on the clock of the readings.
    pub on_mono_ms: i64,
    /// The frame that settled it.
    pub raw: Vec<u8>,
    /// The weights since vehicle-on, at most 600.
    pub curve: Vec<CurvePoint>,
}

impl ScaleEvent {
    /// The cycle that this belongs to; none where nothing stood on the deck.
    pub const fn cycle(&self) -> Option<CycleId> {
        match self {
            Self::Settled(settled) => Some(settled.cycle),
            Self::VehicleOn { cycle, .. }
            | Self::Moved { cycle, .. }
            | Self::VehicleOff { cycle, .. }
            | Self::Overload { cycle, .. }
            | Self::NeverZero { cycle, .. }
            | Self::Recovered { cycle, .. } => Some(*cycle),
            Self::ZeroDrift { .. } => None,
        }
    }

    /// What the buffer keeps of it; none for `Recovered`, whose row is there already.
    pub fn kind(&self) -> Option<EventKind> {
        Some(match self {
            Self::VehicleOn { .. } => EventKind::VehicleOn {},
            Self::Settled(settled) => EventKind::Capture(Capture {
                weight: settled.weight,
                gap: settled.gap,
                on_mono_ms: settled.on_mono_ms,
                raw: hex(&settled.raw),
                curve: settled.curve.clone(),
                curve_steps: Vec::new(),
            }),
            Self::Moved { weight, .. } => EventKind::Moved { weight: *weight },
            Self::VehicleOff { captured, inferred, .. } => EventKind::VehicleOff {
                captured: *captured,
                inferred: *inferred,
            },
            Self::Overload { .. } => EventKind::Overload {},
            Self::ZeroDrift { weight } => EventKind::ZeroDrift { weight: *weight },
            Self::NeverZero { weight, .. } => EventKind::NeverZero { weight: *weight },
            Self::Recovered { .. } => return None,
        })
    }

    /// The line that `weighbridge-edge capture` prints, without a line end:
    /// `{"t_ms":1200,"event":"settled","kg":"18340.00"}`.
    pub fn line(&self, t_ms: i64) -> String {
        let (event, kg) = match self {
            Self::VehicleOn { weight, .. } => ("vehicle_on", *weight),
            Self::Settled(settled) => ("settled", Some(settled.weight)),
            Self::Moved { weight, .. } => ("moved", Some(*weight)),
            Self::VehicleOff { weight, .. } => ("vehicle_off", *weight),
            Self::Overload { weight, .. } => ("overload", *weight),
            Self::ZeroDrift { weight } => ("zero_drift", Some(*weight)),
            Self::NeverZero { weight, .. } => ("never_zero", Some(*weight)),
            Self::Recovered { weight, .. } => ("recovered", Some(*weight)),
        };
        let weight = kg.map(|kg| format!(",\"kg\":\"{kg}\"")).unwrap_or_default();
        format!("{{\"t_ms\":{t_ms},\"event\":\"{event}\"{weight}}}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(u32::from(half), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_weight_where_there_is_one() {
        let cycle = CycleId::from_bits(1);
        let off = ScaleEvent::VehicleOff {
            cycle,
            captured: true,
            inferred: false,
            weight: Some(Kilograms::ZERO),
        };
        assert_eq!(off.line(5200), r#"{"t_ms":5200,"event":"vehicle_off","kg":"0.00"}"#);
        let overload = ScaleEvent::Overload { cycle, weight: None };
        assert_eq!(overload.line(-1), r#"{"t_ms":-1,"event":"overload"}"#);
    }

    #[test]
    fn a_settled_weight_becomes_a_capture_with_its_frame_in_hex() {
        let settled = ScaleEvent::Settled(Settled {
            cycle: CycleId::from_bits(1),
            weight: Kilograms::from_whole(18_340),
            gap: true,
            on_mono_ms: 7,
            raw: vec![0x02, 0xaf],
            curve: vec![CurvePoint(0, Kilograms::from_whole(600))],
        });
        let Some(EventKind::Capture(capture)) = settled.kind() else {
            panic!("{settled:?} is a capture");
        };
        assert_eq!(
            (capture.raw.as_str(), capture.gap, capture.on_mono_ms),
            ("02af", true, 7)
        );
    }
}
