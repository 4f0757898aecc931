//! Locks the rows that a group of events, or a hand, may touch.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weighbridge_protocol::CycleId;

use super::{Loaded, parties};
use crate::{
    db::{DbError, prepared::Prepare, schema, weight::Weight},
    domain::{
        overload::Overload,
        slip::SlipNumber,
        weighing::{
            Ledger, Wanted,
            ledger::{
                Call, CallStatus, CaptureRow, Pass, Record, RecordStatus, Row, Site, Station, StationStatus, Weights,
            },
        },
    },
};

/// Loads and locks. Must run inside a transaction.
pub async fn load(conn: &mut AsyncPgConnection, wanted: &Wanted) -> Result<Loaded, DbError> {
    let mut ledger = Ledger {
        min_net: wanted.min_net,
        database: wanted.database,
        ..Ledger::default()
    };
    stations(conn, wanted, &mut ledger).await?;
    calls(conn, wanted, &mut ledger).await?;
    captures(conn, wanted, &mut ledger).await?;
    let weighed_at = records(conn, wanted, &mut ledger).await?;
    taken_before(conn, &mut ledger).await?;
    parties::vehicles(conn, wanted, &mut ledger).await?;
    parties::drivers(conn, wanted, &mut ledger).await?;
    parties::slips(conn, wanted, &mut ledger).await?;
    parties::record_ids(conn, wanted, &mut ledger).await?;
    parties::named_by_receipts(conn, wanted, &mut ledger).await?;
    ledger.fresh_capture_ids = fresh_ids(conn, "capture_id_seq", wanted.fresh_captures).await?;
    ledger.fresh_record_ids = fresh_ids(
        conn,
        "weigh_record_id_seq",
        wanted.receipts.len() + wanted.fresh_records,
    )
    .await?;
    Ok(Loaded { ledger, weighed_at })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::weigh_station)]
struct StationRow {
    id: i64,
    site_id: i64,
    edge_id: Option<i64>,
    capacity: Option<Weight>,
    trusted_since: DateTime<Utc>,
    least_approach_ms: i32,
    status: String,
    deck_cycle: Option<Uuid>,
}

async fn stations(conn: &mut AsyncPgConnection, wanted: &Wanted, ledger: &mut Ledger) -> Result<(), DbError> {
    use schema::weigh_station::dsl;
    let rows: Vec<StationRow> = dsl::weigh_station
        .filter(
            dsl::id
                .eq_any(list(&wanted.stations))
                .or(dsl::edge_id.eq_any(list(&wanted.edges))),
        )
        .order(dsl::id)
        .select(StationRow::as_select())
        .for_no_key_update()
        .load(conn)
        .await?;
    let sites: BTreeSet<i64> = rows.iter().map(|row| row.site_id).collect();
    for row in rows {
        let station = Station {
            site_id: row.site_id,
            edge_id: row.edge_id,
            capacity: row.capacity.map(Into::into),
            trusted_since: row.trusted_since,
            least_approach: TimeDelta::milliseconds(row.least_approach_ms.into()),
            status: StationStatus::named(&row.status).unwrap_or(StationStatus::Idle),
            deck: row.deck_cycle.map(|cycle| CycleId::from_bits(cycle.as_u128())),
        };
        ledger.stations.insert(row.id, Row::loaded(station));
    }
    let rows: Vec<(i64, String, String)> = {
        use schema::site::dsl;
        dsl::site
            .filter(dsl::id.eq_any(list(&sites)))
            .select((dsl::id, dsl::time_zone, dsl::slip_prefix))
            .load(conn)
            .await?
    };
    for (id, zone, slip_prefix) in rows {
        let zone = zone.parse().unwrap_or(chrono_tz::Asia::Seoul);
        ledger.sites.insert(id, Site { zone, slip_prefix });
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::wait_queue)]
struct CallRow {
    id: i64,
    station_id: Option<i64>,
    vehicle_id: i64,
    driver_id: i64,
    product_id: Option<i64>,
    customer_id: Option<i64>,
    direction: Option<String>,
    called_at: Option<DateTime<Utc>>,
    calls_made: i32,
    status: String,
    capture_id: Option<i64>,
    record_id: Option<i64>,
}

