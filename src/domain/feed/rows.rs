//! What is stored of readings and of what they led to: a row each, in order, and the effects of the latter.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{EventBody, EventId, EventKind, event::sha256_hex},
};

use super::FeedReading;
use crate::domain::{
    edge_time::Moments,
    weighing::{Arrival, Fate, Ledger, Wanted, apply},
};

/// Rows to be stored, in order.
#[derive(Debug)]
pub struct Rows {
    pub epoch: Epoch,
    pub last_seq: i64,
    pub new: Vec<Row>,
}

/// A row as it will be stored.
#[derive(Debug)]
pub struct Row {
    pub seq: i64,
    pub edge_id: i64,
    pub station_id: i64,
    pub kind: &'static str,
    pub cycle: Option<CycleId>,
    pub body: String,
    pub sha256: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub event_id: Option<Uuid>,
    pub weight: Option<Kilograms>,
    pub moments: Moments,
    pub received_at: DateTime<Utc>,
    /// What has effects; a reading has none of its own.
    pub event: Option<EventBody>,
}

impl Rows {
    pub const fn after(epoch: Epoch, last_seq: i64) -> Self {
        Self {
            epoch,
            last_seq,
            new: Vec::new(),
        }
    }

    /// Keeps a reading itself.
    pub fn reading(&mut self, reading: &FeedReading) {
        let unnamed = "it came without an event_id, and is told apart by station, time and weight";
        self.last_seq += 1;
        self.new.push(Row {
            seq: self.last_seq,
            edge_id: reading.edge_id,
            station_id: reading.station_id,
            kind: "reading",
            cycle: None,
            body: reading.body.clone(),
            sha256: reading.sha256.clone(),
            status: "STORED",
            reason: (!reading.is_named).then(|| unnamed.to_owned()),
            event_id: Some(reading.event_id),
            weight: Some(reading.kg),
            moments: reading.moments(reading.mono_ms(), reading.mono_ms()),
            received_at: reading.received_at,
            event: None,
        });
    }

    /// Keeps what a reading led to. Answers its identity.
    pub fn event(&mut self, reading: &FeedReading, cycle: Option<CycleId>, kind: EventKind) -> EventId {
        self.last_seq += 1;
        let (epoch, seq, mono_ms) = (self.epoch, self.last_seq, reading.mono_ms());
        let kind = kind.in_steps();
        let (name, weight, on_ms) = match &kind {
            EventKind::Capture(capture) => (kind.name(), Some(capture.weight), capture.on_mono_ms),
            other => (other.name(), None, mono_ms),
        };
        let event = EventBody {
            epoch,
            seq,
            station_id: reading.station_id,
            cycle,
            at: reading.at,
            mono_ms,
            boot: Uuid::from_u128(epoch.bits()),
            kind,
        };
        let body = serde_json::to_string(&event).unwrap_or_default();
        self.new.push(Row {
            seq,
            edge_id: reading.edge_id,
            station_id: reading.station_id,
            kind: name,
            cycle,
            sha256: sha256_hex(&body),
            body,
            status: "STORED",
            reason: None,
            event_id: None,
            weight,
            moments: reading.moments(mono_ms, on_ms),
            received_at: reading.received_at,
            event: Some(event),
        });
        EventId { epoch, seq }
    }

    /// What must be locked for what the readings led to; none where they led to nothing.
    pub fn wanted(&self, min_net: Kilograms) -> Option<Wanted> {
        let mut wanted = Wanted {
            min_net,
            ..Wanted::default()
        };
        for event in self.new.iter().filter_map(|row| row.event.as_ref()) {
            wanted.stations.insert(event.station_id);
            wanted.cycles.extend(event.cycle);
            wanted.fresh_captures += usize::from(matches!(event.kind, EventKind::Capture(_)));
        }
        (!wanted.stations.is_empty()).then_some(wanted)
    }

    /// Applies what the readings led to. `edge_id` is the edge whose station it is.
    pub fn take_effect(&mut self, ledger: &mut Ledger, edge_id: Option<i64>) {
        for row in &mut self.new {
            row.take_effect(ledger, edge_id);
        }
    }
}

impl Row {
    fn take_effect(&mut self, ledger: &mut Ledger, edge_id: Option<i64>) {
        let Some(body) = &self.event else { return };
        let arrival = Arrival {
            edge_id,
            body,
            receipt: None,
            moments: self.moments,
            received_at: self.received_at,
            is_late: false,
        };
        (self.status, self.reason) = match apply(ledger, &arrival) {
            Fate::Stored => ("STORED", None),
            Fate::Duplicate => ("DUPLICATE", None),
            Fate::Rejected(reason) => {
                ledger.distrust_station(self.station_id, self.received_at);
                ("REJECTED", Some(reason.to_string()))
            }
        };
    }
}
