//! The line as people see it: who is called where, who waits, and for how long yet.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::{
    DbError, Query,
    page::{Listed, Slice},
    prepared::Prepare,
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
    pub station_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub station_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub record_id: Option<i64>,
    /// How many wait before it; 0 for one that is called.
    #[diesel(sql_type = sql_types::BigInt)]
    pub ahead_count: i64,
    /// Minutes, by the requirements' rule: those ahead × the mean time of a weighing ÷ the stations that are open.
    #[diesel(sql_type = sql_types::Integer)]
    pub estimated_time: i32,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub called_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub deadline_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// In which its times are shown.
    #[diesel(sql_type = sql_types::Text)]
    pub time_zone: String,
}

/// The mean of the last 50 weighings of the site counts, 3 minutes where there are none.
/// MATERIALIZED, or both figures would be counted anew for every entry.
const LINE: &str = "\
    WITH pace AS MATERIALIZED ( \
      SELECT coalesce(avg(extract(epoch FROM completed_at - called_at)), 180) AS seconds FROM ( \
        SELECT completed_at, called_at FROM wait_queue \
        WHERE site_id = $1 AND status = 'COMPLETED' AND called_at IS NOT NULL ORDER BY completed_at DESC LIMIT 50) recent \
    ), active AS MATERIALIZED ( \
      SELECT greatest(count(*), 1) AS stations FROM weigh_station WHERE site_id = $1 AND is_open AND is_active \
    ), line AS ( \
      SELECT e.*, CASE e.status WHEN 'CALLED' THEN 0 ELSE \
        count(*) FILTER (WHERE e.status = 'WAITING') OVER (ORDER BY e.status <> 'CALLED', NOT e.priority, e.position, e.id) - 1 \
        END AS ahead \
      FROM wait_queue e WHERE e.site_id = $1 AND e.status IN ('WAITING', 'CALLED') \
    ) \
    SELECT l.id, l.site_id, l.queue_number, l.status::text, l.vehicle_id, v.plate_number::text AS vehicle_plate, \
      l.driver_id, d.name::text AS driver_name, l.station_id, s.name::text AS station_name, l.record_id, \
      greatest(l.ahead, 0) AS ahead_count, \
      ceil(greatest(l.ahead, 0) * pace.seconds / active.stations / 60)::integer AS estimated_time, \
      l.called_at, l.deadline_at, l.created_at, z.time_zone::text \
    FROM line l JOIN vehicle v ON v.id = l.vehicle_id JOIN driver d ON d.id = l.driver_id \
      LEFT JOIN weigh_station s ON s.id = l.station_id JOIN site z ON z.id = l.site_id CROSS JOIN pace CROSS JOIN active \
    ORDER BY l.status <> 'CALLED', NOT l.priority, l.position, l.id";

/// A site's open entries: those that are called, then those that wait, in the order in which they will be called.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub site_id: i64,
}

impl Query for Line {
    type Output = Vec<Entry>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Entry>, DbError> {
        Ok(diesel::sql_query(LINE)
            .bind::<sql_types::BigInt, _>(self.site_id)
            .prepared()
            .load(conn)
            .await?)
    }
}

/// The lines of a site, or of all sites in use, one after the other. Asked by the handlers of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    pub site_id: Option<i64>,
    pub slice: Slice,
}

impl Query for Lines {
    type Output = Listed<Entry>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<Entry>, DbError> {
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

/// One entry, also one that is closed.
#[derive(Clone, Copy, Debug)]
pub struct EntryById {
    pub id: i64,
}

impl Query for EntryById {
    type Output = Entry;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Entry, DbError> {
        use crate::db::schema::wait_queue::dsl;
        let site: i64 = dsl::wait_queue
            .filter(dsl::id.eq(self.id))
            .select(dsl::site_id)
            .first(conn)
            .await?;
        let line = Line { site_id: site }.run(conn).await?;
        match line.into_iter().find(|entry| entry.id == self.id) {
            Some(entry) => Ok(entry),
            None => closed(conn, self.id).await,
        }
    }
}

async fn closed(conn: &mut AsyncPgConnection, id: i64) -> Result<Entry, DbError> {
    let entry = diesel::sql_query(
        "SELECT e.id, e.site_id, e.queue_number, e.status::text, e.vehicle_id, v.plate_number::text AS vehicle_plate, \
           e.driver_id, d.name::text AS driver_name, e.station_id, s.name::text AS station_name, e.record_id, \
           0::bigint AS ahead_count, 0 AS estimated_time, e.called_at, e.deadline_at, e.created_at, z.time_zone::text \
         FROM wait_queue e JOIN vehicle v ON v.id = e.vehicle_id JOIN driver d ON d.id = e.driver_id \
           LEFT JOIN weigh_station s ON s.id = e.station_id JOIN site z ON z.id = e.site_id WHERE e.id = $1",
    )
    .bind::<sql_types::BigInt, _>(id)
    .prepared()
    .get_result(conn)
    .await?;
    Ok(entry)
}
