//! An event of an edge: `(epoch, seq)` from birth and for ever, its body a JSON *text* whose hash covers everything.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    curve::{self, CurveError, Step},
    receipt::Receipt,
};
use crate::{CycleId, Epoch, Kilograms};

/// What an edge commits to its buffer, and what the server stores exactly once. Carried as text (see [`Event`]).
///
/// Weights in it are strings in kilograms. A body from a newer edge may carry more fields; they are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBody {
    pub epoch: Epoch,
    /// Counts from 1 within its epoch.
    pub seq: i64,
    pub station_id: i64,
    /// The stay on the deck that this belongs to; none where nothing stood there.
    pub cycle: Option<CycleId>,
    /// The edge's wall clock at the event; not trusted for order.
    pub at: DateTime<FixedOffset>,
    /// The edge's monotonic clock at the event, in milliseconds of `boot`.
    pub mono_ms: i64,
    /// The boot of the edge's machine to which `mono_ms` belongs.
    pub boot: Uuid,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened on a deck, with what is known of it. In JSON `{"kind": …, "payload": {…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum EventKind {
    Capture(Capture),
    VehicleOn {},
    /// The deck is empty again, or (`inferred`) must have been while nobody looked.
    VehicleOff {
        /// Whether this cycle was captured.
        captured: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        inferred: bool,
    },
    /// A captured truck moved again before leaving, and stands now at another weight.
    Moved {
        weight: Kilograms,
    },
    Overload {},
    ZeroDrift {
        weight: Kilograms,
    },
    /// The deck did not return to zero for long after a capture.
    NeverZero {
        weight: Kilograms,
    },
    IndicatorUp {},
    IndicatorDown {
        /// What is wrong with an indicator that is heard; none for one that is silent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<IndicatorTrouble>,
    },
}

/// Why an indicator that is heard does not say what lies on its deck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorTrouble {
    /// It shows net: what lies there less a tare.
    Net,
    /// A newer edge knows.
    #[serde(other)]
    Other,
}

impl EventKind {
    /// The word that stands in `kind`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capture(_) => "capture",
            Self::VehicleOn {} => "vehicle_on",
            Self::VehicleOff { .. } => "vehicle_off",
            Self::Moved { .. } => "moved",
            Self::Overload {} => "overload",
            Self::ZeroDrift { .. } => "zero_drift",
            Self::NeverZero { .. } => "never_zero",
            Self::IndicatorUp {} => "indicator_up",
            Self::IndicatorDown { .. } => "indicator_down",
        }
    }

    /// The same, the curve of a capture by differences.
    #[must_use]
    pub fn in_steps(self) -> Self {
        match self {
            Self::Capture(capture) => Self::Capture(capture.in_steps()),
            other => other,
        }
    }
}

/// A stable weight that was taken while a vehicle stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub weight: Kilograms,
    /// Taken after an outage in which the truck may have changed: kept and shown, and never completes a record by itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gap: bool,
    /// When the truck drove on, by the monotonic clock of the event's boot.
    pub on_mono_ms: i64,
    /// The frame that settled it, in lower-case hex.
    pub raw: String,
    /// The weights since the truck drove on, in full or, then empty, as `curve_steps`. It always stands there: a server that
    /// knows no steps takes the weight, and keeps the steps in the event's text.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
    /// The same by differences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve_steps: Vec<Step>,
}

impl Capture {
    /// The curve by differences, in whichever form it came.
    ///
    /// # Errors
    /// If it is no curve.
    pub fn steps(&self) -> Result<Vec<Step>, CurveError> {
        if !self.curve.is_empty() && !self.curve_steps.is_empty() {
            return Err(CurveError::Twice);
        }
        let steps = if self.curve_steps.is_empty() {
            curve::encode(&self.curve)
        } else {
            self.curve_steps.clone()
        };
        curve::decode(&steps).map(|_| steps)
    }

    /// The same capture, its curve by differences; in full where that would not read back as it is.
    #[must_use]
    pub fn in_steps(self) -> Self {
        let steps = curve::encode(&self.curve);
        if curve::decode(&steps).as_ref() != Ok(&self.curve) {
            return self;
        }
        Self {
            curve: Vec::new(),
            curve_steps: steps,
            ..self
        }
    }
}

/// `[milliseconds since vehicle-on, weight]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurvePoint(pub u32, pub Kilograms);

