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
    pub slip_number: Option<String>,
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
    /// How many numbers of the queue a restore left out on a day.
    pub left_out: Vec<Numbered>,
    pub events: Vec<EventName>,
    /// Those who are still in the line, or wait for a decision: number and status.
    pub open_entries: Vec<(i64, String)>,
    /// What others have not got yet.
    pub owed: Vec<Owed>,
}

/// Messages of a kind that are not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    pub kind: String,
    pub state: String,
    pub count: i64,
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
            left_out: rows(
                &snapshot,
                "SELECT site_id, day::text, left_out::bigint FROM queue_counter WHERE left_out > 0",
                numbered,
            )
            .await?,
            events: rows(
                &snapshot,
                "SELECT epoch, seq FROM v_edge_events WHERE status <> 'LOST'",
                event,
            )
            .await?,
            open_entries: rows(&snapshot, OPEN_ENTRIES, open_entry).await?,
            owed: rows(&snapshot, OWED, owed).await?,
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

const RECORDS: &str = "SELECT id, vehicle_id, slip_number, status::text, gross_weight::text, tare_weight::text, \
    net_weight::text FROM weigh_record ORDER BY id";

const OPEN_ENTRIES: &str = "SELECT queue_number::bigint, status::text FROM v_queue \
    WHERE status IN ('WAITING', 'CALLED', 'REVIEW') ORDER BY id";

const OWED: &str = "SELECT kind::text, state::text, count(*) FROM v_outbox WHERE state NOT IN ('SENT', 'DISCARDED') \
    GROUP BY kind, state ORDER BY kind, state";

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
        slip_number: row.try_get(2)?,
        status: row.try_get(3)?,
        gross: weight_at(4)?,
        tare: weight_at(5)?,
        net: weight_at(6)?,
    })
}

fn open_entry(row: &Row) -> Result<(i64, String), SimError> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn owed(row: &Row) -> Result<Owed, SimError> {
    Ok(Owed {
        kind: row.try_get(0)?,
        state: row.try_get(1)?,
        count: row.try_get(2)?,
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
