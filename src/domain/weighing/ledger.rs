//! The rows that are locked for a group of events, and what has changed on them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;
use weighbridge_protocol::{CycleId, Epoch, Kilograms, link::Receipt};

use crate::domain::slip::SlipNumber;

/// A row and whether it must be written back.
#[derive(Clone, Debug)]
pub struct Row<T> {
    value: T,
    changed: bool,
}

impl<T> Row<T> {
    pub const fn loaded(value: T) -> Self {
        Self { value, changed: false }
    }

    pub const fn new(value: T) -> Self {
        Self { value, changed: true }
    }

    pub const fn change(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }

    pub const fn is_changed(&self) -> bool {
        self.changed
    }
}

impl<T> std::ops::Deref for Row<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

#[derive(Clone, Debug)]
pub struct Station {
    pub site_id: i64,
    /// The edge that may speak for it; none where it is fed by HTTP alone.
    pub edge_id: Option<i64>,
    pub capacity: Option<Kilograms>,
    /// A truck that drove on before this moment is assigned to no call.
    pub trusted_since: DateTime<Utc>,
    /// The least time from a call to the first axle on the deck: what comes sooner is another truck.
    pub least_approach: TimeDelta,
    pub status: StationStatus,
    /// The cycle of the vehicle on its deck; none while nothing stands there, as far as is known.
    pub deck: Option<CycleId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StationStatus {
    Idle,
    Weighing,
    Error,
}

impl StationStatus {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Weighing => "WEIGHING",
            Self::Error => "ERROR",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Idle, Self::Weighing, Self::Error]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// What a site's slips are numbered by.
#[derive(Clone, Debug)]
pub struct Site {
    pub zone: Tz,
    pub slip_prefix: String,
}

/// A queue entry that is called to a station.
#[derive(Clone, Debug)]
pub struct Call {
    pub station_id: i64,
    pub vehicle_id: i64,
    pub driver_id: Option<i64>,
    pub product_id: Option<i64>,
    pub customer_id: Option<i64>,
    pub direction: Option<String>,
    pub called_at: DateTime<Utc>,
    /// How often its entry was called or called again, this call included.
    pub calls_made: i32,
    pub status: CallStatus,
    /// What this call has taken; a call takes one capture.
    pub capture_id: Option<i64>,
    pub record_id: Option<i64>,
    pub completed_at: Option<DateTime<Utc>>,
}

/// How a call stands. Only `Called` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    Called,
    /// Its truck left with the capture this call took.
    Completed,
    /// Something was captured that this call did not take, or its truck left unweighed too often: staff decide.
    Review,
    /// Its truck left unweighed: back to the head of the line, to be called anew.
    BackInLine,
}

#[derive(Clone, Debug)]
pub struct Vehicle {
    pub plate: String,
    pub tare: Option<Kilograms>,
    /// The last day on which the tare counts; none: it does not expire.
    pub tare_valid_until: Option<NaiveDate>,
    pub max_load: Option<Kilograms>,
}

/// A weighing that is open or was completed.
#[derive(Clone, Debug)]
pub struct Record {
    pub site_id: i64,
    pub station_id: i64,
    pub vehicle_id: i64,
    pub driver_id: Option<i64>,
    pub product_id: Option<i64>,
    pub customer_id: Option<i64>,
    pub direction: Option<String>,
    pub weighed_at: DateTime<Utc>,
    pub status: RecordStatus,
    pub first: Option<Pass>,
    pub second: Option<Pass>,
    pub weights: Option<Weights>,
    pub overload: Option<&'static str>,
    /// Why staff should look at it.
    pub review: Option<&'static str>,
    /// Set when it completes; a restored one brings its own.
    pub slip: Option<SlipNumber>,
    pub revision: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordStatus {
    Pending,
    Weighing,
    Completed,
    Voided,
}

impl RecordStatus {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Weighing => "WEIGHING",
            Self::Completed => "COMPLETED",
            Self::Voided => "VOIDED",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Pending, Self::Weighing, Self::Completed, Self::Voided]
            .into_iter()
            .find(|status| status.name() == name)
    }

    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Weighing)
    }
}

/// One stay on the deck that a record took its weight from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    pub weight: Kilograms,
    pub at: DateTime<Utc>,
    pub station_id: i64,
    pub capture_id: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    pub gross: Kilograms,
    pub tare: Kilograms,
    pub net: Kilograms,
}

/// A stable weight, taken while a vehicle stood.
#[derive(Clone, Debug)]
pub struct CaptureRow {
    pub id: i64,
    pub station_id: i64,
    pub cycle: CycleId,
    pub weight: Kilograms,
    /// When its truck drove on, if that is certain.
    pub on_at: Option<DateTime<Utc>>,
    pub record_id: Option<i64>,
    /// Only for a new one: what is stored beside it.
    pub evidence: Option<Evidence>,
}

