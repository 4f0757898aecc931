//! A truck joins the line.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    held::{is_second_entry, open_record, vehicle_is_queued, waiting},
    line::{Entry, EntryById},
    order::space,
};
use crate::{
    db::{
        DbError, Query,
        parties::{Missing, Parties},
        prepared::Prepare,
        schema,
    },
    domain::{
        slip::local_day,
        wait_line::{Spot, for_priority, tail},
    },
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
    /// Whether the vehicle must be one that this driver drives, as where he checks himself in.
    pub own_vehicle: bool,
    pub now: DateTime<Utc>,
}

/// Why a truck did not join the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJoined {
    /// Its driver or its vehicle stands in a line already.
    AlreadyQueued,
    /// Its driver does not drive this vehicle.
    ForeignVehicle,
    Unknown(Missing),
}

pub type Joined = Result<Entry, NotJoined>;

impl Query for CheckIn {
    type Output = Joined;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Joined, DbError> {
        let joining = conn.transaction::<_, DbError, _>(async |conn| self.join(conn).await);
        let id = match joining.await {
            Err(error) if is_second_entry(&error) => return Ok(Err(NotJoined::AlreadyQueued)),
            Err(error) => return Err(error),
            Ok(Err(why)) => return Ok(Err(why)),
            Ok(Ok(id)) => id,
        };
        // Estimates take a while to reckon, and nobody is kept waiting for his number by them.
        let entry = EntryById { id }.run(conn).await?;
        let row = schema::wait_queue::table.filter(schema::wait_queue::id.eq(id));
        diesel::update(row)
            .set(schema::wait_queue::estimated_time.eq(entry.estimated_time))
            .execute(conn)
            .await?;
        Ok(Ok(entry))
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = sql_types::Integer)]
    last_number: i32,
}

impl CheckIn {
    async fn join(self, conn: &mut AsyncPgConnection) -> Result<Result<i64, NotJoined>, DbError> {
        let day = self.local_day(conn).await?;
        if let Some(missing) = self.parties().missing(conn).await? {
            return Ok(Err(NotJoined::Unknown(missing)));
        }
        if self.own_vehicle && !self.drives(conn).await? {
            return Ok(Err(NotJoined::ForeignVehicle));
        }
        if vehicle_is_queued(conn, self.vehicle_id, None).await? {
            return Ok(Err(NotJoined::AlreadyQueued));
        }
        let open_record = open_record(conn, self.site_id, self.vehicle_id).await?;
        let number = next_number(conn, self.site_id, day).await?;
        let position = self.position(conn, position_of(day, number)).await?;
        self.insert(conn, (day, number), position, open_record).await.map(Ok)
    }

    /// Numbers start anew each day; those who still wait from yesterday stay before them.
    async fn position(&self, conn: &mut AsyncPgConnection, own: f64) -> Result<f64, DbError> {
        let line = waiting(conn, self.site_id, None).await?;
        let own = tail(&line, own);
        if self.priority.is_none() {
            return Ok(own);
        }
        let spot = match for_priority(&line, own) {
            Spot::NoRoom => for_priority(&space(conn, &line).await?, own),
            spot @ Spot::At(_) => spot,
        };
        Ok(match spot {
            Spot::At(position) => position,
            Spot::NoRoom => own,
        })
    }

    async fn drives(&self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::vehicle_driver::dsl;
        let pair = dsl::vehicle_driver.filter(
            dsl::driver_id
                .eq(self.driver_id)
                .and(dsl::vehicle_id.eq(self.vehicle_id)),
        );
        Ok(diesel::select(diesel::dsl::exists(pair)).get_result(conn).await?)
    }

    async fn insert(
        self,
        conn: &mut AsyncPgConnection,
        (on, number): (NaiveDate, i32),
        position: f64,
        open_record: Option<i64>,
    ) -> Result<i64, DbError> {
        use schema::wait_queue::dsl;
        let id = diesel::insert_into(dsl::wait_queue)
            .values((
                dsl::site_id.eq(self.site_id),
                dsl::day.eq(on),
                dsl::queue_number.eq(number),
                dsl::position.eq(position),
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

/// Leaves out so many numbers of a day: before a restore drivers may have been told them.
pub(in crate::db) async fn leave_out(
    conn: &mut AsyncPgConnection,
    site_id: i64,
    day: NaiveDate,
    numbers: i32,
) -> Result<(), DbError> {
    diesel::sql_query(
        "INSERT INTO queue_counter AS c (site_id, day, last_number, left_out) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (site_id, day) DO UPDATE SET last_number = c.last_number + $3, left_out = c.left_out + $3",
    )
    .bind::<sql_types::BigInt, _>(site_id)
    .bind::<sql_types::Date, _>(day)
    .bind::<sql_types::Integer, _>(numbers)
    .execute(conn)
    .await?;
    Ok(())
}

fn position_of(day: NaiveDate, number: i32) -> f64 {
    let days = day.signed_duration_since(NaiveDate::default()).num_days();
    f64::from(i32::try_from(days).unwrap_or(i32::MAX)) * 100_000.0 + f64::from(number)
}
