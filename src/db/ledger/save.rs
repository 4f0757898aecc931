//! Writes what the rules have changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Loaded, names, slips};
use crate::{
    db::{DbError, audit_log, outbox, schema, wait_queue, weight::Weight},
    domain::{
        call_news::Withdrawn,
        weighing::{
            Ledger, completed,
            ledger::{Alarm, Call, CallStatus, CaptureRow, Record, RecordStatus, Row},
            restored,
        },
    },
};

/// What others should hear of, once the transaction is committed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Stations with another state, and the records that changed there.
    pub stations: BTreeMap<i64, Vec<i64>>,
    /// Sites whose line has moved.
    pub sites: BTreeSet<i64>,
    /// Captures that no call explains.
    pub unassigned: usize,
    pub alarms: Vec<Alarm>,
    /// Something is owed to others.
    pub owes: bool,
}

/// Writes every changed row and what follows from it. Slip numbers come last.
pub async fn save(conn: &mut AsyncPgConnection, loaded: &mut Loaded) -> Result<Changes, DbError> {
    let Loaded { ledger, weighed_at } = loaded;
    stations(conn, ledger).await?;
    let removed: Vec<i64> = ledger.removed.iter().copied().collect();
    if !removed.is_empty() {
        use schema::weigh_record::dsl;
        diesel::delete(dsl::weigh_record.filter(dsl::id.eq_any(&removed)))
            .execute(conn)
            .await?;
    }
    calls(conn, ledger).await?;
    captures(conn, ledger).await?;
    let named = names::of_completed(conn, ledger).await?;
    slips::number(conn, ledger).await?;
    for (id, record) in ledger
        .records
        .iter()
        .filter(|(id, row)| row.is_changed() && !ledger.removed.contains(id))
    {
        match weighed_at.get(id) {
            Some(stored) if ledger.may_rewrite(*id, record) => {
                rewrite(conn, *id, *stored, record).await?;
            }
            Some(_) => {}
            None => insert(conn, *id, record).await?,
        }
        flag(conn, *id, record).await?;
        if record.review.is_none() && ledger.settled.contains(id) {
            settle(conn, *id, record).await?;
        }
    }
    let messages: Vec<_> = named
        .iter()
        .flat_map(|(id, names)| completed::messages(ledger, *id, names))
        .collect();
    outbox::enqueue(conn, &messages).await?;
    audit_log::by_system(conn, &ledger.audits).await?;
    Ok(changes(ledger))
}

fn changes(ledger: &Ledger) -> Changes {
    let fresh = |row: &&Row<CaptureRow>| row.is_changed() && row.evidence.is_some() && row.record_id.is_none();
    let mut stations: BTreeMap<i64, Vec<i64>> = ledger
        .touched_stations
        .iter()
        .map(|station| (*station, Vec::new()))
        .collect();
    for (id, record) in ledger
        .records
        .iter()
        .filter(|(id, row)| row.is_changed() && !ledger.removed.contains(id))
    {
        stations.entry(record.station_id).or_default().push(*id);
    }
    let moved = || {
        let changed = ledger.calls.values().filter(|call| call.is_changed());
        changed.filter(|call| call.status != CallStatus::Called)
    };
    Changes {
        stations,
        sites: moved()
            .filter_map(|call| ledger.stations.get(&call.station_id))
            .map(|station| station.site_id)
            .collect(),
        unassigned: ledger.captures.values().filter(fresh).count(),
        alarms: ledger.alarms.clone(),
        owes: !ledger.completed.is_empty() || moved().any(|call| withdrawn(call).is_some()),
    }
}

