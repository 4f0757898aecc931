//! One event, folded into the ledger.

use serde_json::json;
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{
        EventBody, EventKind, Receipt,
        event::{Capture, IndicatorTrouble},
    },
};

use super::{
    belonging, deck,
    examine::Reason,
    leaving,
    ledger::{CaptureRow, Evidence, Ledger, Pass, Row},
    passes::{self, Taken},
    receipt::is_foreign,
    restored, review,
};
use crate::domain::{edge_time::Moments, slip::local_day};

/// An event that is new here, with what is known about it.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// The edge that brought it; none where it came by HTTP.
    pub edge_id: Option<i64>,
    pub body: &'a EventBody,
    pub receipt: Option<&'a Receipt>,
    pub moments: Moments,
    pub received_at: chrono::DateTime<chrono::Utc>,
    /// It was lost and has come after all: what its edge told after it is stored already.
    pub is_late: bool,
}

/// How a new event is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Stored,
    /// Its cycle is known already, under another identity: no second effect.
    Duplicate,
    Rejected(Reason),
}

/// Folds one new event into the ledger. Events of one station must come in the order of their seq, but for those that are
/// late: what such a one tells of the station is over, and only what was weighed counts of it.
pub fn apply(ledger: &mut Ledger, arrival: &Arrival<'_>) -> Fate {
    let body = arrival.body;
    let Some(station) = ledger.stations.get(&body.station_id) else {
        return Fate::Rejected(Reason::UnknownStation(body.station_id));
    };
    if station.edge_id != arrival.edge_id {
        return Fate::Rejected(Reason::ForeignStation(body.station_id));
    }
    if let EventKind::Capture(capture) = &body.kind {
        let fate = captured(ledger, arrival, capture);
        if fate != Fate::Stored {
            return fate;
        }
    }
    if arrival.is_late {
        late(ledger, arrival);
    } else {
        at_present(ledger, arrival);
        deck::follow(ledger, body);
    }
    Fate::Stored
}

/// What an event tells of its station as it is now.
fn at_present(ledger: &mut Ledger, arrival: &Arrival<'_>) {
    let body = arrival.body;
    let station_id = body.station_id;
    match &body.kind {
        EventKind::Capture(_) | EventKind::IndicatorUp {} => {}
        EventKind::VehicleOn {} => {
            leaving::vehicle_came(ledger, station_id, arrival.moments.at, arrival.moments.doubtful);
        }
        EventKind::VehicleOff { captured, .. } => {
            leaving::vehicle_left(
                ledger,
                station_id,
                body.cycle.filter(|_| *captured),
                *captured,
                arrival.moments,
            );
        }
        EventKind::Moved { weight } => {
            let text = format!("a captured vehicle on station {station_id} moved and weighs {weight} kg now");
            ledger.alarm("MOVED", station_id, text);
            moved(ledger, body.cycle);
        }
        EventKind::Overload {} => alarm(ledger, station_id, "OVERLOAD", "is overloaded"),
        EventKind::ZeroDrift { weight } => {
            ledger.alarm(
                "ZERO_DRIFT",
                station_id,
                format!("station {station_id} is empty and shows {weight} kg"),
            );
        }
        EventKind::NeverZero { weight } => {
            let text = format!("station {station_id} did not return to zero and shows {weight} kg");
            ledger.alarm("NEVER_ZERO", station_id, text);
        }
        EventKind::IndicatorDown {
            why: Some(IndicatorTrouble::Net),
        } => alarm(
            ledger,
            station_id,
            "INDICATOR_NET",
            "weighs nothing: its indicator shows net; press CLEAR (gross) on it",
        ),
        EventKind::IndicatorDown { .. } => {
            alarm(ledger, station_id, "INDICATOR_DOWN", "hears nothing from its indicator");
        }
    }
}

/// What an event that comes late still says: whether what was weighed must be looked at, and that who is remembered on the
/// deck has left it.
fn late(ledger: &mut Ledger, arrival: &Arrival<'_>) {
    let body = arrival.body;
    match (&body.kind, body.cycle) {
        (EventKind::Moved { .. }, cycle) => moved(ledger, cycle),
        (EventKind::VehicleOff { .. }, Some(cycle)) => {
            deck::has_left(ledger, body.station_id, cycle, arrival.moments.at);
        }
        _ => {}
    }
}

fn alarm(ledger: &mut Ledger, station_id: i64, code: &'static str, what: &str) {
    ledger.alarm(code, station_id, format!("station {station_id} {what}"));
}

