//! Who waits, who is called, and how that ends without a weighing.

use chrono::{DateTime, Utc};

use weighbridge_protocol::CycleId;

use super::{Database, SITE, mutable};
use crate::domain::weighing::{
    Fate, Wanted, deck,
    ledger::{Call, CallStatus, Record, RecordStatus, StationStatus},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Waiting,
    Called,
    Completed,
    Review,
    NoShow,
}

/// An entry of the line.
#[derive(Clone, Debug)]
pub struct Entry {
    pub vehicle_id: i64,
    pub station_id: i64,
    pub position: i64,
    pub status: Status,
    pub called_at: Option<DateTime<Utc>>,
    pub calls_made: i32,
    pub capture_id: Option<i64>,
    pub record_id: Option<i64>,
}

impl Entry {
    pub(super) fn as_call(&self) -> Option<Call> {
        Some(Call {
            station_id: self.station_id,
            vehicle_id: self.vehicle_id,
            driver_id: None,
            product_id: None,
            customer_id: None,
            direction: None,
            called_at: self.called_at.filter(|_| self.status == Status::Called)?,
            calls_made: self.calls_made,
            status: CallStatus::Called,
            capture_id: self.capture_id,
            record_id: self.record_id,
            completed_at: None,
        })
    }
}

impl Database {
    /// The open call of a station: its entry and vehicle.
    pub fn called(&self, station_id: i64) -> Option<(i64, i64)> {
        let open = |(_, entry): &(&i64, &Entry)| entry.status == Status::Called && entry.station_id == station_id;
        self.entries
            .iter()
            .find(open)
            .map(|(id, entry)| (*id, entry.vehicle_id))
    }

    /// Whether a vehicle waits or is called already.
    pub fn is_queued(&self, vehicle_id: i64) -> Option<i64> {
        let queued =
            |entry: &Entry| entry.vehicle_id == vehicle_id && matches!(entry.status, Status::Waiting | Status::Called);
        self.entries.iter().find(|(_, entry)| queued(entry)).map(|(id, _)| *id)
    }

    /// Whether an entry waits, from now on for this station.
    pub fn waits_at(&mut self, entry_id: i64, station_id: i64) -> bool {
        let entry = mutable(&mut self.entries).get_mut(&entry_id);
        let waiting = entry.filter(|entry| entry.status == Status::Waiting || entry.station_id == station_id);
        waiting.map(|entry| entry.station_id = station_id).is_some()
    }

    /// A driver checks in, with the record that still waits for its second pass.
    pub fn check_in(&mut self, vehicle_id: i64, station_id: i64) -> i64 {
        let open = self.records.iter().filter(|(_, record)| {
            record.vehicle_id == vehicle_id && record.status == RecordStatus::Weighing && record.first.is_some()
        });
        let record_id = open.max_by_key(|(_, record)| record.weighed_at).map(|(id, _)| *id);
        self.next_entry += 1;
        let entry = Entry {
            vehicle_id,
            station_id,
            position: self.next_entry,
            status: Status::Waiting,
            called_at: None,
            calls_made: 0,
            capture_id: None,
            record_id,
        };
        mutable(&mut self.entries).insert(self.next_entry, entry);
        self.next_entry
    }

    /// Calls an entry that waits to its station, where nobody is called.
    pub fn call(&mut self, entry_id: i64, now: DateTime<Utc>) {
        let Some(entry) = self.entries.get(&entry_id) else {
            return;
        };
        let (vehicle_id, station_id) = (entry.vehicle_id, entry.station_id);
        let record_id = entry.record_id.unwrap_or_else(|| {
            self.next_record += 1;
            mutable(&mut self.records).insert(self.next_record, pending(vehicle_id, station_id, now));
            self.next_record
        });
        if let Some(entry) = mutable(&mut self.entries).get_mut(&entry_id) {
            entry.status = Status::Called;
            entry.calls_made += 1;
            (entry.called_at, entry.record_id, entry.capture_id) = (Some(now), Some(record_id), None);
        }
    }

    /// A called truck did not come. One that stands on the deck has come; its weighing decides.
    pub fn expire(&mut self, entry_id: i64) -> bool {
        let Some(entry) = self.entries.get(&entry_id) else {
            return false;
        };
        let station = self.stations.get(&entry.station_id);
        let empty = station.is_some_and(|station| station.is_empty() && station.status == StationStatus::Idle);
        if !empty || entry.capture_id.is_some() {
            return false;
        }
        let empty = |id: &i64| {
            let record = self.records.get(id);
            record.is_some_and(|record| record.status.is_open() && record.first.is_none())
        };
        let gone = entry.record_id.filter(empty);
        if let Some(id) = gone {
            mutable(&mut self.records).remove(&id);
        }
        if let Some(entry) = mutable(&mut self.entries).get_mut(&entry_id) {
            entry.status = Status::NoShow;
            entry.record_id = entry.record_id.filter(|id| Some(*id) != gone);
        }
        true
    }

    /// Readings show an empty deck, and all events of its edge have come.
    pub fn seen_empty(&mut self, station_id: i64, now: DateTime<Utc>) {
        let wanted = Wanted {
            stations: [station_id].into(),
            ..Wanted::default()
        };
        let mut ledger = self.ledger(&wanted, &[]);
        deck::seen_empty(&mut ledger, station_id, now);
        self.save_ledger(&mut ledger, &[]);
    }

    /// What is stored says that a vehicle drove on in this cycle, and has not left.
    pub fn tells_of(&self, cycle: CycleId) -> bool {
        let of_cycle = |name: &str| {
            let stored = self.events.values().filter(|kept| kept.fate == Fate::Stored);
            let mut bodies = stored.filter_map(|kept| kept.body.as_ref());
            bodies.any(|body| body.cycle == Some(cycle) && body.kind.name() == name)
        };
        of_cycle("vehicle_on") && !of_cycle("vehicle_off")
    }

    /// Before everyone who waits now.
    pub(super) fn head_of_line(&self) -> i64 {
        let waiting = self.entries.values().filter(|entry| entry.status == Status::Waiting);
        waiting.map(|entry| entry.position).min().unwrap_or(i64::MAX) - 1
    }
}

fn pending(vehicle_id: i64, station_id: i64, now: DateTime<Utc>) -> Record {
    Record {
        site_id: SITE,
        station_id,
        vehicle_id,
        driver_id: None,
        product_id: None,
        customer_id: None,
        direction: None,
        weighed_at: now,
        status: RecordStatus::Pending,
        first: None,
        second: None,
        weights: None,
        overload: None,
        review: None,
        slip: None,
        revision: 1,
    }
}