/// What a new capture is stored with.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub epoch: Epoch,
    pub seq: i64,
    pub gap: bool,
    pub doubtful: bool,
    pub raw: String,
    /// By differences, as [`weighbridge_protocol::link::curve`] writes them.
    pub curve: serde_json::Value,
    /// What the edge was told of it before a restore, where that could not be brought back.
    pub receipt: Option<Receipt>,
    pub on_at: DateTime<Utc>,
    pub captured_at: DateTime<Utc>,
    pub edge_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
}

/// What staff and the log should hear of, beside the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub code: &'static str,
    pub station_id: i64,
    pub text: String,
}

/// What the audit log keeps of a change that nobody asked for by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    pub action: &'static str,
    pub subject: String,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

/// Every row that a group of events may touch, locked; and what has changed.
#[derive(Debug, Default)]
pub struct Ledger {
    pub sites: BTreeMap<i64, Site>,
    pub stations: BTreeMap<i64, Row<Station>>,
    /// The calls of those stations, by queue entry.
    pub calls: BTreeMap<i64, Row<Call>>,
    pub vehicles: BTreeMap<i64, Vehicle>,
    pub drivers: BTreeMap<i64, String>,
    /// Of those that receipts name, the ones that exist.
    pub products: BTreeSet<i64>,
    pub customers: BTreeSet<i64>,
    pub records: BTreeMap<i64, Row<Record>>,
    /// Records that end without any weight: nothing was weighed.
    pub removed: BTreeSet<i64>,
    pub captures: BTreeMap<CycleId, Row<CaptureRow>>,
    /// The cycles of captures that those records have taken before, by capture: what completes a record may be one of them.
    pub taken_before: BTreeMap<i64, CycleId>,
    /// What was printed of those that wait with it for their record's other pass, by capture.
    pub printed: BTreeMap<i64, Receipt>,
    /// Printed numbers of records that wait so: nobody else gets them.
    pub reserved: Vec<(i64, SlipNumber)>,
    /// Records that were looked at for what they lacked after a restore, and lack nothing any more.
    pub settled: BTreeSet<i64>,
    /// Slip numbers that receipts name, with their record where they have one.
    pub slips: BTreeMap<String, Option<i64>>,
    /// How far slips are numbered, of the sites and days that receipts name.
    pub slip_counters: BTreeMap<(i64, NaiveDate), i32>,
    /// Ids drawn for captures that are not stored yet.
    pub fresh_capture_ids: Vec<i64>,
    /// The last id that was drawn for a record, with what receipts name passed by.
    pub last_record_id: i64,
    /// Ids drawn after it, for records that receipts bring back without one of their own.
    pub fresh_record_ids: Vec<i64>,
    /// Records that were completed, in order: so are their slips numbered.
    pub completed: Vec<i64>,
    pub alarms: Vec<Alarm>,
    pub audits: Vec<Audit>,
    /// Stations whose state a screen shows and which have changed.
    pub touched_stations: BTreeSet<i64>,
    pub min_net: Kilograms,
    /// The name of the database, which its receipts carry.
    pub database: Option<Uuid>,
}

impl Ledger {
    /// The open call of a station: there is at most one.
    pub fn open_call(&mut self, station_id: i64) -> Option<(i64, &mut Row<Call>)> {
        self.calls
            .iter_mut()
            .find(|(_, call)| call.station_id == station_id && call.status == CallStatus::Called)
            .map(|(id, call)| (*id, call))
    }

    /// Whether a stored record may be written anew: a completed one does not change, but by the group that completed it.
    pub fn may_rewrite(&self, id: i64, record: &Record) -> bool {
        record.status.is_open() || self.completed.contains(&id)
    }

    pub fn alarm(&mut self, code: &'static str, station_id: i64, text: String) {
        self.alarms.push(Alarm { code, station_id, text });
    }

    /// Something of this edge was lost or cannot be believed: what drove on its stations before `now` belongs to no call.
    pub fn distrust(&mut self, edge_id: i64, now: DateTime<Utc>) {
        for station in self
            .stations
            .values_mut()
            .filter(|station| station.edge_id == Some(edge_id))
        {
            station.change().trusted_since = now;
        }
    }

    /// The same for one station that was named wrongly.
    pub fn distrust_station(&mut self, station_id: i64, now: DateTime<Utc>) {
        if let Some(station) = self.stations.get_mut(&station_id) {
            station.change().trusted_since = now;
        }
    }

    pub fn set_deck(&mut self, station_id: i64, deck: Option<CycleId>, status: StationStatus) {
        self.touched_stations.insert(station_id);
        if let Some(station) = self.stations.get_mut(&station_id)
            && (station.deck, station.status) != (deck, status)
        {
            let station = station.change();
            (station.deck, station.status) = (deck, status);
        }
    }

    /// The cycle of a capture that this group, or a record at hand, has taken.
    pub fn cycle_of(&self, capture_id: i64) -> Option<CycleId> {
        let here = self.captures.values().find(|capture| capture.id == capture_id);
        here.map(|capture| capture.cycle)
            .or_else(|| self.taken_before.get(&capture_id).copied())
    }
}
