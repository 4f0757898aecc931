//! The line as people see it: who is called where, who waits, and for how long yet.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::estimate::estimate;
use crate::db::{
    DbError, Query,
    page::{Listed, Slice},
    prepared::Prepare,
    schema::wait_queue,
};

/// An entry with what a screen shows of it.
#[derive(Clone, Debug, QueryableByName)]
pub struct Entry {
    #[diesel(sql_type = sql_types::BigInt)]
    pub id: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub site_id: i64,
    #[diesel(sql_type = sql_types::Integer)]
    pub queue_number: i32,
    #[diesel(sql_type = sql_types::Date)]
    pub day: NaiveDate,
    #[diesel(sql_type = sql_types::Text)]
    pub status: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub vehicle_id: i64,
    #[diesel(sql_type = sql_types::Text)]
    pub vehicle_plate: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub driver_id: i64,
    #[diesel(sql_type = sql_types::Text)]
    pub driver_name: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub product_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub customer_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub direction: Option<String>,
    #[diesel(sql_type = sql_types::Bool)]
    pub priority: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub priority_reason: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub station_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub station_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub record_id: Option<i64>,
    /// How many wait before it; 0 for one that does not wait.
    #[diesel(sql_type = sql_types::BigInt)]
    pub ahead_count: i64,
    /// Minutes: those ahead × the mean time of a weighing ÷ the stations that are open.
    #[diesel(sql_type = sql_types::Integer)]
    pub estimated_time: i32,
    /// Minutes within which it is called, as likely as not; none where it does not wait, or no station takes it.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
    pub eta_p50: Option<i32>,
    /// Minutes within which it is called four times in five.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
    pub eta_p80: Option<i32>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub called_at: Option<DateTime<Utc>>,
    /// When the call ends; none while no deadline runs.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub deadline_at: Option<DateTime<Utc>>,
    /// How often it was called or recalled.
    #[diesel(sql_type = sql_types::Integer)]
    pub calls_made: i32,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub acknowledged_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// In which its times are shown.
    #[diesel(sql_type = sql_types::Text)]
    pub time_zone: String,
}

/// Entries as they are stored; estimates are reckoned.
macro_rules! entries {
    ($which:literal) => {
        concat!(
            "SELECT e.id, e.site_id, e.queue_number, e.day, e.status::text, e.vehicle_id, \
               v.plate_number::text AS vehicle_plate, e.driver_id, d.name::text AS driver_name, e.product_id, \
               e.customer_id, e.direction::text, e.priority, e.priority_reason, e.station_id, \
               s.name::text AS station_name, e.record_id, 0::bigint AS ahead_count, 0 AS estimated_time, \
               NULL::integer AS eta_p50, NULL::integer AS eta_p80, e.called_at, \
               CASE WHEN e.deadline_paused_at IS NULL THEN e.deadline_at END AS deadline_at, e.calls_made, \
               e.acknowledged_at, e.created_at, z.time_zone::text \
             FROM wait_queue e JOIN vehicle v ON v.id = e.vehicle_id JOIN driver d ON d.id = e.driver_id \
               LEFT JOIN weigh_station s ON s.id = e.station_id JOIN site z ON z.id = e.site_id ",
            $which
        )
    };
}

const LINE: &str = entries!(
    "WHERE e.site_id = $1 AND e.status IN ('WAITING', 'CALLED') ORDER BY e.status <> 'CALLED', e.position, e.id"
);
const ONE: &str = entries!("WHERE e.id = $1");
/// What a driver has to do with now: his open entry, or else the newest of the last day that he may be called back for.
const OF_DRIVER: &str = entries!(
    "WHERE e.driver_id = $1 AND (e.status IN ('WAITING', 'CALLED') \
       OR e.status IN ('NO_SHOW', 'REVIEW') AND e.created_at > now() - interval '1 day') \
     ORDER BY e.status IN ('WAITING', 'CALLED') DESC, e.id DESC LIMIT 1"
);
const LISTED: &str = entries!("WHERE e.id = ANY($1) ORDER BY e.created_at DESC, e.id DESC");

/// A site's open entries: those that are called, then those that wait, in the order in which they will be called.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub site_id: i64,
}

impl Query for Line {
    type Output = Vec<Entry>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Entry>, DbError> {
        let mut entries = diesel::sql_query(LINE)
            .bind::<sql_types::BigInt, _>(self.site_id)
            .prepared()
            .load(conn)
            .await?;
        estimate(conn, self.site_id, &mut entries).await?;
        Ok(entries)
    }
}

