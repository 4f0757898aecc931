//! What Live is told, and by whom. Values come encoded ([`Json`]), so that Live is bound to no shape of theirs; the
//! shapes are those of the interface's description.

use actix::Message;
use uuid::Uuid;

use super::Json;

/// A station shows another weight. Sent by its `Indicator`, as often as it likes: only the newest counts.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct WeightChanged {
    pub station: i64,
    pub site: i64,
    /// `{station_id, weight, unit, stable, state, stale, at}`
    pub weight: Json,
}

/// A station was opened, closed, renamed, fell silent, lost its edge … Sent by its `Indicator`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct StationChanged {
    pub station: i64,
    pub site: i64,
    /// `{id, name, status, open, current_vehicle, last_weight, link, indicator}`
    pub item: Json,
}

/// A site's waiting line changed. Sent by its `Queue`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct QueueChanged {
    pub site: i64,
    /// The whole line: `{id, queue_number, vehicle_plate, driver_name, station_id, status, estimated_time}` each.
    pub entries: Vec<Json>,
}

/// A record's state changed. Sent by whoever changed it: an `Indicator`, or a correction by staff.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct WeighingChanged {
    pub site: i64,
    pub record: i64,
    /// The record as an item of the list of records.
    pub item: Json,
}

/// The day's figures changed. Sent by whoever counted them.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SummaryChanged {
    /// `None` for all sites together, which a server with one site need not send.
    pub site: Option<i64>,
    /// `{total_count, completed_count, avg_process_time, hourly_stats}`
    pub summary: Json,
}

/// Something that one driver must see. Sent by the `Queue` of the driver's site.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct DriverChanged {
    pub driver: i64,
    pub news: DriverNews,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverNews {
    /// `{queue_number, ahead_count, estimated_wait_time, eta_p50, eta_p80, status, station}`; `None` out of the line.
    Position(Option<Json>),
    /// `{station, deadline}`
    Called(Json),
    /// `{slip}`
    Completed(Json),
}

/// Snapshots are owed to some seats. Sent by their sessions; lost, it is made good by the next sweep.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SnapshotsOwed;

/// Rights were withdrawn: closes the sockets concerned with 4403. Sent by logout, a changed password, a disabled account
/// and the end of a login session; answers how many there were.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "usize")]
pub enum Revoke {
    User(i64),
    Login(Uuid),
}

/// The server stops: closes every socket with 1012, and takes no new one. Sent by start-up; answered when the last client
/// has hung up or was given up, after 3 s at the latest.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloseAll;
