//! Who and what a ledger's rows name: vehicles, drivers, and what receipts remember.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::load::list;
use crate::{
    db::{DbError, schema, weight::Weight},
    domain::weighing::{Ledger, Wanted, ledger::Vehicle},
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
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<VehicleRow> = dsl::vehicle
        .filter(dsl::id.eq_any(list(&ids)))
        .order(dsl::id)
        .select((
            dsl::id,
            dsl::plate_number,
            dsl::tare_weight,
            dsl::tare_valid_until,
            dsl::max_load,
        ))
        .for_share()
        .load(conn)
        .await?;
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
        .filter_map(|receipt| receipt.slip_number.clone())
        .collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, Option<i64>)> = dsl::slip
        .filter(dsl::slip_number.eq_any(numbers))
        .select((dsl::slip_number, dsl::record_id))
        .load(conn)
        .await?;
    ledger.slips.extend(rows);
    Ok(())
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
