//! What a transaction must lock before it decides.

use std::collections::BTreeSet;

use uuid::Uuid;
use weighbridge_protocol::{CycleId, Kilograms, link::EventKind, link::Receipt};

use super::{Examined, receipt::is_foreign};

/// What is about to be decided, and so what must be locked.
#[derive(Debug, Default)]
pub struct Wanted {
    pub stations: BTreeSet<i64>,
    /// All stations of these edges too: what an edge loses makes all of them doubtful.
    pub edges: BTreeSet<i64>,
    /// Entries of the line beside the calls of those stations.
    pub entries: BTreeSet<i64>,
    pub cycles: BTreeSet<CycleId>,
    pub receipts: Vec<Receipt>,
    pub records: BTreeSet<i64>,
    /// Vehicles for which a record is chosen or made: nobody else does that meanwhile.
    pub vehicles: BTreeSet<i64>,
    /// How many captures may be new.
    pub fresh_captures: usize,
    /// How many records may be new, beside those of receipts.
    pub fresh_records: usize,
    pub min_net: Kilograms,
    /// The name of the database; the receipts of others count for nothing.
    pub database: Option<Uuid>,
}

impl Wanted {
    /// Adds what events of this edge may touch.
    pub fn add(&mut self, edge_id: i64, events: &[Examined]) {
        self.edges.insert(edge_id);
        for examined in events {
            let receipt = examined.event.receipt.as_ref();
            let own = receipt.filter(|receipt| !is_foreign(receipt, self.database));
            self.receipts.extend(own.cloned());
            let Ok(body) = &examined.body else { continue };
            self.stations.insert(body.station_id);
            self.cycles.extend(body.cycle);
            self.fresh_captures += usize::from(matches!(body.kind, EventKind::Capture(_)));
        }
    }
}
