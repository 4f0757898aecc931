//! Whether a vehicle stands on a station's deck: remembered apart from whether its indicator is heard.

use chrono::{DateTime, Utc};
use weighbridge_protocol::{
    CycleId,
    link::{EventBody, EventKind},
};

use super::ledger::{CallStatus, Ledger, Station, StationStatus};

/// A vehicle of which no cycle is known.
const NAMELESS: CycleId = CycleId::from_bits(0);

impl Station {
    /// Whether a vehicle may be called to its deck, and calls to it may end as if none had come.
    pub const fn is_empty(&self) -> bool {
        self.deck.is_none()
    }
}

/// What a stored event tells of its station's deck, and of its status.
///
/// An indicator that falls silent or is heard again tells nothing of the deck. What only a vehicle on the deck brings about
/// tells of it, for the row of its driving on may be lost. An end is believed of the vehicle that is remembered alone: rows
/// that were lost and found come late, and another vehicle may stand there by then; of those [`has_left`] alone counts. What
/// is remembered wrongly for that ends by [`seen_empty`].
pub fn follow(ledger: &mut Ledger, body: &EventBody) {
    let Some(station) = ledger.stations.get(&body.station_id) else {
        return;
    };
    let known = station.deck;
    let deck = match &body.kind {
        EventKind::ZeroDrift { .. } => return,
        EventKind::IndicatorUp {} | EventKind::IndicatorDown { .. } => known,
        EventKind::VehicleOff { .. } => known.filter(|known| is_anothers(*known, body.cycle)),
        EventKind::VehicleOn {}
        | EventKind::Capture(_)
        | EventKind::Moved { .. }
        | EventKind::Overload {}
        | EventKind::NeverZero { .. } => Some(body.cycle.unwrap_or(NAMELESS)),
    };
    let status = match (&body.kind, deck) {
        (EventKind::IndicatorDown { .. }, _) => StationStatus::Error,
        (_, Some(_)) => StationStatus::Weighing,
        (_, None) => StationStatus::Idle,
    };
    ledger.set_deck(body.station_id, deck, status);
}

fn is_anothers(known: CycleId, ended: Option<CycleId>) -> bool {
    known != NAMELESS && ended.is_some_and(|ended| ended != known)
}

/// The end of a stay that comes late. It is believed of the vehicle that is remembered on the deck alone, and completes the
/// call that has its weight alone.
pub fn has_left(ledger: &mut Ledger, station_id: i64, cycle: CycleId, at: DateTime<Utc>) {
    let Some(station) = ledger.stations.get(&station_id) else {
        return;
    };
    if station.deck != Some(cycle) {
        return;
    }
    let status = match station.status {
        StationStatus::Weighing => StationStatus::Idle,
        other => other,
    };
    ledger.set_deck(station_id, None, status);
    let weighed = ledger.captures.get(&cycle).map(|capture| capture.id);
    complete(ledger, station_id, at, |capture_id| Some(capture_id) == weighed);
}

/// Nothing stands on the deck, whatever the events told that have come: their end may be lost with an edge's file. A call
/// that has its weight is complete; one that waits goes on, for its truck is yet to come, or its deadline is.
pub fn seen_empty(ledger: &mut Ledger, station_id: i64, at: DateTime<Utc>) {
    ledger.set_deck(station_id, None, StationStatus::Idle);
    complete(ledger, station_id, at, |_| true);
}

/// Completes the station's call if it has taken such a capture.
fn complete(ledger: &mut Ledger, station_id: i64, at: DateTime<Utc>, is_its: impl Fn(i64) -> bool) {
    if let Some((_, call)) = ledger.open_call(station_id)
        && call.capture_id.is_some_and(is_its)
    {
        let call = call.change();
        call.status = CallStatus::Completed;
        call.completed_at = Some(at.max(call.called_at));
    }
}
