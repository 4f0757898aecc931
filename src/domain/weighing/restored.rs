//! What a receipt brings back: a database was restored, and an edge sends again what it was once told.
//!
//! No hash covers a receipt. What one names may be damaged, so it is believed only as far as a true one can reach: edges
//! send again in order, and with each receipt the counters rise.

use chrono::NaiveDate;
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{Receipt, WhichPass},
};

use super::{
    ledger::{CallStatus, Ledger, Pass, Record, RecordStatus, Row, Vehicle},
    passes::{self, Taken},
    receipt::{has_weights, was_complete, weights_for},
    review,
};
use crate::domain::slip::{SlipNumber, local_day};

/// Why a record is looked at that was complete, and is not any more.
pub const INCOMPLETE: &str = review::RESTORED_INCOMPLETE;
/// How far beyond a day's counter a receipt's slip may be: more than a site weighs on one day.
const SLIP_REACH: i32 = 2_000;
/// How far beyond the last id of a record a receipt's may be: more than a backup can lack that anybody restores.
const RECORD_REACH: i64 = 100_000;

/// The last id that is given out for a record, where it was `last`, so that none of what these receipts name comes again.
pub fn last_record_id(last: i64, receipts: &[Receipt]) -> i64 {
    let named = receipts.iter().filter_map(|receipt| receipt.record_id);
    let near = named.filter(|id| *id <= last.saturating_add(RECORD_REACH));
    near.fold(last, i64::max)
}

/// Puts the capture on the record that its receipt names, whatever the calls say, and spends the vehicle's open call.
///
/// A slip that was printed keeps its number, unless that number or the record's id belongs to another by now: then the
/// next free one is taken, and alarmed. False where the truck that it names is not known: staff then decide, and see what
/// was printed.
pub fn from_receipt(ledger: &mut Ledger, receipt: &Receipt, cycle: CycleId, pass: Pass) -> bool {
    let Some(named) = receipt.record_id else { return false };
    let truck = vehicle_of(ledger, receipt).and_then(|id| Some((id, ledger.vehicles.get(&id)?.clone())));
    let Some((vehicle_id, vehicle)) = truck else {
        let (id, plate) = (receipt.vehicle_id, receipt.vehicle_plate.as_deref());
        let text = format!(
            "a receipt names vehicle {} ({}), which is not known here so",
            id.unwrap_or_default(),
            plate.unwrap_or("-")
        );
        ledger.alarm("RECEIPT_UNKNOWN_VEHICLE", pass.station_id, text);
        return false;
    };
    let Some(site_id) = ledger.stations.get(&pass.station_id).map(|station| station.site_id) else {
        return false;
    };
    let Some(record_id) = record_for(ledger, receipt, named, vehicle_id, site_id, pass) else {
        return false;
    };
    let zone = ledger.sites.get(&site_id).map_or(chrono_tz::UTC, |site| site.zone);
    let (on_day, min_net) = (local_day(pass.at, zone), ledger.min_net);
    let Some(record) = ledger.records.get_mut(&record_id) else {
        return false;
    };
    let kept = record.first.and_then(|known| ledger.printed.get(&known.capture_id?));
    let taken = take(record.change(), &vehicle, pass, (receipt, kept), on_day, min_net);
    let printed = Some(receipt).filter(|receipt| was_complete(receipt)).or(kept).cloned();
    let is_alone = |printed: &Receipt| printed.pass == Some(WhichPass::Only) && weights_for(printed, record).is_some();
    let is_complete = taken == Taken::Completed || printed.as_ref().is_some_and(is_alone);
    if is_complete {
        complete(ledger, record_id, &vehicle, printed.as_ref(), pass);
    } else if let Some(printed) = printed {
        wait_for_the_other(ledger, record_id, &printed, cycle, pass);
    }
    if let Some(row) = ledger.captures.get_mut(&cycle) {
        row.change().record_id = Some(record_id);
    }
    spend_call(ledger, vehicle_id, record_id, pass);
    true
}

/// What this weight makes of its record, as it did when the receipt was given; `kept` is that of the pass which is there.
///
/// - what was no complete weighing is none now, whatever tare is registered
/// - which pass came first, the receipts say; where they do not, their times
fn take(
    record: &mut Record,
    vehicle: &Vehicle,
    pass: Pass,
    (receipt, kept): (&Receipt, Option<&Receipt>),
    on_day: NaiveDate,
    min_net: Kilograms,
) -> Taken {
    use WhichPass::{First, Second};
    if let Some(known) = record.first {
        let is_first = match (receipt.pass, kept.and_then(|kept| kept.pass)) {
            (Some(First), other) if other != Some(First) => true,
            (Some(Second), other) if other != Some(Second) => false,
            (None, Some(Second)) => true,
            (None, Some(First)) => false,
            _ => pass.at < known.at,
        };
        let (first, second) = if is_first { (pass, known) } else { (known, pass) };
        return passes::pair(record, vehicle, first, second, min_net);
    }
    if !was_complete(receipt) || matches!(receipt.pass, Some(First | Second)) {
        return passes::wait(record, pass);
    }
    passes::take(record, vehicle, pass, on_day, min_net)
}

