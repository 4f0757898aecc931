//! One record as it stands in a list: with the names that belong to its ids.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::{DbError, GroupedQuery, Query, prepared::Prepare, weight::Weight};

#[derive(Clone, Debug, QueryableByName)]
pub struct Item {
    #[diesel(sql_type = sql_types::BigInt)]
    pub id: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub site_id: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub slip_number: Option<String>,
    #[diesel(sql_type = sql_types::Text)]
    pub status: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub station_id: i64,
    #[diesel(sql_type = sql_types::Text)]
    pub station_name: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub vehicle_id: i64,
    #[diesel(sql_type = sql_types::Text)]
    pub vehicle_plate: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub driver_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub driver_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub product_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub customer_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub direction: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub gross_weight: Option<Weight>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub tare_weight: Option<Weight>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub net_weight: Option<Weight>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub first_weight: Option<Weight>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub first_weighed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub second_weight: Option<Weight>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub second_weighed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub weighed_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Bool)]
    pub manual: bool,
    #[diesel(sql_type = sql_types::Bool)]
    pub voided: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub overload: Option<String>,
    #[diesel(sql_type = sql_types::Bool)]
    pub needs_review: bool,
    #[diesel(sql_type = sql_types::Bool)]
    pub erp_sent: bool,
    /// In which its times are shown.
    #[diesel(sql_type = sql_types::Text)]
    pub time_zone: String,
}

/// Everything of an item, from `weigh_record r`.
pub(super) const COLUMNS: &str = "\
    r.id, r.site_id, r.slip_number::text, r.status::text, r.station_id, s.name::text AS station_name, r.vehicle_id, \
    v.plate_number::text AS vehicle_plate, r.driver_id, d.name::text AS driver_name, p.name::text AS product_name, \
    c.name::text AS customer_name, r.direction::text, r.gross_weight, r.tare_weight, r.net_weight, r.first_weight, \
    r.first_weighed_at, r.second_weight, r.second_weighed_at, r.weighed_at, r.manual, r.status = 'VOIDED' AS voided, \
    r.overload::text, r.needs_review, r.erp_sent, z.time_zone::text";

pub(super) const NAMES: &str = "\
    JOIN site z ON z.id = r.site_id JOIN weigh_station s ON s.id = r.station_id JOIN vehicle v ON v.id = r.vehicle_id \
    LEFT JOIN driver d ON d.id = r.driver_id LEFT JOIN product p ON p.id = r.product_id \
    LEFT JOIN customer c ON c.id = r.customer_id";

/// These records, in the order of their ids. Asked by Indicator to show what has changed, and for a single record: many may
/// ask at the same moment.
#[derive(Clone, Debug)]
pub struct Items {
    pub ids: Vec<i64>,
}

impl GroupedQuery for Items {
    type Output = Vec<Item>;

    async fn run_all(group: Vec<Self>, conn: &mut AsyncPgConnection) -> Result<Vec<Vec<Item>>, DbError> {
        let all: BTreeSet<i64> = group.iter().flat_map(|asked| asked.ids.iter().copied()).collect();
        let found = items(conn, Vec::from_iter(all)).await?;
        let found: HashMap<i64, Item> = found.into_iter().map(|item| (item.id, item)).collect();
        let of = |Self { mut ids }: Self| {
            ids.sort_unstable();
            ids.dedup();
            ids.iter().filter_map(|id| found.get(id).cloned()).collect()
        };
        Ok(group.into_iter().map(of).collect())
    }
}

/// In no order.
pub(super) async fn items(conn: &mut AsyncPgConnection, ids: Vec<i64>) -> Result<Vec<Item>, DbError> {
    let query = format!("SELECT {COLUMNS} FROM weigh_record r {NAMES} WHERE r.id = ANY($1)");
    Ok(diesel::sql_query(query)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
        .prepared()
        .load(conn)
        .await?)
}

/// The newest records of each site, newest first. Asked by Live's source.
#[derive(Clone, Copy, Debug)]
pub struct Newest {
    /// How many of each site.
    pub each: i64,
}

impl Query for Newest {
    type Output = Vec<Item>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Item>, DbError> {
        let query = format!(
            "SELECT {COLUMNS} FROM site of CROSS JOIN LATERAL (SELECT * FROM weigh_record w WHERE w.site_id = of.id \
               AND w.weighed_at > now() - interval '31 days' ORDER BY w.weighed_at DESC, w.id DESC LIMIT $1) r {NAMES} \
             ORDER BY r.weighed_at DESC, r.id DESC"
        );
        Ok(diesel::sql_query(query)
            .bind::<sql_types::BigInt, _>(self.each)
            .prepared()
            .load(conn)
            .await?)
    }
}