/// Entries that are wanted by their ids are locked with the calls, in one order; only calls are of the ledger.
async fn calls(conn: &mut AsyncPgConnection, wanted: &Wanted, ledger: &mut Ledger) -> Result<(), DbError> {
    use schema::wait_queue::dsl;
    let here: Vec<i64> = ledger.stations.keys().copied().collect();
    let spent: Vec<i64> = wanted
        .receipts
        .iter()
        .filter_map(|receipt| receipt.vehicle_id)
        .collect();
    let rows: Vec<CallRow> = dsl::wait_queue
        .filter(
            dsl::status
                .eq("CALLED")
                .and(dsl::station_id.eq_any(here).or(dsl::vehicle_id.eq_any(spent)))
                .or(dsl::id.eq_any(list(&wanted.entries))),
        )
        .order(dsl::id)
        .select(CallRow::as_select())
        .for_no_key_update()
        .load(conn)
        .await?;
    for row in rows.into_iter().filter(|row| row.status == "CALLED") {
        let (Some(station_id), Some(called_at)) = (row.station_id, row.called_at) else {
            continue;
        };
        let call = Call {
            station_id,
            vehicle_id: row.vehicle_id,
            driver_id: Some(row.driver_id),
            product_id: row.product_id,
            customer_id: row.customer_id,
            direction: row.direction,
            called_at,
            calls_made: row.calls_made,
            status: CallStatus::Called,
            capture_id: row.capture_id,
            record_id: row.record_id,
            completed_at: None,
        };
        ledger.calls.insert(row.id, Row::loaded(call));
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::capture)]
struct CaptureLoaded {
    id: i64,
    station_id: i64,
    cycle: Uuid,
    weight: Weight,
    gap: bool,
    doubtful: bool,
    on_at: Option<DateTime<Utc>>,
    record_id: Option<i64>,
}

