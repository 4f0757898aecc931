//! How a day went so far: the figures of the dashboard's head.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, prepared::Prepare, schema};
use crate::domain::slip::local_day;

/// A site's day, counted by its own clock.
#[derive(Clone, Debug)]
pub struct DaySummary {
    pub site_id: i64,
    /// Weighings that were begun or completed today, voided ones aside.
    pub total: i64,
    pub completed: i64,
    /// The mean time from call to completion, in seconds.
    pub process_seconds: i64,
    /// Completed ones an hour of the day; hours without any are left out.
    pub hours: Vec<(i32, i64)>,
}

/// The summaries of all sites that are in use. Asked by Live's source.
#[derive(Clone, Copy, Debug)]
pub struct DaySummaries {
    pub now: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Hour {
    #[diesel(sql_type = sql_types::Integer)]
    of_day: i32,
    #[diesel(sql_type = sql_types::BigInt)]
    total: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    completed: i64,
}

#[derive(QueryableByName)]
struct Pace {
    #[diesel(sql_type = sql_types::BigInt)]
    seconds: i64,
}

impl Query for DaySummaries {
    type Output = Vec<DaySummary>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<DaySummary>, DbError> {
        use schema::site::dsl;
        let sites: Vec<(i64, String)> = dsl::site
            .filter(dsl::is_active)
            .order(dsl::id)
            .select((dsl::id, dsl::time_zone))
            .load(conn)
            .await?;
        let mut summaries = Vec::with_capacity(sites.len());
        for (site_id, zone) in sites {
            let zone: Tz = zone.parse().unwrap_or(chrono_tz::Asia::Seoul);
            let day = local_day(self.now, zone);
            summaries.push(summary(conn, site_id, day, zone).await?);
        }
        Ok(summaries)
    }
}

async fn summary(conn: &mut AsyncPgConnection, site_id: i64, day: NaiveDate, zone: Tz) -> Result<DaySummary, DbError> {
    let hours: Vec<Hour> = diesel::sql_query(
        "SELECT extract(hour FROM weighed_at AT TIME ZONE $3)::integer AS of_day, count(*) AS total, \
           count(*) FILTER (WHERE status = 'COMPLETED') AS completed \
         FROM weigh_record WHERE site_id = $1 AND status <> 'VOIDED' \
           AND weighed_at >= $2::date::timestamp AT TIME ZONE $3 \
           AND weighed_at < ($2::date + 1)::timestamp AT TIME ZONE $3 GROUP BY 1 ORDER BY 1",
    )
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(day)
    .bind::<sql_types::Text, _>(zone.name())
    .prepared()
    .load(conn)
    .await?;
    let pace: Pace = diesel::sql_query(
        "SELECT coalesce(avg(extract(epoch FROM completed_at - called_at)), 0)::bigint AS seconds \
         FROM wait_queue WHERE site_id = $1 AND day = $2 AND status = 'COMPLETED'",
    )
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(day)
    .prepared()
    .get_result(conn)
    .await?;
    Ok(DaySummary {
        site_id,
        total: hours.iter().map(|hour| hour.total).sum(),
        completed: hours.iter().map(|hour| hour.completed).sum(),
        process_seconds: pace.seconds,
        hours: hours
            .iter()
            .filter(|hour| hour.completed > 0)
            .map(|hour| (hour.of_day, hour.completed))
            .collect(),
    })
}
