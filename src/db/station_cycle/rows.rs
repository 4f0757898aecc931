//! What is stored of readings and of what they led to: a row each, and the effects of the latter.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{EventBody, EventId, EventKind, event::sha256_hex},
};

use super::cycle::Cycle;
use crate::{
    db::{
        DbError,
        ledger::{self, Changes, Wanted},
        prepared::Prepare,
        weight::MaybeWeight,
    },
    domain::{
        edge_time::Moments,
        feed::FeedReading,
        weighing::{Arrival, Fate, Ledger, apply},
    },
};

/// What is known of a reading that was stored before.
#[derive(QueryableByName)]
pub(super) struct Known {
    #[diesel(sql_type = sql_types::Uuid)]
    event_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    pub(super) sha256: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub(super) capture_id: Option<i64>,
}

/// Rows to be stored, in order.
pub(super) struct Rows {
    epoch: Epoch,
    last_seq: i64,
    new: Vec<Row>,
}

struct Row {
    seq: i64,
    edge_id: i64,
    station_id: i64,
    kind: &'static str,
    cycle: Option<CycleId>,
    body: String,
    sha256: String,
    status: &'static str,
    reason: Option<String>,
    event_id: Option<Uuid>,
    weight: Option<Kilograms>,
    moments: Moments,
    received_at: DateTime<Utc>,
    /// What has effects; a reading has none of its own.
    event: Option<EventBody>,
}

/// Those of these readings that were stored before. What a reading settled is stored right behind it.
pub(super) async fn known(
    conn: &mut AsyncPgConnection,
    readings: &[FeedReading],
) -> Result<HashMap<Uuid, Known>, DbError> {
    let ids: Vec<Uuid> = readings.iter().map(|reading| reading.event_id).collect();
    let found: Vec<Known> = diesel::sql_query(
        "SELECT e.event_id, e.sha256::text, (SELECT c.id FROM capture c WHERE c.epoch = e.epoch AND c.seq > e.seq \
           AND c.seq < coalesce((SELECT n.seq FROM edge_event n WHERE n.epoch = e.epoch AND n.seq > e.seq \
             AND n.kind = 'reading' ORDER BY n.seq LIMIT 1), 9223372036854775807) ORDER BY c.seq LIMIT 1) AS capture_id \
         FROM edge_event e WHERE e.event_id = ANY($1)",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|known| (known.event_id, known)).collect())
}

impl Known {
    /// A reading that this transaction stores. Whoever posts it twice at once is told of its capture the next time.
    pub(super) fn of(reading: &FeedReading) -> Self {
        Self {
            event_id: reading.event_id,
            sha256: reading.sha256.clone(),
            capture_id: None,
        }
    }
}

impl Rows {
    pub(super) const fn after(epoch: Epoch, last_seq: i64) -> Self {
        Self {
            epoch,
            last_seq,
            new: Vec::new(),
        }
    }

    pub(super) const fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// Keeps a reading itself.
    pub(super) fn reading(&mut self, reading: &FeedReading, cycle: &Cycle) {
        let unnamed = "it came without an event_id, and is told apart by station, time and weight";
        self.last_seq += 1;
        self.new.push(Row {
            seq: self.last_seq,
            edge_id: reading.edge_id,
            station_id: cycle.station_id,
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
    pub(super) fn event(&mut self, reading: &FeedReading, cycle: Option<CycleId>, kind: EventKind) -> EventId {
        self.last_seq += 1;
        let (epoch, seq, mono_ms) = (self.epoch, self.last_seq, reading.mono_ms());
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

    /// Applies what the readings led to, and writes it.
    pub(super) async fn apply(
        &mut self,
        conn: &mut AsyncPgConnection,
        cycle: &Cycle,
        min_net: Kilograms,
    ) -> Result<(Ledger, Changes), DbError> {
        let mut wanted = Wanted {
            min_net,
            ..Wanted::default()
        };
        for event in self.new.iter().filter_map(|row| row.event.as_ref()) {
            wanted.stations.insert(cycle.station_id);
            wanted.cycles.extend(event.cycle);
            wanted.fresh_captures += usize::from(matches!(event.kind, EventKind::Capture(_)));
        }
        if wanted.stations.is_empty() {
            return Ok((Ledger::default(), Changes::default()));
        }
        let mut loaded = ledger::load(conn, &wanted).await?;
        for row in &mut self.new {
            row.take_effect(&mut loaded.ledger, cycle.edge_id);
        }
        let changes = ledger::save(conn, &mut loaded).await?;
        Ok((loaded.ledger, changes))
    }

    /// All rows by one statement, however many there are.
    pub(super) async fn insert(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use sql_types::{Array, BigInt, Nullable, Numeric, Text, Timestamptz};
        if self.new.is_empty() {
            return Ok(());
        }
        diesel::sql_query(
            "INSERT INTO edge_event (epoch, seq, edge_id, station_id, kind, cycle, sha256, body, status, reason, event_id, \
               weight, at, received_at) \
             SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind::<sql_types::Uuid, _>(Uuid::from_u128(self.epoch.bits()))
        .bind::<Array<BigInt>, _>(self.each(|row| row.seq))
        .bind::<Array<BigInt>, _>(self.each(|row| row.edge_id))
        .bind::<Array<BigInt>, _>(self.each(|row| row.station_id))
        .bind::<Array<Text>, _>(self.each(|row| row.kind))
        .bind::<Array<Nullable<sql_types::Uuid>>, _>(
            self.each(|row| row.cycle.map(|cycle| Uuid::from_u128(cycle.bits()))),
        )
        .bind::<Array<Text>, _>(self.each(|row| row.sha256.as_str()))
        .bind::<Array<Text>, _>(self.each(|row| row.body.as_str()))
        .bind::<Array<Text>, _>(self.each(|row| row.status))
        .bind::<Array<Nullable<Text>>, _>(self.each(|row| row.reason.as_deref()))
        .bind::<Array<Nullable<sql_types::Uuid>>, _>(self.each(|row| row.event_id))
        .bind::<Array<Nullable<Numeric>>, _>(self.each(|row| MaybeWeight(row.weight)))
        .bind::<Array<Nullable<Timestamptz>>, _>(
            self.each(|row| Some(row.moments.at).filter(|_| !row.moments.doubtful)),
        )
        .bind::<Array<Timestamptz>, _>(self.each(|row| row.received_at))
        .prepared()
        .execute(conn)
        .await?;
        Ok(())
    }

    fn each<'a, T>(&'a self, column: impl FnMut(&'a Row) -> T) -> Vec<T> {
        self.new.iter().map(column).collect()
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
