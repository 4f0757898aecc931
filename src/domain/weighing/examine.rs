//! Whether an event's text can be understood at all, before anything is decided by it.

use chrono::{DateTime, Utc};
use weighbridge_protocol::{
    Kilograms,
    link::{Event, EventBody, EventKind, curve::CurveError, limits::MOST_BODY_BYTES},
};

/// No truck scale weighs more.
pub const HEAVIEST: Kilograms = Kilograms::from_whole(200_000);

/// Why an event is wrong in itself: it is stored as REJECTED, with its text, for staff to see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the body is {0} bytes long, at most {MOST_BODY_BYTES} are taken")]
    TooLong(usize),
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    #[error("the body names event {0} of epoch {1}, another one than its envelope")]
    OtherIdentity(i64, String),
    #[error("a capture without a cycle")]
    NoCycle,
    #[error("{0} kg is no weight of a vehicle on this scale")]
    ImpossibleWeight(Kilograms),
    #[error("the raw frame is no hex text")]
    RawFrame,
    #[error("{0}")]
    Curve(#[from] CurveError),
    #[error("station {0} does not exist")]
    UnknownStation(i64),
    #[error("station {0} belongs to another edge")]
    ForeignStation(i64),
    #[error("cycle {cycle} was captured with {stored} kg before")]
    OtherWeight { cycle: String, stored: Kilograms },
}

/// Reads an event's body, and refuses what no edge of ours could have meant.
pub fn examine(event: &Event) -> Result<EventBody, Reason> {
    if event.body.len() > MOST_BODY_BYTES {
        return Err(Reason::TooLong(event.body.len()));
    }
    let body: EventBody = serde_json::from_str(&event.body).map_err(|error| Reason::Unreadable(error.to_string()))?;
    if (body.epoch, body.seq) != (event.epoch, event.seq) {
        return Err(Reason::OtherIdentity(body.seq, body.epoch.to_string()));
    }
    if let EventKind::Capture(capture) = &body.kind {
        if body.cycle.is_none() {
            return Err(Reason::NoCycle);
        }
        if capture.weight.is_negative() || capture.weight > HEAVIEST {
            return Err(Reason::ImpossibleWeight(capture.weight));
        }
        if !capture.raw.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Reason::RawFrame);
        }
        capture.steps()?;
    }
    Ok(body)
}

/// An event of a station that is known, as its transaction takes it.
#[derive(Clone, Debug)]
pub struct Examined {
    pub event: Event,
    pub body: Result<EventBody, Reason>,
    pub received_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use weighbridge_protocol::{
        Epoch,
        link::{event::sha256_hex, limits::MOST_CURVE_POINTS},
    };

    use super::*;

    const GOOD: &str = r#"{"epoch":"00000000000000000000000000000001","seq":7,"station_id":2,"cycle":"00000000000000000000000000000003","at":"2026-01-25T14:30:00+09:00","mono_ms":1000,"boot":"00000000-0000-0000-0000-000000000000","kind":"capture","payload":{"weight":"18340.00","on_mono_ms":10,"raw":"0d0a","curve":[]}}"#;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let event = Event {
            epoch: Epoch::from_bits(1),
            seq: 7,
            sha256: sha256_hex(body),
            body: body.into(),
            receipt: None,
        };
        let said = examine(&event).map_or_else(|reason| reason.to_string(), |body| body.kind.name().to_owned());
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn what_no_edge_could_have_meant_is_refused_with_its_reason() {
        check(GOOD, "capture");
        check("", "the body cannot be read: EOF");
        check(
            &GOOD.replace("capture", "teleport"),
            "the body cannot be read: unknown variant",
        );
        check(&GOOD.replace("\"seq\":7", "\"seq\":8"), "the body names event 8");
        check(&GOOD.replace("18340.00", "-20.00"), "-20.00 kg is no weight");
        check(&GOOD.replace("18340.00", "200000.01"), "200000.01 kg is no weight");
        check(&GOOD.replace("18340.00", "18340.001"), "the body cannot be read");
        check(
            &GOOD.replace("\"00000000000000000000000000000003\"", "null"),
            "a capture without a cycle",
        );
        check(&GOOD.replace("0d0a", "0d0z"), "the raw frame");
        let curve = |curve: &str| GOOD.replace("\"curve\":[]", curve);
        check(&curve(r#""curve_steps":[[0,60000],[100,-1]]"#), "capture");
        check(
            &curve(r#""curve_steps":[[0,60000],[-100,0]]"#),
            "CURVE_BACKWARDS: point 2",
        );
        check(
            &curve(r#""curve_steps":[[0,0],[0,9223372036854775807]]"#),
            "CURVE_OUT_OF_RANGE: point 2",
        );
        check(&curve(r#""curve":[[0,"1.00"]],"curve_steps":[[0,100]]"#), "CURVE_TWICE");
        check(
            &curve(r#""curve_steps":[[0,100.0]]"#),
            "the body cannot be read: invalid type: floating point",
        );
        let long = format!(r#""curve_steps":[{}[0,0]]"#, "[0,0],".repeat(MOST_CURVE_POINTS));
        check(&curve(&long), "CURVE_TOO_LONG: the curve has 601 points");
        check(&format!("{GOOD}{}", " ".repeat(MOST_BODY_BYTES)), "the body is");
    }
}
