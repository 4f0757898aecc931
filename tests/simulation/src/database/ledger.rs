//! The rows of a weighing as the domain's ledger, and back.

use std::collections::BTreeSet;

use super::{CaptureRow, Database, Outgoing, PREFIX, SITE, Status, ZONE, mutable};
use crate::{
    breaks::Break,
    domain::{
        outbox::{Kind, Names},
        weighing::{
            Ledger, Wanted, completed, last_record_id,
            ledger::{self, Row, Site, StationStatus},
        },
    },
};

impl Database {
    /// What is wanted, locked.
    pub(super) fn ledger(&mut self, wanted: &Wanted, broken: &[Break]) -> Ledger {
        let mut ledger = Ledger {
            min_net: wanted.min_net,
            database: wanted.database,
            ..Ledger::default()
        };
        let site = Site {
            zone: ZONE,
            slip_prefix: PREFIX.to_owned(),
        };
        ledger.sites.insert(SITE, site);
        for (id, station) in self.stations.iter() {
            let of_edge = station.edge_id.is_some_and(|edge| wanted.edges.contains(&edge));
            if of_edge || wanted.stations.contains(id) {
                ledger.stations.insert(*id, Row::loaded(station.clone()));
            }
        }
        let spent: BTreeSet<i64> = wanted
            .receipts
            .iter()
            .filter_map(|receipt| receipt.vehicle_id)
            .collect();
        for (id, entry) in self.entries.iter() {
            if let Some(mut call) = entry.as_call()
                && (ledger.stations.contains_key(&call.station_id) || spent.contains(&call.vehicle_id))
            {
                if broken.contains(&Break::OneCapture) {
                    call.capture_id = None;
                }
                ledger.calls.insert(*id, Row::loaded(call));
            }
        }
        self.captures_of(wanted, &mut ledger, broken);
        let mut records = wanted.records.clone();
        records.extend(ledger.calls.values().filter_map(|call| call.record_id));
        records.extend(ledger.captures.values().filter_map(|capture| capture.record_id));
        records.extend(wanted.receipts.iter().filter_map(|receipt| receipt.record_id));
        for id in records {
            if let Some(record) = self.records.get(&id) {
                ledger.records.insert(id, Row::loaded(record.clone()));
            }
        }
        let first = |record: &Row<ledger::Record>| record.first.and_then(|pass| pass.capture_id);
        let taken: BTreeSet<i64> = ledger.records.values().filter_map(first).collect();
        let before = self.captures.iter().filter(|(_, capture)| taken.contains(&capture.id));
        for (cycle, capture) in before {
            ledger.taken_before.insert(capture.id, *cycle);
            let printed = capture.receipt.clone();
            let printed = printed.filter(|_| !broken.contains(&Break::PrintedForgotten));
            ledger.printed.extend(printed.map(|printed| (capture.id, printed)));
        }
        let mut vehicles = wanted.vehicles.clone();
        vehicles.extend(ledger.calls.values().map(|call| call.vehicle_id));
        vehicles.extend(ledger.records.values().map(|record| record.vehicle_id));
        vehicles.extend(spent);
        for id in vehicles {
            if let Some(vehicle) = self.vehicles.get(&id) {
                ledger.vehicles.insert(id, vehicle.clone());
            }
        }
        self.slips_of(wanted, &mut ledger);
        self.next_record = last_record_id(self.next_record, &wanted.receipts);
        ledger.last_record_id = self.next_record;
        ledger.fresh_capture_ids = fresh(&mut self.next_capture, wanted.fresh_captures);
        ledger.fresh_record_ids = fresh(&mut self.next_record, wanted.receipts.len() + wanted.fresh_records);
        ledger
    }

    fn captures_of(&self, wanted: &Wanted, ledger: &mut Ledger, broken: &[Break]) {
        if broken.contains(&Break::NoCycleKey) {
            return;
        }
        for cycle in &wanted.cycles {
            if let Some(row) = self.captures.get(cycle) {
                let capture = ledger::CaptureRow {
                    id: row.id,
                    station_id: row.station_id,
                    cycle: *cycle,
                    weight: row.weight,
                    record_id: row.record_id,
                    on_at: row.on_at,
                    evidence: None,
                };
                ledger.captures.insert(*cycle, Row::loaded(capture));
            }
        }
    }

