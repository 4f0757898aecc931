//! A truck is called to a station.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::line::{Entry, EntryById};
use crate::{
    db::{DbError, Query, outbox, schema},
    domain::outbox::{Kind, Message},
};

/// Calls the next truck to a station, or a certain one. Sent by Queue.
#[derive(Clone, Copy, Debug)]
pub struct CallNext {
    pub station_id: i64,
    /// This entry and no other; none: the first in line that the station takes.
    pub entry_id: Option<i64>,
    /// How long the truck has to come.
    pub deadline: TimeDelta,
    pub now: DateTime<Utc>,
}

/// Why nobody was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NobodyWaits,
    StationTaken,
    StationClosed,
    /// The entry does not wait any more.
    NotWaiting,
}

pub type Called = Result<Entry, Refusal>;

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::weigh_station)]
struct Station {
    site_id: i64,
    is_open: bool,
    is_active: bool,
    directions: Vec<String>,
    product_ids: Vec<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::wait_queue)]
struct Waiting {
    id: i64,
    vehicle_id: i64,
    driver_id: i64,
    product_id: Option<i64>,
    customer_id: Option<i64>,
    direction: Option<String>,
    record_id: Option<i64>,
    calls_made: i32,
}

impl Query for CallNext {
    type Output = Called;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Called, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.call(conn).await)
            .await
    }
}

impl CallNext {
    async fn call(self, conn: &mut AsyncPgConnection) -> Result<Called, DbError> {
        use schema::weigh_station::dsl;
        let station: Station = dsl::weigh_station
            .filter(dsl::id.eq(self.station_id))
            .select(Station::as_select())
            .for_no_key_update()
            .first(conn)
            .await?;
        if !station.is_open || !station.is_active {
            return Ok(Err(Refusal::StationClosed));
        }
        if self.is_taken(conn).await? {
            return Ok(Err(Refusal::StationTaken));
        }
        let entry = match self.entry_id {
            Some(id) => chosen(conn, id, station.site_id).await?.ok_or(Refusal::NotWaiting),
            None => first_in_line(conn, &station).await?.ok_or(Refusal::NobodyWaits),
        };
        match entry {
            Ok(entry) => self.call_entry(conn, station.site_id, entry).await.map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn is_taken(&self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::wait_queue::dsl;
        let called: Option<i64> = dsl::wait_queue
            .filter(dsl::station_id.eq(self.station_id).and(dsl::status.eq("CALLED")))
            .select(dsl::id)
            .first(conn)
            .await
            .optional()?;
        Ok(called.is_some())
    }

    async fn call_entry(self, conn: &mut AsyncPgConnection, site_id: i64, entry: Waiting) -> Result<Entry, DbError> {
        use schema::wait_queue::dsl;
        let record_id = match entry.record_id {
            Some(open) => open,
            None => self.new_record(conn, site_id, &entry).await?,
        };
        diesel::update(dsl::wait_queue.filter(dsl::id.eq(entry.id)))
            .set((
                dsl::status.eq("CALLED"),
                dsl::station_id.eq(self.station_id),
                dsl::called_at.eq(self.now),
                dsl::deadline_at.eq(self.now + self.deadline),
                dsl::calls_made.eq(entry.calls_made + 1),
                dsl::record_id.eq(record_id),
                dsl::capture_id.eq(None::<i64>),
                dsl::acknowledged_at.eq(None::<DateTime<Utc>>),
            ))
            .execute(conn)
            .await?;
        outbox::enqueue(conn, &[self.push(&entry)]).await?;
        EntryById { id: entry.id }.run(conn).await
    }

    async fn new_record(&self, conn: &mut AsyncPgConnection, site_id: i64, entry: &Waiting) -> Result<i64, DbError> {
        use schema::weigh_record::dsl;
        let id = diesel::insert_into(dsl::weigh_record)
            .values((
                dsl::site_id.eq(site_id),
                dsl::station_id.eq(self.station_id),
                dsl::vehicle_id.eq(entry.vehicle_id),
                dsl::driver_id.eq(entry.driver_id),
                dsl::product_id.eq(entry.product_id),
                dsl::customer_id.eq(entry.customer_id),
                dsl::direction.eq(entry.direction.as_deref()),
                dsl::weighed_at.eq(self.now),
            ))
            .returning(dsl::id)
            .get_result(conn)
            .await?;
        Ok(id)
    }

    /// A call is worth a message of its own each time it is made.
    fn push(&self, entry: &Waiting) -> Message {
        Message {
            kind: Kind::PushCalled,
            idempotency_key: Uuid::new_v4(),
            aggregate_key: format!("queue:{}", entry.id),
            payload: json!({
                "queue_id": entry.id,
                "driver_id": entry.driver_id,
                "station_id": self.station_id,
                "call": entry.calls_made + 1,
                "deadline": self.now + self.deadline,
            }),
        }
    }
}

/// A certain entry, if it waits or has missed its call.
async fn chosen(conn: &mut AsyncPgConnection, id: i64, site_id: i64) -> Result<Option<Waiting>, DbError> {
    use schema::wait_queue::dsl;
    let entry = dsl::wait_queue
        .filter(
            dsl::id
                .eq(id)
                .and(dsl::site_id.eq(site_id))
                .and(dsl::status.eq("WAITING")),
        )
        .select(Waiting::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    Ok(entry)
}

/// The first in line whose direction and product the station takes. One that another call holds at this moment is left
/// to it.
async fn first_in_line(conn: &mut AsyncPgConnection, station: &Station) -> Result<Option<Waiting>, DbError> {
    use schema::wait_queue::dsl;
    let takes_all = station.product_ids.is_empty().into_sql::<diesel::sql_types::Bool>();
    let entry = dsl::wait_queue
        .filter(dsl::site_id.eq(station.site_id).and(dsl::status.eq("WAITING")))
        .filter(dsl::direction.is_null().or(dsl::direction.eq_any(&station.directions)))
        .filter(
            takes_all
                .or(dsl::product_id.is_null())
                .or(dsl::product_id.eq_any(&station.product_ids)),
        )
        .order((dsl::priority.desc(), dsl::position.asc(), dsl::id.asc()))
        .select(Waiting::as_select())
        .for_no_key_update()
        .skip_locked()
        .first(conn)
        .await
        .optional()?;
    Ok(entry)
}