/// An event as it is stored and sent: the body's text and the lower-case hex SHA-256 of that text's UTF-8 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub epoch: Epoch,
    pub seq: i64,
    pub sha256: String,
    pub body: String,
    /// What the server once answered, sent back so that a slip that was printed keeps its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

impl Event {
    /// Whether the hash is that of the text: false for a message that was damaged on the way.
    pub fn is_intact(&self) -> bool {
        sha256_hex(&self.body) == self.sha256
    }
}

/// The lower-case hex SHA-256 of a text's UTF-8 bytes.
pub fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            hex
        })
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(kind: EventKind) -> EventBody {
        EventBody {
            epoch: Epoch::from_bits(1),
            seq: 7,
            station_id: 2,
            cycle: Some(CycleId::from_bits(3)),
            at: DateTime::parse_from_rfc3339("2026-01-25T14:30:00+09:00").unwrap(),
            mono_ms: 1000,
            boot: Uuid::nil(),
            kind,
        }
    }

    #[test]
    fn a_body_reads_back_from_its_text() {
        let kinds = [
            EventKind::Capture(Capture {
                weight: Kilograms::from_whole(18_340),
                gap: true,
                on_mono_ms: 10,
                raw: "0d0a".into(),
                curve: vec![CurvePoint(0, Kilograms::from_whole(600))],
                curve_steps: Vec::new(),
            }),
            EventKind::VehicleOn {},
            EventKind::VehicleOff {
                captured: true,
                inferred: false,
            },
            EventKind::Moved {
                weight: Kilograms::from_whole(1),
            },
            EventKind::IndicatorDown { why: None },
            EventKind::IndicatorDown {
                why: Some(IndicatorTrouble::Net),
            },
        ];
        for kind in kinds {
            let text = serde_json::to_string(&body(kind.clone())).unwrap();
            assert!(text.contains(&format!("\"kind\":\"{}\"", kind.name())), "{text}");
            assert_eq!(serde_json::from_str::<EventBody>(&text).unwrap(), body(kind));
        }
    }

    #[test]
    fn the_body_has_the_shape_that_the_link_promises() {
        let capture = Capture {
            weight: Kilograms::from_whole(18_340),
            gap: false,
            on_mono_ms: 10,
            raw: "0d0a".into(),
            curve: vec![CurvePoint(0, Kilograms::from_whole(600))],
            curve_steps: Vec::new(),
        };
        expect_test::expect![[r#"{"epoch":"00000000000000000000000000000001","seq":7,"station_id":2,"cycle":"00000000000000000000000000000003","at":"2026-01-25T14:30:00+09:00","mono_ms":1000,"boot":"00000000-0000-0000-0000-000000000000","kind":"capture","payload":{"weight":"18340.00","on_mono_ms":10,"raw":"0d0a","curve":[[0,"600.00"]]}}"#]]
            .assert_eq(&serde_json::to_string(&body(EventKind::Capture(capture.clone()))).unwrap());
        let by_steps = serde_json::to_string(&body(EventKind::Capture(capture.in_steps()))).unwrap();
        assert!(
            by_steps.ends_with(r#""raw":"0d0a","curve":[],"curve_steps":[[0,60000]]}}"#),
            "{by_steps}"
        );
    }

    #[test]
    fn a_curve_that_would_not_read_back_is_written_in_full_and_is_no_curve_for_the_server() {
        let capture = Capture {
            weight: Kilograms::from_whole(18_340),
            gap: false,
            on_mono_ms: 10,
            raw: String::new(),
            curve: vec![CurvePoint(100, Kilograms::ZERO), CurvePoint(0, Kilograms::ZERO)],
            curve_steps: Vec::new(),
        };
        assert_eq!(capture.clone().in_steps(), capture);
        assert_eq!(capture.steps(), Err(CurveError::Backwards(2)));
        let twice = Capture {
            curve_steps: vec![Step(0, 0)],
            ..capture
        };
        assert_eq!(twice.steps(), Err(CurveError::Twice));
    }

    #[test]
    fn one_flipped_bit_shows() {
        let event = Event {
            epoch: Epoch::from_bits(1),
            seq: 1,
            sha256: sha256_hex("abc"),
            body: "abc".into(),
            receipt: None,
        };
        assert_eq!(
            event.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(event.is_intact());
        assert!(
            !Event {
                body: "abb".into(),
                ..event
            }
            .is_intact()
        );
    }
}