    /// Writes what has changed. Slip numbers come last.
    pub(super) fn save_ledger(&mut self, ledger: &mut Ledger, broken: &[Break]) {
        for (id, station) in ledger.stations.iter().filter(|(_, row)| row.is_changed()) {
            let mut station = (**station).clone();
            let was_silent = self.stations.get(id).map(|before| before.status) == Some(StationStatus::Error);
            if was_silent && broken.contains(&Break::DeckForgotten) {
                (station.deck, station.status) = (None, StationStatus::Idle);
            }
            mutable(&mut self.stations).insert(*id, station);
        }
        for id in &ledger.removed {
            mutable(&mut self.records).remove(id);
        }
        for (id, call) in ledger.calls.iter().filter(|(_, row)| row.is_changed()) {
            self.write_call(*id, call);
        }
        for (cycle, row) in ledger.captures.iter().filter(|(_, row)| row.is_changed()) {
            if let Some(evidence) = &row.evidence {
                let capture = CaptureRow {
                    id: row.id,
                    station_id: row.station_id,
                    weight: row.weight,
                    record_id: row.record_id,
                    on_at: row.on_at,
                    at: weighbridge_protocol::link::EventId {
                        epoch: evidence.epoch,
                        seq: evidence.seq,
                    },
                    receipt: evidence.receipt.clone(),
                };
                mutable(&mut self.captures).insert(*cycle, capture);
            }
        }
        self.number_slips(ledger);
        let changed = ledger.records.iter().filter(|(_, row)| row.is_changed());
        for (id, record) in changed.filter(|(id, _)| !ledger.removed.contains(id)) {
            match mutable(&mut self.records).get_mut(id) {
                Some(stored) if ledger.may_rewrite(*id, record) => *stored = (**record).clone(),
                Some(stored) => stored.review = record.review,
                None => {
                    mutable(&mut self.records).insert(*id, (**record).clone());
                }
            }
        }
        for id in &ledger.completed {
            self.enqueue(ledger, *id, broken);
        }
    }

    fn enqueue(&mut self, ledger: &Ledger, record_id: i64, broken: &[Break]) {
        let completing = ledger
            .records
            .get(&record_id)
            .and_then(|record| record.second.or(record.first)?.capture_id);
        let Some(cycle) = completing.and_then(|capture| ledger.cycle_of(capture)) else {
            return;
        };
        for message in completed::messages(ledger, record_id, &Names::default()) {
            if message.kind != Kind::ErpComplete {
                continue;
            }
            let mut key = message.idempotency_key;
            let evidence = ledger.captures.get(&cycle).and_then(|row| row.evidence.clone());
            if let Some(evidence) = evidence.filter(|_| broken.contains(&Break::ErpCycle)) {
                key = uuid::Uuid::from_u128(evidence.epoch.bits() << 32 | u128::from(evidence.seq.unsigned_abs()));
            }
            mutable(&mut self.outbox)
                .entry(key)
                .or_insert(Outgoing { cycle, record_id });
        }
    }

    fn write_call(&mut self, id: i64, call: &ledger::Call) {
        let head = self.head_of_line();
        let Some(entry) = mutable(&mut self.entries).get_mut(&id) else {
            return;
        };
        let records = &self.records;
        match call.status {
            ledger::CallStatus::BackInLine => {
                entry.status = Status::Waiting;
                entry.position = entry.position.min(head);
                (entry.called_at, entry.capture_id) = (None, None);
                entry.record_id = entry.record_id.filter(|id| records.contains_key(id));
            }
            status => {
                entry.status = match status {
                    ledger::CallStatus::Completed => Status::Completed,
                    ledger::CallStatus::Review => Status::Review,
                    _ => Status::Called,
                };
                (entry.capture_id, entry.record_id) = (call.capture_id, call.record_id);
            }
        }
    }
}

/// Draws ids, the lowest one last.
fn fresh(next: &mut i64, count: usize) -> Vec<i64> {
    let count = i64::try_from(count).unwrap_or(0);
    let first = *next + 1;
    *next += count;
    (first..=*next).rev().collect()
}