fn captured(ledger: &mut Ledger, arrival: &Arrival<'_>, capture: &Capture) -> Fate {
    let Some(cycle) = arrival.body.cycle else {
        return Fate::Rejected(Reason::NoCycle);
    };
    if let Some(known) = ledger.captures.get(&cycle) {
        if known.weight == capture.weight {
            return Fate::Duplicate;
        }
        return Fate::Rejected(Reason::OtherWeight {
            cycle: cycle.to_string(),
            stored: known.weight,
        });
    }
    let station_id = arrival.body.station_id;
    let capacity = ledger.stations.get(&station_id).and_then(|station| station.capacity);
    if beyond(capacity, capture.weight) {
        return Fate::Rejected(Reason::ImpossibleWeight(capture.weight));
    }
    let Some(id) = ledger.fresh_capture_ids.pop() else {
        return Fate::Rejected(Reason::Unreadable("no id was drawn for this capture".to_owned()));
    };
    let row = CaptureRow {
        id,
        station_id,
        cycle,
        weight: capture.weight,
        on_at: (!arrival.moments.doubtful && !capture.gap).then_some(arrival.moments.on),
        record_id: None,
        evidence: Some(evidence(arrival, capture)),
    };
    ledger.captures.insert(cycle, Row::new(row));
    let pass = Pass {
        weight: capture.weight,
        at: arrival.moments.at,
        station_id,
        capture_id: Some(id),
    };
    match arrival.receipt.filter(|receipt| receipt.record_id.is_some()) {
        Some(receipt) if is_foreign(receipt, ledger.database) => {
            let (slip, plate) = (receipt.slip_number.as_deref(), receipt.vehicle_plate.as_deref());
            let text = format!(
                "the edge of station {station_id} was with another server before; what it weighed there (slip {}, vehicle {}) waits for staff",
                slip.unwrap_or("-"),
                plate.unwrap_or("-")
            );
            ledger.alarm("RECEIPT_OF_ANOTHER_SERVER", station_id, text);
            keep_receipt(ledger, cycle, receipt);
        }
        None => take_by_call(ledger, arrival, capture, cycle, pass),
        Some(receipt) if restored::from_receipt(ledger, receipt, cycle, pass) => {}
        // It was weighed under a call that is over: no other may take it.
        Some(receipt) => keep_receipt(ledger, cycle, receipt),
    }
    Fate::Stored
}

fn keep_receipt(ledger: &mut Ledger, cycle: CycleId, receipt: &Receipt) {
    let row = ledger.captures.get_mut(&cycle).map(Row::change);
    if let Some(evidence) = row.and_then(|row| row.evidence.as_mut()) {
        evidence.receipt = Some(receipt.clone());
    }
}

/// An indicator refuses to show more than its capacity and some divisions; 10 % leaves room for every maker.
pub fn beyond(capacity: Option<Kilograms>, weight: Kilograms) -> bool {
    capacity.is_some_and(|capacity| weight * 10 > capacity * 11)
}

fn evidence(arrival: &Arrival<'_>, capture: &Capture) -> Evidence {
    Evidence {
        epoch: arrival.body.epoch,
        seq: arrival.body.seq,
        gap: capture.gap,
        doubtful: arrival.moments.doubtful,
        raw: capture.raw.clone(),
        // What is no curve was refused before, so there are steps.
        curve: json!(capture.steps().unwrap_or_default()),
        receipt: None,
        on_at: arrival.moments.on,
        captured_at: arrival.moments.at,
        edge_at: arrival.body.at.to_utc(),
        received_at: arrival.received_at,
    }
}

/// The open call takes the capture if it explains it; otherwise it waits, unassigned, for staff.
fn take_by_call(ledger: &mut Ledger, arrival: &Arrival<'_>, capture: &Capture, cycle: CycleId, pass: Pass) {
    let Some(station) = ledger.stations.get(&pass.station_id).map(|station| (**station).clone()) else {
        return;
    };
    let min_net = ledger.min_net;
    let Some((_, call)) = ledger.open_call(pass.station_id) else {
        return;
    };
    if !belonging::explains(call, &station, capture.gap, arrival.moments) {
        return;
    }
    let Some(record_id) = call.record_id else { return };
    let (vehicle_id, call) = (call.vehicle_id, (**call).clone());
    let stay = (arrival.moments.on, pass.weight);
    if ledger
        .vehicles
        .get(&vehicle_id)
        .is_some_and(|vehicle| belonging::is_anothers(&call, &station, vehicle, stay))
    {
        return;
    }
    let (Some(record), Some(vehicle)) = (ledger.records.get_mut(&record_id), ledger.vehicles.get(&vehicle_id)) else {
        return;
    };
    // One that was complete before a restore waits for the weight that it lacks, and for no other.
    let lacks_its_own = record
        .first
        .and_then(|known| known.capture_id)
        .is_some_and(|capture| ledger.printed.contains_key(&capture));
    if !record.status.is_open() || lacks_its_own {
        return;
    }
    let day = ledger
        .sites
        .get(&station.site_id)
        .map_or_else(|| pass.at.date_naive(), |site| local_day(pass.at, site.zone));
    let record = record.change();
    if passes::take(record, vehicle, pass, day, min_net) == Taken::Completed {
        record.review = record.review.or_else(|| passes::said_otherwise(record, &call));
        ledger.completed.push(record_id);
    }
    if let Some(row) = ledger.captures.get_mut(&cycle) {
        row.change().record_id = Some(record_id);
    }
    if let Some((_, call)) = ledger.open_call(pass.station_id) {
        call.change().capture_id = pass.capture_id;
    }
}

/// The truck had not stood wholly on the deck when it was captured, perhaps: staff look at its record.
fn moved(ledger: &mut Ledger, cycle: Option<CycleId>) {
    let record_id = cycle
        .and_then(|cycle| ledger.captures.get(&cycle))
        .and_then(|capture| capture.record_id);
    if let Some(record) = record_id.and_then(|id| ledger.records.get_mut(&id)) {
        record.change().review = Some(review::MOVED);
    }
}