/// Entries of a site, or of all sites in use. Asked by the handlers of HTTP.
#[derive(Clone, Debug)]
pub struct Lines {
    pub site_id: Option<i64>,
    /// Only these, newest first. Where neither this nor a day is given: the open ones, in the order in which they will be
    /// called, one site after the other.
    pub status: Option<String>,
    /// The local day of the check-in.
    pub day: Option<NaiveDate>,
    pub slice: Slice,
}

impl Query for Lines {
    type Output = Listed<Entry>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<Entry>, DbError> {
        if self.status.is_some() || self.day.is_some() {
            return self.listed(conn).await;
        }
        let mut entries = Vec::new();
        for site_id in self.sites(conn).await? {
            entries.extend(Line { site_id }.run(conn).await?);
        }
        let total = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let first = usize::try_from(self.slice.offset).unwrap_or(usize::MAX);
        let most = usize::try_from(self.slice.limit).unwrap_or(usize::MAX);
        Ok(Listed {
            items: entries.into_iter().skip(first).take(most).collect(),
            total,
        })
    }
}

impl Lines {
    async fn listed(self, conn: &mut AsyncPgConnection) -> Result<Listed<Entry>, DbError> {
        use crate::db::schema::wait_queue::dsl;
        let total = self.matching().count().get_result(conn).await?;
        let ids: Vec<i64> = self
            .matching()
            .order((dsl::created_at.desc(), dsl::id.desc()))
            .offset(self.slice.offset)
            .limit(self.slice.limit)
            .select(dsl::id)
            .load(conn)
            .await?;
        let mut items: Vec<Entry> = diesel::sql_query(LISTED)
            .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
            .prepared()
            .load(conn)
            .await?;
        fill_in_waiting(conn, &mut items).await?;
        Ok(Listed { items, total })
    }

    fn matching(&self) -> wait_queue::BoxedQuery<'_, Pg> {
        let mut matching = wait_queue::table.into_boxed();
        if let Some(site_id) = self.site_id {
            matching = matching.filter(wait_queue::site_id.eq(site_id));
        }
        if let Some(status) = &self.status {
            matching = matching.filter(wait_queue::status.eq(status));
        }
        if let Some(day) = self.day {
            matching = matching.filter(wait_queue::day.eq(day));
        }
        matching
    }

    async fn sites(&self, conn: &mut AsyncPgConnection) -> Result<Vec<i64>, DbError> {
        use crate::db::schema::site::dsl;
        match self.site_id {
            Some(site) => Ok(vec![site]),
            None => Ok(dsl::site
                .filter(dsl::is_active)
                .order(dsl::id)
                .select(dsl::id)
                .load(conn)
                .await?),
        }
    }
}

/// Those of a mixed list that wait get their place and their estimates from their line.
async fn fill_in_waiting(conn: &mut AsyncPgConnection, items: &mut [Entry]) -> Result<(), DbError> {
    let waits = |entry: &&mut Entry| entry.status == "WAITING";
    let sites: std::collections::BTreeSet<i64> = items.iter_mut().filter(waits).map(|entry| entry.site_id).collect();
    for site_id in sites {
        let line = Line { site_id }.run(conn).await?;
        for item in items.iter_mut().filter(waits) {
            if let Some(entry) = line.iter().find(|entry| entry.id == item.id) {
                item.clone_from(entry);
            }
        }
    }
    Ok(())
}

/// One entry, also one that is closed.
#[derive(Clone, Copy, Debug)]
pub struct EntryById {
    pub id: i64,
}

impl Query for EntryById {
    type Output = Entry;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Entry, DbError> {
        let entry: Entry = diesel::sql_query(ONE)
            .bind::<sql_types::BigInt, _>(self.id)
            .prepared()
            .get_result(conn)
            .await?;
        let mut one = [entry];
        fill_in_waiting(conn, &mut one).await?;
        let [entry] = one;
        Ok(entry)
    }
}

/// What a driver has to do with now: his open entry, or else one of the last day that he missed or that staff look at.
#[derive(Clone, Copy, Debug)]
pub struct EntryOf {
    pub driver_id: i64,
}

impl Query for EntryOf {
    type Output = Option<Entry>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<Entry>, DbError> {
        let mut own: Vec<Entry> = diesel::sql_query(OF_DRIVER)
            .bind::<sql_types::BigInt, _>(self.driver_id)
            .prepared()
            .load(conn)
            .await?;
        fill_in_waiting(conn, &mut own).await?;
        Ok(own.pop())
    }
}