/// The record is complete, as it was when its slip was printed: with that number and with those weights.
fn complete(ledger: &mut Ledger, record_id: i64, vehicle: &Vehicle, printed: Option<&Receipt>, pass: Pass) {
    ledger.completed.push(record_id);
    let Some(printed) = printed else { return };
    let Some(site_id) = ledger.records.get(&record_id).map(|record| record.site_id) else {
        return;
    };
    let slip = slip_for(ledger, printed, record_id, site_id, pass);
    let Some(record) = ledger.records.get_mut(&record_id).map(Row::change) else {
        return;
    };
    record.slip = slip;
    if record.review == Some(INCOMPLETE) {
        record.review = None;
    }
    ledger.settled.insert(record_id);
    let known = record.weights;
    let told = weights_for(printed, record);
    if let Some(told) = told {
        if known.is_none() {
            passes::alone(record, vehicle, pass, told.tare);
        }
        passes::weigh(record, vehicle, told);
    }
    let is_same = told == known || !has_weights(printed);
    if !is_same {
        record.review = Some(review::RESTORED_WEIGHTS);
        let net = |net: Option<Kilograms>| net.map_or_else(|| "none".to_owned(), |net| format!("{net} kg"));
        let text = format!(
            "record {record_id} was told with a net weight of {}, and what is known here makes {}",
            net(printed.net),
            net(known.map(|known| known.net))
        );
        ledger.alarm("RESTORED_WEIGHTS", pass.station_id, text);
    }
}

/// The record was complete, and its other pass is not here yet: its number is kept free, and what was printed beside the
/// capture.
fn wait_for_the_other(ledger: &mut Ledger, record_id: i64, printed: &Receipt, cycle: CycleId, pass: Pass) {
    let Some(record) = ledger.records.get_mut(&record_id) else {
        return;
    };
    let site_id = record.site_id;
    record.change().review.get_or_insert(INCOMPLETE);
    let text = format!("record {record_id} was complete before the restore; its other weight or its tare is not here");
    ledger.alarm(INCOMPLETE, pass.station_id, text);
    if let Some(slip) = slip_for(ledger, printed, record_id, site_id, pass) {
        ledger.reserved.push((site_id, slip));
    }
    let capture = ledger.captures.get_mut(&cycle).map(Row::change);
    if let Some(evidence) = capture.and_then(|capture| capture.evidence.as_mut()) {
        evidence.receipt = Some(printed.clone());
    }
    ledger
        .printed
        .extend(pass.capture_id.map(|capture| (capture, printed.clone())));
}

/// A hand has completed the record: with the number that was printed, if that is what was printed.
pub fn complete_by_hand(ledger: &mut Ledger, record_id: i64, pass: Pass) {
    ledger.completed.push(record_id);
    let Some(record) = ledger.records.get(&record_id) else {
        return;
    };
    let Some(printed) = ledger.printed_of(record).cloned() else {
        return;
    };
    let weights = weights_for(&printed, record);
    if weights.is_none() || weights != record.weights {
        return;
    }
    let (site_id, weighed_at) = (record.site_id, record.weighed_at);
    let zone = ledger.sites.get(&site_id).map_or(chrono_tz::UTC, |site| site.zone);
    let slip = slip_for(ledger, &printed, record_id, site_id, pass);
    if let Some(record) = ledger.records.get_mut(&record_id) {
        record.change().slip = slip.filter(|slip| slip.day() == local_day(weighed_at, zone));
    }
    ledger.settled.insert(record_id);
}

/// The truck that a receipt names. Ids are given out again after a restore, so its plate decides, where the receipt has one.
fn vehicle_of(ledger: &Ledger, receipt: &Receipt) -> Option<i64> {
    let Some(plate) = &receipt.vehicle_plate else {
        return receipt.vehicle_id;
    };
    let named = receipt
        .vehicle_id
        .filter(|id| ledger.vehicles.get(id).is_some_and(|of| of.plate == *plate));
    named.or_else(|| {
        ledger
            .vehicles
            .iter()
            .find(|(_, of)| of.plate == *plate)
            .map(|(id, _)| *id)
    })
}

/// The driver that a receipt names, unless that id is another's by now.
fn driver_of(ledger: &Ledger, receipt: &Receipt) -> Option<i64> {
    let id = receipt.driver_id?;
    let name = ledger.drivers.get(&id)?;
    receipt
        .driver_name
        .as_ref()
        .is_none_or(|told| told == name)
        .then_some(id)
}

