//! Who and what a ledger's rows name: vehicles, drivers, and what receipts remember.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::load::{list, pass_by};
use crate::{
    db::{DbError, prepared::Prepare, schema, weight::Weight},
    domain::{
        slip::SlipNumber,
        weighing::{Ledger, Wanted, last_record_id, ledger::Vehicle},
    },
};

/// Id, plate, tare, the tare's last day, greatest load.
type VehicleRow = (i64, String, Option<Weight>, Option<NaiveDate>, Option<Weight>);

pub(super) async fn vehicles(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    ledger: &mut Ledger,
) -> Result<(), DbError> {
    use schema::vehicle::dsl;
    let mut ids = wanted.vehicles.clone();
    ids.extend(ledger.calls.values().map(|call| call.vehicle_id));
    ids.extend(ledger.records.values().map(|record| record.vehicle_id));
    ids.extend(wanted.receipts.iter().filter_map(|receipt| receipt.vehicle_id));
    if ids.is_empty() && wanted.receipts.is_empty() {
        return Ok(());
    }
    // A receipt's truck may have another id by now.
    let plates: Vec<&str> = wanted
        .receipts
        .iter()
        .filter_map(|receipt| receipt.vehicle_plate.as_deref())
        .collect();
    let found = dsl::vehicle
        .filter(dsl::id.eq_any(list(&ids)).or(dsl::plate_number.eq_any(plates)))
        .order(dsl::id)
        .select((
            dsl::id,
            dsl::plate_number,
            dsl::tare_weight,
            dsl::tare_valid_until,
            dsl::max_load,
        ));
    // All in one statement, so that they are locked by ascending ids.
    let rows: Vec<VehicleRow> = if wanted.vehicles.is_empty() {
        found.for_share().load(conn).await?
    } else {
        found.for_no_key_update().load(conn).await?
    };
    for (id, plate, tare, tare_valid_until, max_load) in rows {
        let (tare, max_load) = (tare.map(Into::into), max_load.map(Into::into));
        ledger.vehicles.insert(
            id,
            Vehicle {
                plate,
                tare,
                tare_valid_until,
                max_load,
            },
        );
    }
    Ok(())
}

pub(super) async fn drivers(conn: &mut AsyncPgConnection, wanted: &Wanted, ledger: &mut Ledger) -> Result<(), DbError> {
    use schema::driver::dsl;
    let mut ids: BTreeSet<i64> = ledger.records.values().filter_map(|record| record.driver_id).collect();
    ids.extend(wanted.receipts.iter().filter_map(|receipt| receipt.driver_id));
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i64, String)> = dsl::driver
        .filter(dsl::id.eq_any(list(&ids)))
        .select((dsl::id, dsl::name))
        .load(conn)
        .await?;
    ledger.drivers.extend(rows);
    Ok(())
}

pub(super) async fn slips(conn: &mut AsyncPgConnection, wanted: &Wanted, ledger: &mut Ledger) -> Result<(), DbError> {
    use schema::slip::dsl;
    let numbers: Vec<String> = wanted
        .receipts
        .iter()
        .chain(ledger.printed.values())
        .filter_map(|receipt| receipt.slip_number.clone())
        .collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, Option<i64>)> = dsl::slip
        .filter(dsl::slip_number.eq_any(&numbers))
        .select((dsl::slip_number, dsl::record_id))
        .load(conn)
        .await?;
    ledger.slips.extend(rows);
    counters(conn, &numbers, ledger).await
}

/// How far slips are numbered, of the days that these numbers are of.
async fn counters(conn: &mut AsyncPgConnection, numbers: &[String], ledger: &mut Ledger) -> Result<(), DbError> {
    let days: BTreeSet<NaiveDate> = ledger
        .sites
        .values()
        .flat_map(|site| {
            numbers
                .iter()
                .filter_map(|text| SlipNumber::parse(text, &site.slip_prefix))
        })
        .map(|slip| slip.day())
        .collect();
    let sites: Vec<i64> = ledger.sites.keys().copied().collect();
    let rows: Vec<Numbered> = diesel::sql_query(
        "SELECT site_id, day, coalesce(last_number, slip_room_of(site_id, day)) AS last_number \
         FROM unnest($1::bigint[]) AS site_id CROSS JOIN unnest($2::date[]) AS day \
         LEFT JOIN slip_counter USING (site_id, day)",
    )
    .bind::<sql_types::Array<sql_types::BigInt>, _>(sites)
    .bind::<sql_types::Array<sql_types::Date>, _>(days.into_iter().collect::<Vec<_>>())
    .prepared()
    .load(conn)
    .await?;
    ledger
        .slip_counters
        .extend(rows.into_iter().map(|row| ((row.site_id, row.day), row.last_number)));
    Ok(())
}

#[derive(QueryableByName)]
struct Numbered {
    #[diesel(sql_type = sql_types::BigInt)]
    site_id: i64,
    #[diesel(sql_type = sql_types::Date)]
    day: NaiveDate,
    #[diesel(sql_type = sql_types::Integer)]
    last_number: i32,
}

#[derive(QueryableByName)]
struct LastId {
    #[diesel(sql_type = sql_types::BigInt)]
    last_value: i64,
}

/// Lets the sequence of record ids pass by what receipts name: an id that comes back must not be drawn again.
pub(super) async fn record_ids(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    ledger: &mut Ledger,
) -> Result<(), DbError> {
    if wanted.receipts.is_empty() {
        return Ok(());
    }
    let last: LastId = diesel::sql_query("SELECT last_value FROM weigh_record_id_seq")
        .prepared()
        .get_result(conn)
        .await?;
    ledger.last_record_id = last_record_id(last.last_value, &wanted.receipts);
    match ledger.last_record_id - last.last_value {
        0 => Ok(()),
        passed => pass_by(conn, "weigh_record_id_seq", passed).await,
    }
}

/// Products and customers that receipts name may be younger than the backup that was restored.
pub(super) async fn named_by_receipts(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    ledger: &mut Ledger,
) -> Result<(), DbError> {
    use schema::{customer, product};
    if wanted.receipts.is_empty() {
        return Ok(());
    }
    let products: Vec<i64> = wanted
        .receipts
        .iter()
        .filter_map(|receipt| receipt.product_id)
        .collect();
    let customers: Vec<i64> = wanted
        .receipts
        .iter()
        .filter_map(|receipt| receipt.customer_id)
        .collect();
    let known: Vec<i64> = product::table
        .filter(product::id.eq_any(products))
        .select(product::id)
        .load(conn)
        .await?;
    ledger.products.extend(known);
    let known: Vec<i64> = customer::table
        .filter(customer::id.eq_any(customers))
        .select(customer::id)
        .load(conn)
        .await?;
    ledger.customers.extend(known);
    Ok(())
}
