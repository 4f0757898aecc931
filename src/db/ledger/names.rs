//! What the ERP is told beside numbers: names and codes as they are when the weighing completes. A message never changes
//! after that, also where a product is renamed before it arrives.

use std::collections::BTreeMap;

use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    db::{DbError, prepared::Prepare},
    domain::{
        outbox::Names,
        weighing::{Ledger, ledger::Record},
    },
};

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = sql_types::BigInt)]
    record_id: i64,
    #[diesel(sql_type = sql_types::Text)]
    station: String,
    #[diesel(sql_type = sql_types::Text)]
    plate: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    company: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    driver: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    product_code: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    product_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    customer_code: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    customer_name: Option<String>,
}

const NAMED: &str = "\
    SELECT r.record_id, s.name AS station, v.plate_number AS plate, c.name AS company, d.name AS driver, \
      p.code AS product_code, p.name AS product_name, k.code AS customer_code, k.name AS customer_name \
    FROM unnest($1, $2, $3, $4, $5, $6) AS r (record_id, station_id, vehicle_id, driver_id, product_id, customer_id) \
    JOIN weigh_station s ON s.id = r.station_id JOIN vehicle v ON v.id = r.vehicle_id \
    LEFT JOIN company c ON c.id = v.company_id LEFT JOIN driver d ON d.id = r.driver_id \
    LEFT JOIN product p ON p.id = r.product_id LEFT JOIN customer k ON k.id = r.customer_id";

/// Of the records that the ledger has completed.
pub async fn of_completed(conn: &mut AsyncPgConnection, ledger: &Ledger) -> Result<BTreeMap<i64, Names>, DbError> {
    let completed: Vec<(i64, &Record)> = ledger
        .completed
        .iter()
        .filter_map(|id| Some((*id, &**ledger.records.get(id)?)))
        .collect();
    if completed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let of = |part: fn(&Record) -> i64| completed.iter().map(|(_, record)| part(record)).collect::<Vec<_>>();
    let maybe = |part: fn(&Record) -> Option<i64>| completed.iter().map(|(_, record)| part(record)).collect::<Vec<_>>();
    let named: Vec<Named> = diesel::sql_query(NAMED)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(completed.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind::<sql_types::Array<sql_types::BigInt>, _>(of(|record| record.station_id))
        .bind::<sql_types::Array<sql_types::BigInt>, _>(of(|record| record.vehicle_id))
        .bind::<sql_types::Array<sql_types::Nullable<sql_types::BigInt>>, _>(maybe(|record| record.driver_id))
        .bind::<sql_types::Array<sql_types::Nullable<sql_types::BigInt>>, _>(maybe(|record| record.product_id))
        .bind::<sql_types::Array<sql_types::Nullable<sql_types::BigInt>>, _>(maybe(|record| record.customer_id))
        .prepared()
        .load(conn)
        .await?;
    Ok(named.into_iter().map(|named| (named.record_id, named.into())).collect())
}

impl From<Named> for Names {
    fn from(named: Named) -> Self {
        Self {
            station: named.station,
            plate: named.plate,
            company: named.company,
            driver: named.driver,
            product: (named.product_code, named.product_name),
            customer: (named.customer_code, named.customer_name),
        }
    }
}