/// The record that the receipt names if it is this vehicle's and still open; else one made anew, under that id where it is free.
fn record_for(
    ledger: &mut Ledger,
    receipt: &Receipt,
    named: i64,
    vehicle_id: i64,
    site_id: i64,
    pass: Pass,
) -> Option<i64> {
    let fits = |record: &Record| record.vehicle_id == vehicle_id && record.status.is_open();
    let id = match ledger.records.get(&named) {
        Some(record) if fits(record) => return Some(named),
        None if (1..=ledger.last_record_id).contains(&named) => named,
        taken => {
            let why = if taken.is_some() {
                "another's by now"
            } else {
                "not one that was given out"
            };
            let fresh = ledger.fresh_record_ids.pop()?;
            let text = format!("record {named} of a receipt is {why}; it becomes {fresh}");
            ledger.alarm("RECEIPT_RECORD_TAKEN", pass.station_id, text);
            fresh
        }
    };
    let driver_id = driver_of(ledger, receipt);
    if driver_id != receipt.driver_id {
        let text = format!("record {id} comes back without its driver, who is another here or not known");
        ledger.alarm("RECEIPT_OTHER_DRIVER", pass.station_id, text);
    }
    let record = Record {
        site_id,
        station_id: pass.station_id,
        vehicle_id,
        driver_id,
        product_id: receipt.product_id.filter(|product| ledger.products.contains(product)),
        customer_id: receipt
            .customer_id
            .filter(|customer| ledger.customers.contains(customer)),
        direction: receipt.direction.clone(),
        weighed_at: pass.at,
        status: RecordStatus::Weighing,
        first: None,
        second: None,
        weights: None,
        overload: None,
        review: (driver_id != receipt.driver_id).then_some(review::RESTORED_DRIVER),
        slip: None,
        revision: 1,
    };
    ledger.records.insert(id, Row::new(record));
    Some(id)
}

/// The number that was printed, if it may still be this record's.
fn slip_for(ledger: &mut Ledger, receipt: &Receipt, record_id: i64, site_id: i64, pass: Pass) -> Option<SlipNumber> {
    let text = receipt.slip_number.as_deref()?;
    let prefix = ledger.sites.get(&site_id).map(|site| site.slip_prefix.as_str());
    let slip = prefix.and_then(|prefix| SlipNumber::parse(text, prefix));
    let owner = ledger.slips.get(text).copied().flatten();
    let free = slip.filter(|_| owner.is_none_or(|owner| owner == record_id));
    let Some(slip) = free.filter(|slip| is_near(ledger, site_id, slip)) else {
        ledger.alarm(
            "RECEIPT_SLIP_TAKEN",
            pass.station_id,
            format!("slip {text} of a receipt cannot be record {record_id}'s; it gets the next number"),
        );
        return None;
    };
    let counter = ledger.slip_counters.entry((site_id, slip.day())).or_default();
    *counter = slip.number().max(*counter);
    ledger.slips.insert(text.to_owned(), Some(record_id));
    Some(slip)
}

fn is_near(ledger: &Ledger, site_id: i64, slip: &SlipNumber) -> bool {
    let counter = ledger.slip_counters.get(&(site_id, slip.day()));
    slip.number() <= counter.copied().unwrap_or(0).saturating_add(SLIP_REACH)
}

/// Staff have decided that this weight is the vehicle's: a call that still waits for it is over.
pub fn complete_call(ledger: &mut Ledger, vehicle_id: i64, record_id: i64, pass: Pass) {
    if let Some(entry) = spend_call(ledger, vehicle_id, record_id, pass)
        && let Some(call) = ledger.calls.get_mut(&entry)
    {
        let completed_at = Some(pass.at.max(call.called_at));
        let call = call.change();
        (call.status, call.completed_at) = (CallStatus::Completed, completed_at);
    }
}

/// The vehicle has been weighed: a call that still waits for it has what it wanted. Answers its entry.
fn spend_call(ledger: &mut Ledger, vehicle_id: i64, record_id: i64, pass: Pass) -> Option<i64> {
    let call = ledger
        .calls
        .iter_mut()
        .find(|(_, call)| call.vehicle_id == vehicle_id && call.status == CallStatus::Called);
    let (entry, call) = call.filter(|(_, call)| call.capture_id.is_none())?;
    let entry = *entry;
    let change = call.change();
    let stale = change.record_id.filter(|stale| *stale != record_id);
    change.capture_id = pass.capture_id;
    change.record_id = Some(record_id);
    let Some(stale) = stale else { return Some(entry) };
    let empty = ledger
        .records
        .get(&stale)
        .is_some_and(|record| record.status.is_open() && record.first.is_none());
    if empty {
        ledger.removed.insert(stale);
    }
    Some(entry)
}
