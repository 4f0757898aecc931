//! What is stored of readings and of what they led to: a row each, and the effects of the latter.

use std::collections::HashMap;

use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::Kilograms;

use super::cycle::Cycle;
use crate::{
    db::{
        DbError,
        ledger::{self, Changes},
        prepared::Prepare,
        weight::MaybeWeight,
    },
    domain::{
        feed::{
            FeedReading,
            rows::{Row, Rows},
            station::Known,
        },
        weighing::Ledger,
    },
};

/// What is known of a reading that was stored before.
#[derive(QueryableByName)]
struct KnownRow {
    #[diesel(sql_type = sql_types::Uuid)]
    event_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    sha256: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    capture_id: Option<i64>,
}

/// Those of these readings that were stored before. What a reading settled is stored right behind it.
pub(super) async fn known(
    conn: &mut AsyncPgConnection,
    readings: &[FeedReading],
) -> Result<HashMap<Uuid, Known>, DbError> {
    let ids: Vec<Uuid> = readings.iter().map(|reading| reading.event_id).collect();
    let found: Vec<KnownRow> = diesel::sql_query(
        "SELECT e.event_id, e.sha256::text, (SELECT c.id FROM capture c WHERE c.epoch = e.epoch AND c.seq > e.seq \
           AND c.seq < coalesce((SELECT n.seq FROM edge_event n WHERE n.epoch = e.epoch AND n.seq > e.seq \
             AND n.kind = 'reading' ORDER BY n.seq LIMIT 1), 9223372036854775807) ORDER BY c.seq LIMIT 1) AS capture_id \
         FROM edge_event e WHERE e.event_id = ANY($1)",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
    .prepared()
    .load(conn)
    .await?;
    let known = |row: KnownRow| {
        let known = Known {
            sha256: row.sha256,
            capture_id: row.capture_id,
        };
        (row.event_id, known)
    };
    Ok(found.into_iter().map(known).collect())
}

/// Applies what the readings led to, and writes it.
pub(super) async fn apply(
    conn: &mut AsyncPgConnection,
    rows: &mut Rows,
    cycle: &Cycle,
    min_net: Kilograms,
) -> Result<(Ledger, Changes), DbError> {
    let Some(wanted) = rows.wanted(min_net) else {
        return Ok((Ledger::default(), Changes::default()));
    };
    let mut loaded = ledger::load(conn, &wanted).await?;
    rows.take_effect(&mut loaded.ledger, cycle.station.edge_id);
    let changes = ledger::save(conn, &mut loaded).await?;
    Ok((loaded.ledger, changes))
}

/// All rows by one statement, however many there are.
pub(super) async fn insert(conn: &mut AsyncPgConnection, rows: &Rows) -> Result<(), DbError> {
    use sql_types::{Array, BigInt, Nullable, Numeric, Text, Timestamptz};
    if rows.new.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO edge_event (epoch, seq, edge_id, station_id, kind, cycle, sha256, body, status, reason, event_id, \
           weight, at, received_at) \
         SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind::<sql_types::Uuid, _>(Uuid::from_u128(rows.epoch.bits()))
    .bind::<Array<BigInt>, _>(each(rows, |row| row.seq))
    .bind::<Array<BigInt>, _>(each(rows, |row| row.edge_id))
    .bind::<Array<BigInt>, _>(each(rows, |row| row.station_id))
    .bind::<Array<Text>, _>(each(rows, |row| row.kind))
    .bind::<Array<Nullable<sql_types::Uuid>>, _>(each(rows, |row| row.cycle.map(|cycle| Uuid::from_u128(cycle.bits()))))
    .bind::<Array<Text>, _>(each(rows, |row| row.sha256.as_str()))
    .bind::<Array<Text>, _>(each(rows, |row| row.body.as_str()))
    .bind::<Array<Text>, _>(each(rows, |row| row.status))
    .bind::<Array<Nullable<Text>>, _>(each(rows, |row| row.reason.as_deref()))
    .bind::<Array<Nullable<sql_types::Uuid>>, _>(each(rows, |row| row.event_id))
    .bind::<Array<Nullable<Numeric>>, _>(each(rows, |row| MaybeWeight(row.weight)))
    .bind::<Array<Nullable<Timestamptz>>, _>(each(rows, |row| Some(row.moments.at).filter(|_| !row.moments.doubtful)))
    .bind::<Array<Timestamptz>, _>(each(rows, |row| row.received_at))
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

fn each<'a, T>(rows: &'a Rows, column: impl FnMut(&'a Row) -> T) -> Vec<T> {
    rows.new.iter().map(column).collect()
}
