//! The database in memory: its tables, copied when they are written. A clone is a transaction, a backup or a standby; what
//! is not put back in its place never happened.
//!
//! - `events`: identity rows and watermarks; `hello` is what a greeting changes of them
//! - `ledger`: the rows of a weighing, as the domain's ledger
//! - `slips`: numbers, and the room that is made for them after a restore
//! - `queue`: who waits and who is called
//! - `fed`: stations that are fed by HTTP

mod events;
mod fed;
mod hello;
mod ledger;
mod queue;
mod slips;

use std::{collections::BTreeMap, rc::Rc};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms, LinkSession,
    link::{EventBody, EventId, Receipt},
    scale::CycleState,
};

use crate::domain::{
    intake::{identities::NewEvent, seqs::Seqs},
    weighing::{
        Fate,
        ledger::{Record, Station, Vehicle},
    },
};

pub use events::Group;
pub use hello::Greeting;
pub use queue::{Entry, Status};

pub const SITE: i64 = 1;
pub const PREFIX: &str = "WR";
pub const ZONE: chrono_tz::Tz = chrono_tz::Asia::Seoul;
/// What a weight must exceed a registered tare by.
pub const MIN_NET: Kilograms = Kilograms::from_whole(100);

type Table<K, V> = Rc<BTreeMap<K, V>>;

#[derive(Clone, Debug)]
pub struct Gateway {
    pub is_active: bool,
    pub session: Option<LinkSession>,
}

#[derive(Clone, Debug)]
pub struct EpochRow {
    pub edge_id: i64,
    pub have: i64,
    /// The session of its newest hello; only a broken server asks for it.
    pub session: Option<LinkSession>,
}

/// An identity row.
#[derive(Clone, Debug)]
pub struct KeptEvent {
    pub sha256: String,
    pub fate: Fate,
    pub body: Option<EventBody>,
}

/// A capture as stored.
#[derive(Clone, Debug)]
pub struct CaptureRow {
    pub id: i64,
    pub station_id: i64,
    pub weight: Kilograms,
    pub record_id: Option<i64>,
    /// When its truck drove on, if that is certain.
    pub on_at: Option<DateTime<Utc>>,
    pub at: EventId,
    /// What was printed of it, where its record waits for the other pass.
    pub receipt: Option<Receipt>,
}

#[derive(Clone, Debug)]
pub struct StationCycle {
    pub epoch: Epoch,
    pub last_seq: i64,
    pub state: CycleState,
}

/// A row that a posted reading left.
#[derive(Clone, Debug)]
pub struct FedRow {
    pub sha256: String,
    pub event_id: Option<Uuid>,
}

/// A message that waits to be delivered to ERP.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    pub cycle: CycleId,
    pub record_id: i64,
}

/// What a server's process leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Database {
    pub gateways: Table<i64, Gateway>,
    pub stations: Table<i64, Station>,
    pub vehicles: Table<i64, Vehicle>,
    pub epochs: Table<Epoch, EpochRow>,
    pub events: Table<EventId, Rc<KeptEvent>>,
    /// What edges have declared lost.
    pub lost: Table<Epoch, Seqs>,
    pub conflicts: Table<(EventId, String), ()>,
    pub captures: Table<CycleId, CaptureRow>,
    pub records: Table<i64, Record>,
    pub entries: Table<i64, Entry>,
    /// Slips by day and number; none: LOST.
    pub slips: Table<(NaiveDate, i32), Option<i64>>,
    pub counters: Table<NaiveDate, i32>,
    pub outbox: Table<Uuid, Outgoing>,
    pub cycles: Table<i64, StationCycle>,
    pub fed: Table<EventId, FedRow>,
    pub next_capture: i64,
    pub next_record: i64,
    pub next_entry: i64,
    /// The socket whose hello was committed last, of each edge; a database that went back has forgotten it.
    pub newest: Table<i64, usize>,
    /// How often a restore or failover was noticed.
    pub timeline: i32,
}

/// For writing; copies a table that others still see.
pub fn mutable<K: Clone + Ord, V: Clone>(table: &mut Table<K, V>) -> &mut BTreeMap<K, V> {
    Rc::make_mut(table)
}

impl Database {
    /// The rows of stations as they are before anybody has weighed.
    pub fn with_station(&mut self, station_id: i64, edge_id: i64) {
        let station = Station {
            site_id: SITE,
            edge_id: Some(edge_id),
            capacity: Some(Kilograms::from_whole(60_000)),
            trusted_since: DateTime::<Utc>::UNIX_EPOCH,
            least_approach: TimeDelta::zero(),
            status: crate::domain::weighing::ledger::StationStatus::Idle,
            deck: None,
        };
        mutable(&mut self.stations).insert(station_id, station);
        let gateway = Gateway {
            is_active: true,
            session: None,
        };
        mutable(&mut self.gateways).insert(edge_id, gateway);
    }

    pub fn newest_session(&self, edge_id: i64) -> Option<LinkSession> {
        let gateway = self.gateways.get(&edge_id)?;
        gateway.session.filter(|_| gateway.is_active)
    }

    pub fn has(&self, epoch: Epoch, seq: i64) -> bool {
        self.events.contains_key(&EventId { epoch, seq }) || self.is_lost(epoch, seq)
    }

    pub fn is_lost(&self, epoch: Epoch, seq: i64) -> bool {
        self.lost.get(&epoch).is_some_and(|lost| lost.contains(seq))
    }

    /// What drove on this edge's stations before `now` belongs to no call.
    pub fn distrust(&mut self, edge_id: i64, now: DateTime<Utc>) {
        for station in mutable(&mut self.stations).values_mut() {
            if station.edge_id == Some(edge_id) {
                station.trusted_since = now;
            }
        }
    }
}

impl From<&NewEvent> for KeptEvent {
    fn from(new: &NewEvent) -> Self {
        Self {
            sha256: new.examined.event.sha256.clone(),
            fate: new.fate.clone(),
            body: new.examined.body.as_ref().ok().cloned(),
        }
    }
}
