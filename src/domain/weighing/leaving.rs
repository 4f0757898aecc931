//! How a call ends when its truck drives off.

use chrono::{DateTime, Utc};
use serde_json::json;
use weighbridge_protocol::CycleId;

use super::{
    belonging,
    ledger::{Audit, Call, CallStatus, Ledger},
};
use crate::domain::edge_time::Moments;

/// A truck that was called so often and left unweighed each time is not called once more by itself.
pub const MOST_CALLS: i32 = 3;

/// The deck is empty again after a stay that was captured, or was not.
///
/// With a capture that the call took, the entry is complete, also after a first pass. With one that it did not take, staff
/// must look. Without any, nothing was weighed: the truck goes back to the head of the line, or to staff after its third
/// call. A truck that left before the call began ends nothing, nor does one that was surely another: the called one is
/// still on its way, and if its call ended here, it would be weighed under the next one's, and so on. `stay` is the cycle
/// of what was captured.
pub fn vehicle_left(ledger: &mut Ledger, station_id: i64, stay: Option<CycleId>, captured: bool, moments: Moments) {
    let was_another = if captured {
        was_another(ledger, station_id, stay)
    } else {
        left_too_soon(ledger, station_id, moments.at)
    };
    if was_another && !moments.doubtful {
        let what = if captured { "weighed" } else { "saw" };
        let text = format!("station {station_id} {what} another truck than the called one, which is still awaited");
        ledger.alarm("OTHER_TRUCK", station_id, text);
        return;
    }
    let Some((entry_id, call)) = ledger.open_call(station_id) else {
        return;
    };
    let taken = call.capture_id.is_some();
    let in_this_call = moments.doubtful || call.called_at <= moments.at;
    if taken {
        let call = call.change();
        call.status = CallStatus::Completed;
        call.completed_at = Some(moments.at.max(call.called_at));
        return;
    }
    if !in_this_call {
        return;
    }
    let change = call.change();
    change.status = status_after(captured, change);
    let (vehicle_id, calls, record_id) = (change.vehicle_id, change.calls_made, change.record_id);
    drop_empty_record(ledger, entry_id, record_id);
    let (code, text) = if captured {
        (
            "CALL_REVIEW",
            format!("station {station_id} weighed a truck that call of entry {entry_id} did not take"),
        )
    } else {
        (
            "LEFT_UNWEIGHED",
            format!("vehicle {vehicle_id} left station {station_id} unweighed, after call {calls}"),
        )
    };
    ledger.alarm(code, station_id, text);
}

const fn status_after(captured: bool, call: &Call) -> CallStatus {
    if captured || call.calls_made >= MOST_CALLS {
        CallStatus::Review
    } else {
        CallStatus::BackInLine
    }
}

/// Whether a truck that left unweighed did so before the called one could come.
fn left_too_soon(ledger: &mut Ledger, station_id: i64, at: DateTime<Utc>) -> bool {
    let Some(station) = ledger.stations.get(&station_id).map(|station| (**station).clone()) else {
        return false;
    };
    let open = ledger
        .open_call(station_id)
        .filter(|(_, call)| call.capture_id.is_none());
    open.is_some_and(|(_, call)| call.called_at <= at && at < belonging::earliest(call, &station))
}

/// Whether what was captured in this stay is surely not the called truck's weight, and its call still waits for that.
fn was_another(ledger: &mut Ledger, station_id: i64, stay: Option<CycleId>) -> bool {
    let Some((_, call)) = ledger.open_call(station_id) else {
        return false;
    };
    let call = (**call).clone();
    let capture = stay.and_then(|cycle| ledger.captures.get(&cycle));
    let on_and_weight = capture.and_then(|capture| Some((capture.on_at?, capture.weight)));
    let vehicle = ledger.vehicles.get(&call.vehicle_id);
    match (on_and_weight, ledger.stations.get(&station_id), vehicle) {
        (Some(stay), Some(station), Some(vehicle)) if call.capture_id.is_none() => {
            belonging::is_anothers(&call, station, vehicle, stay)
        }
        _ => false,
    }
}

/// A record that holds no weight ends with its call; the entry and the audit log keep the story.
fn drop_empty_record(ledger: &mut Ledger, entry_id: i64, record_id: Option<i64>) {
    let Some(record_id) = record_id else { return };
    let empty = ledger
        .records
        .get(&record_id)
        .is_some_and(|record| record.status.is_open() && record.first.is_none());
    if !empty {
        return;
    }
    ledger.removed.insert(record_id);
    if let Some(call) = ledger.calls.get_mut(&entry_id) {
        call.change().record_id = None;
    }
    ledger.audits.push(removal(record_id, entry_id));
}

/// What the audit log says of a record that was removed because nothing was weighed under it.
pub fn removal(record_id: i64, entry_id: i64) -> Audit {
    Audit {
        action: "record.removed",
        subject: format!("weigh_record:{record_id}"),
        before: Some(json!({ "record_id": record_id, "entry_id": entry_id })),
        after: None,
    }
}

/// A truck drove on under this station's open call.
pub fn vehicle_came(ledger: &mut Ledger, station_id: i64, on: DateTime<Utc>, doubtful: bool) {
    let Some(station) = ledger.stations.get(&station_id).map(|station| (**station).clone()) else {
        return;
    };
    let Some((_, call)) = ledger.open_call(station_id) else {
        return;
    };
    let is_its_truck = on > station.trusted_since && !doubtful && on >= belonging::earliest(call, &station);
    let Some(record_id) = call.record_id.filter(|_| is_its_truck) else {
        return;
    };
    if let Some(record) = ledger.records.get_mut(&record_id)
        && record.status == super::ledger::RecordStatus::Pending
    {
        record.change().status = super::ledger::RecordStatus::Weighing;
    }
}
