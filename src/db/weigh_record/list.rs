//! Records of some days, newest first.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::item::{COLUMNS, Item, NAMES};
use crate::db::{
    DbError, Query,
    page::{Listed, Slice},
    schema,
};

/// Which records.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The first and the last day, both included, as the site's clock counts them.
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// The zone that counts where no site is named.
    pub zone: Tz,
    pub status: &'static str,
    pub site_id: Option<i64>,
    pub station_id: Option<i64>,
    /// A normalised plate, or its last four digits.
    pub plate: Option<String>,
    /// A part of the driver's name.
    pub driver_name: Option<String>,
    /// This driver's alone.
    pub driver_id: Option<i64>,
}

/// A page of the records that a filter leaves. Asked by the handlers of HTTP.
#[derive(Clone, Debug)]
pub struct RecordsBetween {
    pub filter: Filter,
    pub slice: Slice,
}

#[derive(QueryableByName)]
struct Total {
    #[diesel(sql_type = sql_types::BigInt)]
    total: i64,
}

/// Vehicles and drivers are found first, by their own indexes; the records then by theirs.
const MATCHING: &str = "\
    r.weighed_at >= $1 AND r.weighed_at < $2 AND r.status = $3 \
    AND ($4::bigint IS NULL OR r.site_id = $4) AND ($5::bigint IS NULL OR r.station_id = $5) \
    AND ($6::bigint[] IS NULL OR r.vehicle_id = ANY($6)) AND ($7::bigint[] IS NULL OR r.driver_id = ANY($7))";

/// Binds what `MATCHING` names.
macro_rules! bound {
    ($query:expr, $filter:expr, $span:expr, $vehicles:expr, $drivers:expr) => {
        $query
            .bind::<sql_types::Timestamptz, _>($span.0)
            .bind::<sql_types::Timestamptz, _>($span.1)
            .bind::<sql_types::Text, _>($filter.status)
            .bind::<sql_types::Nullable<sql_types::BigInt>, _>($filter.site_id)
            .bind::<sql_types::Nullable<sql_types::BigInt>, _>($filter.station_id)
            .bind::<sql_types::Nullable<sql_types::Array<sql_types::BigInt>>, _>($vehicles)
            .bind::<sql_types::Nullable<sql_types::Array<sql_types::BigInt>>, _>($drivers)
    };
}

impl Query for RecordsBetween {
    type Output = Listed<Item>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<Item>, DbError> {
        let Self { filter, slice } = self;
        let span = filter.span(conn).await?;
        let vehicles = filter.vehicles(conn).await?;
        let drivers = filter.drivers(conn).await?;
        let count = format!("SELECT count(*) AS total FROM weigh_record r WHERE {MATCHING}");
        let total: Total = bound!(diesel::sql_query(count), &filter, span, &vehicles, &drivers)
            .get_result(conn)
            .await?;
        // The page's keys first: names are looked up for those alone.
        let page = format!(
            "SELECT {COLUMNS} FROM (SELECT r.id, r.weighed_at FROM weigh_record r WHERE {MATCHING} \
             ORDER BY r.weighed_at DESC, r.id DESC LIMIT $8 OFFSET $9) page \
             JOIN weigh_record r ON r.id = page.id AND r.weighed_at = page.weighed_at {NAMES} \
             ORDER BY r.weighed_at DESC, r.id DESC"
        );
        let items = bound!(diesel::sql_query(page), &filter, span, &vehicles, &drivers)
            .bind::<sql_types::BigInt, _>(slice.limit)
            .bind::<sql_types::BigInt, _>(slice.offset)
            .load(conn)
            .await?;
        Ok(Listed {
            items,
            total: total.total,
        })
    }
}

impl Filter {
    /// From the beginning of the first day to the beginning of the day after the last.
    async fn span(&self, conn: &mut AsyncPgConnection) -> Result<(DateTime<Utc>, DateTime<Utc>), DbError> {
        use schema::site::dsl;
        let zone: Option<String> = match self.site_id {
            Some(site) => dsl::site
                .filter(dsl::id.eq(site))
                .select(dsl::time_zone)
                .first(conn)
                .await
                .optional()?,
            None => None,
        };
        let zone = zone.and_then(|zone| zone.parse().ok()).unwrap_or(self.zone);
        let after = self.last.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        Ok((begin(self.first, zone), begin(after, zone)))
    }

    async fn vehicles(&self, conn: &mut AsyncPgConnection) -> Result<Option<Vec<i64>>, DbError> {
        let Some(plate) = &self.plate else { return Ok(None) };
        let found = ids(
            conn,
            "SELECT id FROM vehicle WHERE plate_number = $1 OR (length($1) = 4 AND right(plate_number, 4) = $1)",
            plate,
        );
        found.await.map(Some)
    }

    async fn drivers(&self, conn: &mut AsyncPgConnection) -> Result<Option<Vec<i64>>, DbError> {
        if let Some(driver) = self.driver_id {
            return Ok(Some(vec![driver]));
        }
        let Some(name) = &self.driver_name else { return Ok(None) };
        ids(conn, "SELECT id FROM driver WHERE position($1 in name) > 0", name)
            .await
            .map(Some)
    }
}

/// A day's first moment. Where clocks skip midnight the day begins an hour later.
fn begin(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    zone.from_local_datetime(&midnight)
        .earliest()
        .map_or_else(|| midnight.and_utc(), |begin| begin.to_utc())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = sql_types::BigInt)]
    id: i64,
}

async fn ids(conn: &mut AsyncPgConnection, query: &str, text: &str) -> Result<Vec<i64>, DbError> {
    let rows: Vec<Id> = diesel::sql_query(query)
        .bind::<sql_types::Text, _>(text)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