async fn stations(conn: &mut AsyncPgConnection, ledger: &Ledger) -> Result<(), DbError> {
    use schema::weigh_station::dsl;
    for (id, station) in ledger.stations.iter().filter(|(_, row)| row.is_changed()) {
        diesel::update(dsl::weigh_station.filter(dsl::id.eq(id)))
            .set((
                dsl::status.eq(station.status.name()),
                dsl::deck_cycle.eq(station.deck.map(|cycle| Uuid::from_u128(cycle.bits()))),
                dsl::trusted_since.eq(station.trusted_since),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn calls(conn: &mut AsyncPgConnection, ledger: &Ledger) -> Result<(), DbError> {
    use schema::wait_queue::dsl;
    for (id, call) in ledger.calls.iter().filter(|(_, row)| row.is_changed()) {
        if let Some(why) = withdrawn(call) {
            wait_queue::withdraw(conn, *id, why).await?;
        }
        if call.status == CallStatus::BackInLine {
            wait_queue::to_head(conn, *id).await?;
            continue;
        }
        diesel::update(dsl::wait_queue.filter(dsl::id.eq(id)))
            .set((
                dsl::status.eq(status_name(call)),
                dsl::capture_id.eq(call.capture_id),
                dsl::record_id.eq(call.record_id),
                dsl::completed_at.eq(call.completed_at),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Why the driver is told that his call is no longer true, where it ended without a weight of its own.
const fn withdrawn(call: &Call) -> Option<Withdrawn> {
    match call.status {
        CallStatus::Called | CallStatus::Completed => None,
        CallStatus::Review => Some(Withdrawn::Review),
        CallStatus::BackInLine => Some(Withdrawn::LeftUnweighed),
    }
}

const fn status_name(call: &Call) -> &'static str {
    match call.status {
        CallStatus::Called => "CALLED",
        CallStatus::Completed => "COMPLETED",
        CallStatus::Review => "REVIEW",
        CallStatus::BackInLine => "WAITING",
    }
}

#[derive(Insertable)]
#[diesel(table_name = schema::capture)]
struct NewCapture<'a> {
    id: i64,
    station_id: i64,
    cycle: Uuid,
    epoch: Uuid,
    seq: i64,
    weight: Weight,
    gap: bool,
    doubtful: bool,
    raw: &'a str,
    curve: &'a Value,
    receipt: Option<Value>,
    on_at: DateTime<Utc>,
    captured_at: DateTime<Utc>,
    edge_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    state: &'a str,
    record_id: Option<i64>,
}

async fn captures(conn: &mut AsyncPgConnection, ledger: &Ledger) -> Result<(), DbError> {
    let new: Vec<_> = ledger
        .captures
        .values()
        .filter(|row| row.is_changed())
        .filter_map(|row| new_capture(row))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    diesel::insert_into(schema::capture::table)
        .values(new)
        .execute(conn)
        .await?;
    Ok(())
}

fn new_capture(row: &CaptureRow) -> Option<NewCapture<'_>> {
    let evidence = row.evidence.as_ref()?;
    Some(NewCapture {
        id: row.id,
        station_id: row.station_id,
        cycle: Uuid::from_u128(row.cycle.bits()),
        epoch: Uuid::from_u128(evidence.epoch.bits()),
        seq: evidence.seq,
        weight: row.weight.into(),
        gap: evidence.gap,
        doubtful: evidence.doubtful,
        raw: &evidence.raw,
        curve: &evidence.curve,
        receipt: evidence.receipt.as_ref().map(|receipt| json!(receipt)),
        on_at: evidence.on_at,
        captured_at: evidence.captured_at,
        edge_at: evidence.edge_at,
        received_at: evidence.received_at,
        state: if row.record_id.is_some() {
            "ASSIGNED"
        } else {
            "UNASSIGNED"
        },
        record_id: row.record_id,
    })
}

#[derive(AsChangeset)]
#[diesel(table_name = schema::weigh_record, treat_none_as_null = true)]
struct RecordChange<'a> {
    station_id: i64,
    weighed_at: DateTime<Utc>,
    status: &'a str,
    direction: Option<String>,
    gross_weight: Option<Weight>,
    tare_weight: Option<Weight>,
    net_weight: Option<Weight>,
    first_weight: Option<Weight>,
    first_weighed_at: Option<DateTime<Utc>>,
    first_station_id: Option<i64>,
    first_capture_id: Option<i64>,
    second_weight: Option<Weight>,
    second_weighed_at: Option<DateTime<Utc>>,
    second_station_id: Option<i64>,
    second_capture_id: Option<i64>,
    slip_number: Option<String>,
    overload: Option<String>,
    revision: i32,
}

impl<'a> From<&'a Record> for RecordChange<'a> {
    fn from(record: &'a Record) -> Self {
        let (first, second, weights) = (record.first, record.second, record.weights);
        Self {
            station_id: record.station_id,
            weighed_at: record.weighed_at,
            status: record.status.name(),
            direction: record.direction.clone(),
            gross_weight: weights.map(|weights| weights.gross.into()),
            tare_weight: weights.map(|weights| weights.tare.into()),
            net_weight: weights.map(|weights| weights.net.into()),
            first_weight: first.map(|pass| pass.weight.into()),
            first_weighed_at: first.map(|pass| pass.at),
            first_station_id: first.map(|pass| pass.station_id),
            first_capture_id: first.and_then(|pass| pass.capture_id),
            second_weight: second.map(|pass| pass.weight.into()),
            second_weighed_at: second.map(|pass| pass.at),
            second_station_id: second.map(|pass| pass.station_id),
            second_capture_id: second.and_then(|pass| pass.capture_id),
            slip_number: record.slip.as_ref().map(ToString::to_string),
            overload: record.overload.map(str::to_owned),
            revision: record.revision,
        }
    }
}

/// `stored` is its `weighed_at` before: with it, only one partition is searched.
async fn rewrite(conn: &mut AsyncPgConnection, id: i64, stored: DateTime<Utc>, record: &Record) -> Result<(), DbError> {
    use schema::weigh_record::dsl;
    diesel::update(
        dsl::weigh_record
            .filter(dsl::id.eq(id))
            .filter(dsl::weighed_at.eq(stored)),
    )
    .set(RecordChange::from(record))
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks staff to look at a record: the one thing that may still change on a completed one.
async fn flag(conn: &mut AsyncPgConnection, id: i64, record: &Record) -> Result<(), DbError> {
    use schema::weigh_record::dsl;
    let Some(reason) = record.review else { return Ok(()) };
    diesel::update(
        dsl::weigh_record
            .filter(dsl::id.eq(id))
            .filter(dsl::weighed_at.eq(record.weighed_at)),
    )
    .set((dsl::needs_review.eq(true), dsl::review_reason.eq(reason)))
    .execute(conn)
    .await?;
    Ok(())
}

/// What a record lacked after a restore has come back: nobody need look at it for that any more.
async fn settle(conn: &mut AsyncPgConnection, id: i64, record: &Record) -> Result<(), DbError> {
    use schema::weigh_record::dsl;
    let nothing: Option<String> = None;
    diesel::update(
        dsl::weigh_record
            .filter(dsl::id.eq(id))
            .filter(dsl::weighed_at.eq(record.weighed_at))
            .filter(dsl::review_reason.eq(restored::INCOMPLETE)),
    )
    .set((dsl::needs_review.eq(false), dsl::review_reason.eq(nothing)))
    .execute(conn)
    .await?;
    Ok(())
}

/// A record that only a receipt remembers.
async fn insert(conn: &mut AsyncPgConnection, id: i64, record: &Record) -> Result<(), DbError> {
    use schema::weigh_record::dsl;
    diesel::insert_into(dsl::weigh_record)
        .values((
            dsl::id.eq(id),
            dsl::site_id.eq(record.site_id),
            dsl::station_id.eq(record.station_id),
            dsl::vehicle_id.eq(record.vehicle_id),
            dsl::driver_id.eq(record.driver_id),
            dsl::product_id.eq(record.product_id),
            dsl::customer_id.eq(record.customer_id),
            dsl::weighed_at.eq(record.weighed_at),
            dsl::status.eq(RecordStatus::Weighing.name()),
            dsl::revision.eq(record.revision),
        ))
        .execute(conn)
        .await?;
    rewrite(conn, id, record.weighed_at, record).await
}
