//! A truck is called to a station, or called again.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::{
    held::{Changed, Done, Held, NO_TIME, Refusal, hold_open_record, or_already_queued, waiting},
    line::{Entry, EntryById},
    news,
};
use crate::{
    db::{DbError, Query, audit_log::Author, schema},
    domain::wait_line::{Takes, first_for},
};

/// Calls the next truck to a station, or a certain one; `Overtaken` where staff put a weight on a record of its own in that
/// instant. Sent by Queue.
#[derive(Clone, Copy, Debug)]
pub struct CallNext {
    pub station_id: i64,
    /// This entry and no other, also one that has missed its call; none: the first in line that the station takes.
    pub entry_id: Option<i64>,
    /// Nobody asks for it by hand: the deck must be empty, and the indicator be heard.
    pub by_itself: bool,
    /// How long the truck has to come.
    pub deadline: TimeDelta,
    pub now: DateTime<Utc>,
}

pub type Called = Result<Entry, Refusal>;

#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::weigh_station)]
pub(super) struct Station {
    pub site_id: i64,
    is_open: bool,
    is_active: bool,
    directions: Vec<String>,
    product_ids: Vec<i64>,
    status: String,
    deck_cycle: Option<Uuid>,
}

impl Station {
    pub(super) const fn is_in_use(&self) -> bool {
        self.is_open && self.is_active
    }

    fn is_empty(&self) -> bool {
        self.status == "IDLE" && self.deck_cycle.is_none()
    }
}

impl Query for CallNext {
    type Output = Called;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Called, DbError> {
        let calling = conn.transaction::<_, DbError, _>(async |conn| self.call(conn).await);
        or_already_queued(calling.await)
    }
}

