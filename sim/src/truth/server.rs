//! What the server has, read from its database in one snapshot.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio_postgres::{Client, IsolationLevel, NoTls, Row, Transaction};
use weighbridge_protocol::Kilograms;

use crate::SimError;

/// A row of `capture`, as far as the comparison needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    pub id: i64,
    pub station_id: i64,
    pub weight: Kilograms,
    pub gap: bool,
    /// The edge's wall clock where known, else the server's.
    pub at: DateTime<Utc>,
    pub record_id: Option<i64>,
    /// Whether a person decided where it belongs.
    pub decided: bool,
}

/// A row of `weigh_record`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: i64,
    pub vehicle_id: i64,
    pub status: String,
    pub gross: Option<Kilograms>,
    pub tare: Option<Kilograms>,
    pub net: Option<Kilograms>,
}

/// A number of a day: of a slip, or of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    pub site_id: i64,
    pub day: String,
    pub number: i64,
}

/// An event by its identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct EventName {
    pub epoch: String,
    pub seq: i64,
}

/// Everything that is compared with the truth.
#[derive(Clone, Debug, Default)]
pub struct ServerSide {
    pub captures: Vec<Capture>,
    pub records: Vec<Record>,
    /// Slips, those known to be lost included.
    pub slips: Vec<Numbered>,
    pub queue: Vec<Numbered>,
    pub events: Vec<EventName>,
}

impl ServerSide {
    /// Reads it from the database at `url`.
    pub async fn read(url: &str) -> Result<Self, SimError> {
        let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let work = tokio::spawn(connection);
        let read = Self::read_from(&mut client).await;
        drop(client);
        match work.await {
            Ok(ended) => ended?,
            Err(error) => return Err(SimError::Internal(format!("the database's connection broke: {error}"))),
        }
        read
    }

    async fn read_from(client: &mut Client) -> Result<Self, SimError> {
        let snapshot = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let snapshot = snapshot.start().await?;
        Ok(Self {
            captures: rows(&snapshot, CAPTURES, capture).await?,
            records: rows(&snapshot, RECORDS, record).await?,
            slips: rows(
                &snapshot,
                "SELECT site_id, day::text, number::bigint FROM slip",
                numbered,
            )
            .await?,
            queue: rows(
                &snapshot,
                "SELECT site_id, day::text, queue_number::bigint FROM v_queue",
                numbered,
            )
            .await?,
            events: rows(
                &snapshot,
                "SELECT epoch, seq FROM v_edge_events WHERE status <> 'LOST'",
                event,
            )
            .await?,
        })
    }
}

/// The events that an edge said it had committed, from the lines of its standard output; other lines are passed over.
pub fn committed(path: &Path) -> Result<Vec<EventName>, SimError> {
    #[derive(Deserialize)]
    struct Line {
        ev: String,
        #[serde(flatten)]
        event: EventName,
    }
    let text = std::fs::read_to_string(path).map_err(|source| SimError::file("read", path, source))?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    Ok(lines
        .filter(|line| line.ev == "committed")
        .map(|line| line.event)
        .collect())
}

const CAPTURES: &str = "SELECT id, station_id, weight::text, gap, \
    (extract(epoch FROM coalesce(edge_at, captured_at)) * 1000000)::bigint, record_id, decided_by IS NOT NULL \
    FROM capture ORDER BY id";

const RECORDS: &str = "SELECT id, vehicle_id, status::text, gross_weight::text, tare_weight::text, net_weight::text \
    FROM weigh_record ORDER BY id";

async fn rows<T>(
    snapshot: &Transaction<'_>,
    sql: &str,
    read: fn(&Row) -> Result<T, SimError>,
) -> Result<Vec<T>, SimError> {
    snapshot.query(sql, &[]).await?.iter().map(read).collect()
}

fn capture(row: &Row) -> Result<Capture, SimError> {
    Ok(Capture {
        id: row.try_get(0)?,
        station_id: row.try_get(1)?,
        weight: weight(row.try_get(2)?)?,
        gap: row.try_get(3)?,
        at: DateTime::from_timestamp_micros(row.try_get(4)?).unwrap_or_default(),
        record_id: row.try_get(5)?,
        decided: row.try_get(6)?,
    })
}

fn record(row: &Row) -> Result<Record, SimError> {
    let weight_at = |column| row.try_get::<_, Option<&str>>(column)?.map(weight).transpose();
    Ok(Record {
        id: row.try_get(0)?,
        vehicle_id: row.try_get(1)?,
        status: row.try_get(2)?,
        gross: weight_at(3)?,
        tare: weight_at(4)?,
        net: weight_at(5)?,
    })
}

fn numbered(row: &Row) -> Result<Numbered, SimError> {
    Ok(Numbered {
        site_id: row.try_get(0)?,
        day: row.try_get(1)?,
        number: row.try_get(2)?,
    })
}

fn event(row: &Row) -> Result<EventName, SimError> {
    Ok(EventName {
        epoch: row.try_get(0)?,
        seq: row.try_get(1)?,
    })
}

fn weight(text: &str) -> Result<Kilograms, SimError> {
    text.parse()
        .map_err(|error| SimError::Server(format!("a weight in the database is unreadable: {error}")))
}
