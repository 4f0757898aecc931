//! An event that has no identity yet, and how it gets one.

use super::{
    curve::CurveForm,
    event::{CurvePoint, Event, EventBody, EventKind, sha256_hex},
    limits::MOST_BODY_BYTES,
    messages::EdgeClock,
    row::EventId,
};
use crate::CycleId;

/// What is about to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub station_id: i64,
    pub cycle: Option<CycleId>,
    pub at: EdgeClock,
    pub kind: EventKind,
}

/// An event that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub id: EventId,
    pub cycle: Option<CycleId>,
    pub kind: EventKind,
}

impl Draft {
    /// Whether it begins or takes a weighing: that is refused while the disk is full.
    pub const fn begins(&self) -> bool {
        matches!(self.kind, EventKind::VehicleOn {} | EventKind::Capture(_))
    }

    /// The event under its identity, as it is stored and sent (a curve in this `form`), and as it is told.
    ///
    /// # Errors
    /// If the body cannot be written as JSON.
    pub fn born(&self, id: EventId, form: CurveForm) -> Result<(Event, Committed), serde_json::Error> {
        let body = EventBody {
            epoch: id.epoch,
            seq: id.seq,
            station_id: self.station_id,
            cycle: self.cycle,
            at: self.at.wall,
            mono_ms: self.at.mono_ms,
            boot: self.at.boot,
            kind: self.kind.clone(),
        };
        let event = as_event(&body, form)?;
        let committed = Committed {
            id,
            cycle: body.cycle,
            kind: body.kind,
        };
        Ok((event, committed))
    }
}

/// The text and hash of a body. A curve that would make it too long is thinned to every second point.
fn as_event(body: &EventBody, form: CurveForm) -> Result<Event, serde_json::Error> {
    let mut text = written(body.clone(), form)?;
    if text.len() > MOST_BODY_BYTES {
        let mut thinner = body.clone();
        while text.len() > MOST_BODY_BYTES
            && let EventKind::Capture(capture) = &mut thinner.kind
            && capture.curve.len() > 1
        {
            capture.curve = capture.curve.iter().step_by(2).copied().collect::<Vec<CurvePoint>>();
            text = written(thinner.clone(), form)?;
        }
    }
    Ok(Event {
        epoch: body.epoch,
        seq: body.seq,
        sha256: sha256_hex(&text),
        body: text,
        receipt: None,
    })
}

fn written(mut body: EventBody, form: CurveForm) -> Result<String, serde_json::Error> {
    if form == CurveForm::Steps {
        body.kind = body.kind.in_steps();
    }
    serde_json::to_string(&body)
}
