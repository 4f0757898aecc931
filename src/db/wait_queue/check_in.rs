//! A truck joins the line.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::line::{Entry, EntryById};
use crate::{
    db::{
        DbError, Query,
        parties::{Missing, Parties},
        prepared::Prepare,
        schema,
    },
    domain::slip::local_day,
};

/// Checks a driver in with a vehicle. A vehicle on its second pass comes back to its open record. `NotFound` where the site
/// is not in use.
#[derive(Clone, Debug)]
pub struct CheckIn {
    pub site_id: i64,
    pub driver_id: i64,
    pub vehicle_id: i64,
    pub product_id: Option<i64>,
    pub customer_id: Option<i64>,
    /// `IN` or `OUT`.
    pub direction: Option<String>,
    /// Why it goes before the others, where it does.
    pub priority: Option<String>,
    pub now: DateTime<Utc>,
}

/// Why a truck did not join the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJoined {
    /// Its driver or its vehicle stands in a line already.
    AlreadyQueued,
    Unknown(Missing),
}

pub type Joined = Result<Entry, NotJoined>;

impl Query for CheckIn {
    type Output = Joined;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Joined, DbError> {
        let joining = conn.transaction::<_, DbError, _>(async |conn| self.join(conn).await);
        match joining.await {
            Err(DbError::Conflict { constraint, .. }) if constraint == ONE_OPEN_PER_DRIVER => {
                Ok(Err(NotJoined::AlreadyQueued))
            }
            other => other,
        }
    }
}

/// The index that lets a driver stand in one line at a time.
const ONE_OPEN_PER_DRIVER: &str = "wait_queue_one_open_per_driver";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = sql_types::Integer)]
    last_number: i32,
}

impl CheckIn {
    async fn join(self, conn: &mut AsyncPgConnection) -> Result<Joined, DbError> {
        let day = self.local_day(conn).await?;
        if let Some(missing) = self.parties().missing(conn).await? {
            return Ok(Err(NotJoined::Unknown(missing)));
        }
        if self.vehicle_is_queued(conn).await? {
            return Ok(Err(NotJoined::AlreadyQueued));
        }
        let open_record = self.open_record(conn).await?;
        let number = next_number(conn, self.site_id, day).await?;
        let id = self.insert(conn, day, number, open_record).await?;
        let entry = EntryById { id }.run(conn).await?;
        let row = schema::wait_queue::table.filter(schema::wait_queue::id.eq(id));
        diesel::update(row)
            .set(schema::wait_queue::estimated_time.eq(entry.estimated_time))
            .execute(conn)
            .await?;
        Ok(Ok(entry))
    }

    async fn insert(
        self,
        conn: &mut AsyncPgConnection,
        on: NaiveDate,
        number: i32,
        open_record: Option<i64>,
    ) -> Result<i64, DbError> {
        use schema::wait_queue::dsl;
        let id = diesel::insert_into(dsl::wait_queue)
            .values((
                dsl::site_id.eq(self.site_id),
                dsl::day.eq(on),
                dsl::queue_number.eq(number),
                // Numbers start anew each day; those who still wait from yesterday stay before them.
                dsl::position.eq(position_of(on, number)),
                dsl::driver_id.eq(self.driver_id),
                dsl::vehicle_id.eq(self.vehicle_id),
                dsl::product_id.eq(self.product_id),
                dsl::customer_id.eq(self.customer_id),
                dsl::direction.eq(self.direction),
                dsl::priority.eq(self.priority.is_some()),
                dsl::priority_reason.eq(self.priority),
                dsl::record_id.eq(open_record),
                dsl::created_at.eq(self.now),
            ))
            .returning(dsl::id)
            .get_result(conn)
            .await?;
        Ok(id)
    }

    const fn parties(&self) -> Parties {
        Parties {
            vehicle_id: self.vehicle_id,
            driver_id: Some(self.driver_id),
            product_id: self.product_id,
            customer_id: self.customer_id,
        }
    }

    async fn local_day(&self, conn: &mut AsyncPgConnection) -> Result<NaiveDate, DbError> {
        use schema::site::dsl;
        let zone: String = dsl::site
            .filter(dsl::id.eq(self.site_id).and(dsl::is_active))
            .select(dsl::time_zone)
            .first(conn)
            .await?;
        Ok(local_day(self.now, zone.parse().unwrap_or(chrono_tz::Asia::Seoul)))
    }

    /// The vehicle's row is locked, so two clerks cannot both find it free.
    async fn vehicle_is_queued(&self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::{vehicle, wait_queue::dsl};
        vehicle::table
            .filter(vehicle::id.eq(self.vehicle_id))
            .select(vehicle::id)
            .for_no_key_update()
            .first::<i64>(conn)
            .await?;
        let queued: Option<i64> = dsl::wait_queue
            .filter(
                dsl::vehicle_id
                    .eq(self.vehicle_id)
                    .and(dsl::status.eq_any(["WAITING", "CALLED"])),
            )
            .select(dsl::id)
            .first(conn)
            .await
            .optional()?;
        Ok(queued.is_some())
    }

    async fn open_record(&self, conn: &mut AsyncPgConnection) -> Result<Option<i64>, DbError> {
        use schema::weigh_record::dsl;
        let open = dsl::weigh_record
            .filter(dsl::vehicle_id.eq(self.vehicle_id).and(dsl::status.eq("WEIGHING")))
            .filter(dsl::first_weight.is_not_null().and(dsl::site_id.eq(self.site_id)))
            .order(dsl::weighed_at.desc())
            .select(dsl::id)
            .first(conn)
            .await
            .optional()?;
        Ok(open)
    }
}

async fn next_number(conn: &mut AsyncPgConnection, site_id: i64, day: NaiveDate) -> Result<i32, DbError> {
    let number: Number = diesel::sql_query(
        "INSERT INTO queue_counter AS c (site_id, day, last_number) VALUES ($1, $2, 1) \
         ON CONFLICT (site_id, day) DO UPDATE SET last_number = c.last_number + 1 RETURNING last_number",
    )
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(day)
    .prepared()
    .get_result(conn)
    .await?;
    Ok(number.last_number)
}

fn position_of(day: NaiveDate, number: i32) -> f64 {
    let days = day.signed_duration_since(NaiveDate::default()).num_days();
    f64::from(i32::try_from(days).unwrap_or(i32::MAX)) * 100_000.0 + f64::from(number)
}