impl CallNext {
    async fn call(self, conn: &mut AsyncPgConnection) -> Result<Called, DbError> {
        let station = self.lock_station(conn).await?;
        if !station.is_in_use() {
            return Ok(Err(Refusal::StationClosed));
        }
        if self.by_itself && !station.is_empty() || self.is_taken(conn).await? {
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

    pub(super) async fn lock_station(&self, conn: &mut AsyncPgConnection) -> Result<Station, DbError> {
        use schema::weigh_station::dsl;
        Ok(dsl::weigh_station
            .filter(dsl::id.eq(self.station_id))
            .select(Station::as_select())
            .for_no_key_update()
            .first(conn)
            .await?)
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

    pub(super) async fn call_entry(
        self,
        conn: &mut AsyncPgConnection,
        site_id: i64,
        entry: Held,
    ) -> Result<Entry, DbError> {
        use schema::wait_queue::dsl;
        // What was open when it checked in may have been completed or voided since.
        let record_id = match hold_open_record(conn, site_id, entry.vehicle_id).await? {
            Some(open) => open,
            None => self.new_record(conn, site_id, &entry).await?,
        };
        diesel::update(dsl::wait_queue.filter(dsl::id.eq(entry.id)))
            .set((
                dsl::status.eq("CALLED"),
                dsl::station_id.eq(self.station_id),
                dsl::called_at.eq(self.now),
                dsl::deadline_at.eq(self.now + self.deadline),
                dsl::deadline_paused_at.eq(NO_TIME),
                dsl::calls_made.eq(entry.calls_made + 1),
                dsl::record_id.eq(record_id),
                dsl::capture_id.eq(None::<i64>),
                dsl::acknowledged_at.eq(NO_TIME),
            ))
            .execute(conn)
            .await?;
        let entry = EntryById { id: entry.id }.run(conn).await?;
        news::called(conn, &entry).await?;
        Ok(entry)
    }

    async fn new_record(&self, conn: &mut AsyncPgConnection, site_id: i64, entry: &Held) -> Result<i64, DbError> {
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
            .await;
        id.map_err(|error| match DbError::from(error) {
            // A receipt has brought back a record under the id that was drawn: the next one is free.
            DbError::Conflict { constraint, .. } if constraint == "record_id_pkey" => DbError::Overtaken,
            error => error,
        })
    }
}

/// A certain entry, if it waits or has missed its call.
async fn chosen(conn: &mut AsyncPgConnection, id: i64, site_id: i64) -> Result<Option<Held>, DbError> {
    use schema::wait_queue::dsl;
    let entry: Option<Held> = dsl::wait_queue
        .filter(dsl::id.eq(id).and(dsl::site_id.eq(site_id)))
        .filter(dsl::status.eq_any(["WAITING", "NO_SHOW"]))
        .select(Held::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    if let Some(entry) = entry.as_ref().filter(|entry| entry.status == "NO_SHOW") {
        // Its open record is locked before the vehicle, as everywhere.
        hold_open_record(conn, site_id, entry.vehicle_id).await?;
        if entry.vehicle_is_queued(conn).await? {
            return Ok(None);
        }
    }
    Ok(entry)
}

/// The first in line whom the station takes. One that another call or a cancellation holds at this moment is waited for: if
/// it still waits then, it is next, and nobody overtakes it.
pub(super) async fn first_in_line(conn: &mut AsyncPgConnection, station: &Station) -> Result<Option<Held>, DbError> {
    use schema::wait_queue::dsl;
    let takes = Takes {
        directions: station.directions.clone(),
        product_ids: station.product_ids.clone(),
    };
    loop {
        let line = waiting(conn, station.site_id, None).await?;
        let Some(first) = first_for(&takes, &line) else {
            return Ok(None);
        };
        let held = dsl::wait_queue
            .filter(dsl::id.eq(first.id).and(dsl::status.eq("WAITING")))
            .select(Held::as_select())
            .for_no_key_update()
            .first(conn)
            .await
            .optional()?;
        if held.is_some() {
            return Ok(held);
        }
    }
}

/// Calls a truck again: board and phone say it once more, and its deadline begins anew. One that has missed its call is
/// called anew to the station where it was expected. `NotFound` where there is no such entry.
///
/// The call stays the one that was made first, with its record: a truck that drove on before it was called again is taken.
#[derive(Clone, Debug)]
pub struct Recall {
    pub entry_id: i64,
    pub deadline: TimeDelta,
    pub author: Author,
    pub now: DateTime<Utc>,
}

impl Query for Recall {
    type Output = Done;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        let calling = conn.transaction::<_, DbError, _>(async |conn| self.call_again(conn).await);
        or_already_queued(calling.await)
    }
}

impl Recall {
    async fn call_again(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        use schema::wait_queue::dsl;
        let seen: (String, Option<i64>) = dsl::wait_queue
            .filter(dsl::id.eq(self.entry_id))
            .select((dsl::status, dsl::station_id))
            .first(conn)
            .await?;
        if let ("NO_SHOW", Some(station_id)) = (seen.0.as_str(), seen.1) {
            return self.call_anew(conn, station_id).await;
        }
        let held = Held::lock(conn, self.entry_id, None).await?;
        if !held.awaits_its_truck() {
            return Ok(Err(Refusal::InvalidState));
        }
        let paused = dsl::deadline_paused_at.is_not_null();
        diesel::update(dsl::wait_queue.filter(dsl::id.eq(held.id).and(paused)))
            .set(dsl::deadline_paused_at.eq(self.now))
            .execute(conn)
            .await?;
        diesel::update(dsl::wait_queue.filter(dsl::id.eq(held.id)))
            .set((
                dsl::calls_made.eq(held.calls_made + 1),
                dsl::deadline_at.eq(self.now + self.deadline),
                dsl::acknowledged_at.eq(NO_TIME),
            ))
            .execute(conn)
            .await?;
        let changed = held.changed(conn).await?;
        news::called(conn, &changed.entry).await?;
        let after = json!({ "call": held.calls_made + 1 });
        held.audit(conn, &self.author, "queue.recall", after).await?;
        Ok(Ok(changed))
    }

    async fn call_anew(self, conn: &mut AsyncPgConnection, station_id: i64) -> Result<Done, DbError> {
        let call = CallNext {
            station_id,
            entry_id: Some(self.entry_id),
            by_itself: false,
            deadline: self.deadline,
            now: self.now,
        };
        let called = call.call(conn).await?;
        Ok(called.map(|entry| Changed {
            station_id: entry.station_id,
            entry,
            instead: None,
        }))
    }
}

/// Whether a call is still true: asked before a driver is told of it.
#[derive(Clone, Copy, Debug)]
pub struct CallStands {
    pub entry_id: i64,
    /// Which of the entry's calls.
    pub call: i32,
}

impl Query for CallStands {
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        use schema::wait_queue::dsl;
        let stands = dsl::wait_queue
            .filter(dsl::id.eq(self.entry_id).and(dsl::calls_made.eq(self.call)))
            .filter(dsl::status.eq("CALLED"));
        Ok(diesel::select(diesel::dsl::exists(stands)).get_result(conn).await?)
    }
}