async fn captures(conn: &mut AsyncPgConnection, wanted: &Wanted, ledger: &mut Ledger) -> Result<(), DbError> {
    use schema::capture::dsl;
    if wanted.cycles.is_empty() {
        return Ok(());
    }
    let cycles: Vec<Uuid> = wanted
        .cycles
        .iter()
        .map(|cycle| Uuid::from_u128(cycle.bits()))
        .collect();
    let rows: Vec<CaptureLoaded> = dsl::capture
        .filter(dsl::cycle.eq_any(cycles))
        .order(dsl::id)
        .select(CaptureLoaded::as_select())
        .for_no_key_update()
        .load(conn)
        .await?;
    for loaded in rows {
        let cycle = CycleId::from_bits(loaded.cycle.as_u128());
        let row = CaptureRow {
            id: loaded.id,
            station_id: loaded.station_id,
            cycle,
            weight: loaded.weight.into(),
            on_at: loaded.on_at.filter(|_| !loaded.gap && !loaded.doubtful),
            record_id: loaded.record_id,
            evidence: None,
        };
        ledger.captures.insert(cycle, Row::loaded(row));
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::weigh_record)]
struct RecordRow {
    id: i64,
    site_id: i64,
    station_id: i64,
    vehicle_id: i64,
    driver_id: Option<i64>,
    product_id: Option<i64>,
    customer_id: Option<i64>,
    direction: Option<String>,
    weighed_at: DateTime<Utc>,
    status: String,
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

async fn records(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    ledger: &mut Ledger,
) -> Result<BTreeMap<i64, DateTime<Utc>>, DbError> {
    use schema::weigh_record::dsl;
    let mut ids = wanted.records.clone();
    ids.extend(ledger.calls.values().filter_map(|call| call.record_id));
    ids.extend(ledger.captures.values().filter_map(|capture| capture.record_id));
    ids.extend(wanted.receipts.iter().filter_map(|receipt| receipt.record_id));
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<RecordRow> = dsl::weigh_record
        .filter(dsl::id.eq_any(list(&ids)))
        .order(dsl::id)
        .select(RecordRow::as_select())
        .for_no_key_update()
        .load(conn)
        .await?;
    let weighed_at = rows.iter().map(|row| (row.id, row.weighed_at)).collect();
    for row in rows {
        let prefix = ledger
            .sites
            .get(&row.site_id)
            .map_or("", |site| site.slip_prefix.as_str());
        let slip = row
            .slip_number
            .as_deref()
            .and_then(|text| SlipNumber::parse(text, prefix));
        let (id, record) = row.into_record(slip);
        ledger.records.insert(id, Row::loaded(record));
    }
    Ok(weighed_at)
}

/// A capture keeps its cycle and its receipt: no lock is needed to read them.
async fn taken_before(conn: &mut AsyncPgConnection, ledger: &mut Ledger) -> Result<(), DbError> {
    use schema::capture::dsl;
    let open = ledger.records.values().filter(|record| record.status.is_open());
    let ids: Vec<i64> = open.filter_map(|record| record.first?.capture_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i64, Uuid, Option<serde_json::Value>)> = dsl::capture
        .filter(dsl::id.eq_any(ids))
        .select((dsl::id, dsl::cycle, dsl::receipt))
        .load(conn)
        .await?;
    for (id, cycle, receipt) in rows {
        ledger.taken_before.insert(id, CycleId::from_bits(cycle.as_u128()));
        let printed = receipt.and_then(|receipt| serde_json::from_value(receipt).ok());
        ledger.printed.extend(printed.map(|printed| (id, printed)));
    }
    Ok(())
}

impl RecordRow {
    fn into_record(self, slip: Option<SlipNumber>) -> (i64, Record) {
        let pass = |weight: Option<Weight>, at: Option<DateTime<Utc>>, station: Option<i64>, capture_id| {
            Some(Pass {
                weight: weight?.into(),
                at: at?,
                station_id: station?,
                capture_id,
            })
        };
        let weights = match (self.gross_weight, self.tare_weight, self.net_weight) {
            (Some(gross), Some(tare), Some(net)) => Some(Weights {
                gross: gross.into(),
                tare: tare.into(),
                net: net.into(),
            }),
            _ => None,
        };
        let record = Record {
            site_id: self.site_id,
            station_id: self.station_id,
            vehicle_id: self.vehicle_id,
            driver_id: self.driver_id,
            product_id: self.product_id,
            customer_id: self.customer_id,
            direction: self.direction,
            weighed_at: self.weighed_at,
            status: RecordStatus::named(&self.status).unwrap_or(RecordStatus::Voided),
            first: pass(
                self.first_weight,
                self.first_weighed_at,
                self.first_station_id,
                self.first_capture_id,
            ),
            second: pass(
                self.second_weight,
                self.second_weighed_at,
                self.second_station_id,
                self.second_capture_id,
            ),
            weights,
            overload: self.overload.as_deref().and_then(Overload::named).map(Overload::name),
            review: None,
            slip,
            revision: self.revision,
        };
        (self.id, record)
    }
}

#[derive(QueryableByName)]
struct FreshId {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    id: i64,
}

/// Draws ids from a sequence. Ids may have gaps; slip numbers may not, and so come from a counter.
pub(super) async fn fresh_ids(
    conn: &mut AsyncPgConnection,
    sequence: &'static str,
    count: usize,
) -> Result<Vec<i64>, DbError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows: Vec<FreshId> =
        diesel::sql_query("SELECT nextval($1::text::regclass) AS id FROM generate_series(1, $2) ORDER BY 1 DESC")
            .bind::<diesel::sql_types::Text, _>(sequence)
            .bind::<diesel::sql_types::BigInt, _>(count)
            .prepared()
            .load(conn)
            .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Lets a sequence pass by so many ids. Drawn one by one, for `setval` could take back what another draws at this moment.
pub(in crate::db) async fn pass_by(
    conn: &mut AsyncPgConnection,
    sequence: &'static str,
    count: i64,
) -> Result<(), DbError> {
    diesel::sql_query("SELECT count(nextval($1::text::regclass)) FROM generate_series(1, $2)")
        .bind::<diesel::sql_types::Text, _>(sequence)
        .bind::<diesel::sql_types::BigInt, _>(count)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) fn list(ids: &BTreeSet<i64>) -> Vec<i64> {
    ids.iter().copied().collect()
}
