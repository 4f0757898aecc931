//! What an edge is told of a capture, and what of that may be believed when it comes back.

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId,
    link::{Receipt, WhichPass},
};

use super::{
    HEAVIEST,
    ledger::{Ledger, Pass, Record, RecordStatus, Weights},
};

impl Ledger {
    /// What the edge is told of a capture, once it belongs to a record and slips are numbered.
    pub fn receipt(&self, cycle: CycleId) -> Option<Receipt> {
        let capture = self.captures.get(&cycle)?;
        let record_id = capture.record_id?;
        let record = self.records.get(&record_id)?;
        let weights = record.weights.filter(|_| record.status == RecordStatus::Completed);
        Some(Receipt {
            slip_number: record.slip.as_ref().map(ToString::to_string),
            record_id: Some(record_id),
            vehicle_id: Some(record.vehicle_id),
            driver_id: record.driver_id,
            product_id: record.product_id,
            customer_id: record.customer_id,
            direction: record.direction.clone(),
            vehicle_plate: self
                .vehicles
                .get(&record.vehicle_id)
                .map(|vehicle| vehicle.plate.clone()),
            driver_name: record.driver_id.and_then(|driver| self.drivers.get(&driver).cloned()),
            pass: which(record, capture.id),
            gross: weights.map(|weights| weights.gross),
            tare: weights.map(|weights| weights.tare),
            net: weights.map(|weights| weights.net),
            database: self.database,
        })
    }

    /// What was printed of a record while one of its passes was missing here.
    pub(super) fn printed_of(&self, record: &Record) -> Option<&Receipt> {
        let captures = [record.first, record.second].into_iter().flatten();
        captures
            .filter_map(|pass| pass.capture_id)
            .find_map(|id| self.printed.get(&id))
    }
}

fn which(record: &Record, capture_id: i64) -> Option<WhichPass> {
    let is = |pass: Option<Pass>| pass.and_then(|pass| pass.capture_id) == Some(capture_id);
    if is(record.second) {
        Some(WhichPass::Second)
    } else if !is(record.first) {
        None
    } else if record.second.is_none() && record.status == RecordStatus::Completed {
        Some(WhichPass::Only)
    } else {
        Some(WhichPass::First)
    }
}

/// Whether another database gave it than the one of this name: its ids and numbers mean nothing here.
pub(super) fn is_foreign(receipt: &Receipt, database: Option<Uuid>) -> bool {
    receipt
        .database
        .zip(database)
        .is_some_and(|(theirs, ours)| theirs != ours)
}

/// Whether the record was complete when this was told.
pub(super) const fn was_complete(receipt: &Receipt) -> bool {
    receipt.slip_number.is_some() || receipt.net.is_some()
}

/// Whether it names weights, which may be damaged.
pub(super) const fn has_weights(receipt: &Receipt) -> bool {
    receipt.gross.is_some() || receipt.tare.is_some() || receipt.net.is_some()
}

/// The printed weights, if they can be this record's: net is gross less tare, and a weight that was measured is one of them.
pub(super) fn weights_for(receipt: &Receipt, record: &Record) -> Option<Weights> {
    let (gross, tare, net) = (receipt.gross?, receipt.tare?, receipt.net?);
    let are_weights = net == gross - tare && !tare.is_negative() && !net.is_negative() && gross <= HEAVIEST;
    let measured = [record.first, record.second].map(|pass| pass.map(|pass| pass.weight));
    let is_measured = match receipt.pass {
        Some(WhichPass::Only) => measured.contains(&Some(gross)),
        _ => measured.contains(&Some(gross)) || measured.contains(&Some(tare)),
    };
    (are_weights && is_measured).then_some(Weights { gross, tare, net })
}
