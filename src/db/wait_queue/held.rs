//! An entry under its lock, and what comes of changing it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

use super::line::{Entry, EntryById};
use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        schema,
    },
    domain::{
        wait_line::{Waiting, Wish},
        weighing::leaving::removal,
    },
};

/// Why a line is not changed as was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NobodyWaits,
    StationTaken,
    StationClosed,
    /// The entry does not wait any more.
    NotWaiting,
    /// As the entry stands, this cannot be done to it; or its truck is being weighed.
    InvalidState,
    /// Its driver or its vehicle stands in a line by another entry.
    AlreadyQueued,
}

/// An entry as it stands after a change.
#[derive(Clone, Debug)]
pub struct Changed {
    pub entry: Entry,
    /// Whose screen must be looked at again.
    pub station_id: Option<i64>,
    /// Who was called in its stead.
    pub instead: Option<Box<Entry>>,
}

pub type Done = Result<Changed, Refusal>;

/// An entry's row, locked.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::wait_queue)]
pub(super) struct Held {
    pub id: i64,
    pub site_id: i64,
    pub status: String,
    pub station_id: Option<i64>,
    pub vehicle_id: i64,
    pub driver_id: i64,
    pub product_id: Option<i64>,
    pub customer_id: Option<i64>,
    pub direction: Option<String>,
    pub record_id: Option<i64>,
    pub capture_id: Option<i64>,
    pub position: f64,
    pub calls_made: i32,
}

/// The index that lets a driver stand in one line at a time.
const ONE_OPEN_PER_DRIVER: &str = "wait_queue_one_open_per_driver";

impl Held {
    /// `NotFound` where there is no such entry, or it is not this driver's.
    pub(super) async fn lock(conn: &mut AsyncPgConnection, id: i64, owner: Option<i64>) -> Result<Self, DbError> {
        use schema::wait_queue::dsl;
        let held: Self = dsl::wait_queue
            .filter(dsl::id.eq(id))
            .select(Self::as_select())
            .for_no_key_update()
            .first(conn)
            .await?;
        match owner {
            Some(driver) if driver != held.driver_id => Err(DbError::NotFound),
            _ => Ok(held),
        }
    }

    /// The same, and whether a truck stands on the deck to which it is called or was: its station is locked before it, as
    /// everywhere. `Overtaken` where it was called to another one meanwhile.
    pub(super) async fn lock_after_station(
        conn: &mut AsyncPgConnection,
        id: i64,
        owner: Option<i64>,
    ) -> Result<(Self, bool), DbError> {
        use schema::{wait_queue::dsl, weigh_station};
        let station: Option<i64> = dsl::wait_queue
            .filter(dsl::id.eq(id))
            .select(dsl::station_id)
            .first(conn)
            .await?;
        let deck: Option<(String, Option<Uuid>)> = weigh_station::table
            .filter(weigh_station::id.eq_any(station))
            .select((weigh_station::status, weigh_station::deck_cycle))
            .for_no_key_update()
            .first(conn)
            .await
            .optional()?;
        let held = Self::lock(conn, id, owner).await?;
        if held.station_id != station {
            return Err(DbError::Overtaken);
        }
        let stands = |(status, cycle): (String, Option<Uuid>)| cycle.is_some() || status == "WEIGHING";
        Ok((held, deck.is_some_and(stands)))
    }

    /// Whether it is called and its call has taken nothing yet.
    pub(super) fn awaits_its_truck(&self) -> bool {
        self.status == "CALLED" && self.capture_id.is_none()
    }

    /// A record that holds no weight goes with its call; the entry and the audit log keep the story. Answers the one that
    /// stays.
    pub(super) async fn drop_empty_record(&self, conn: &mut AsyncPgConnection) -> Result<Option<i64>, DbError> {
        use schema::weigh_record::dsl;
        let Some(id) = self.record_id else { return Ok(None) };
        let empty = dsl::weigh_record
            .filter(dsl::id.eq(id).and(dsl::first_weight.is_null()))
            .filter(dsl::status.eq_any(["PENDING", "WEIGHING"]));
        if diesel::delete(empty).execute(conn).await? == 0 {
            return Ok(Some(id));
        }
        audit_log::by_system(conn, &[removal(id, self.id)]).await?;
        Ok(None)
    }

    /// Whether its vehicle stands in a line by another entry. The vehicle's row is locked.
    pub(super) async fn vehicle_is_queued(&self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        vehicle_is_queued(conn, self.vehicle_id, Some(self.id)).await
    }

    /// The entry as it stands now, for whoever asked.
    pub(super) async fn changed(&self, conn: &mut AsyncPgConnection) -> Result<Changed, DbError> {
        Ok(Changed {
            entry: EntryById { id: self.id }.run(conn).await?,
            station_id: self.station_id,
            instead: None,
        })
    }

    /// Writes to the audit log who did what to it, and why.
    pub(super) async fn audit(
        &self,
        conn: &mut AsyncPgConnection,
        author: &Author,
        action: &'static str,
        after: Value,
    ) -> Result<(), DbError> {
        let deed = Deed {
            action,
            subject: format!("wait_queue {}", self.id),
            before: Some(json!({ "status": self.status, "position": self.position, "station_id": self.station_id })),
            after: Some(after),
        };
        audit_log::by_user(conn, author, deed).await
    }
}

/// Whether a vehicle stands in a line, by another entry than `except`. Its row is locked, so two clerks cannot both find it
/// free.
pub(in crate::db) async fn vehicle_is_queued(
    conn: &mut AsyncPgConnection,
    vehicle_id: i64,
    except: Option<i64>,
) -> Result<bool, DbError> {
    use schema::wait_queue::dsl;
    lock_vehicle(conn, vehicle_id).await?;
    let queued: Option<i64> = dsl::wait_queue
        .filter(dsl::vehicle_id.eq(vehicle_id).and(dsl::id.ne(except.unwrap_or(0))))
        .filter(dsl::status.eq_any(["WAITING", "CALLED"]))
        .select(dsl::id)
        .first(conn)
        .await
        .optional()?;
    Ok(queued.is_some())
}

async fn lock_vehicle(conn: &mut AsyncPgConnection, vehicle_id: i64) -> Result<(), DbError> {
    use schema::vehicle::dsl;
    dsl::vehicle
        .filter(dsl::id.eq(vehicle_id))
        .select(dsl::id)
        .for_no_key_update()
        .first::<i64>(conn)
        .await?;
    Ok(())
}

/// Those who wait at a site, in their order, without `except`. Nobody is locked: whoever takes one looks again.
pub(super) async fn waiting(
    conn: &mut AsyncPgConnection,
    site_id: i64,
    except: Option<i64>,
) -> Result<Vec<Waiting>, DbError> {
    use schema::wait_queue::dsl;
    type Row = (i64, f64, bool, Option<String>, Option<i64>);
    let rows: Vec<Row> = dsl::wait_queue
        .filter(dsl::site_id.eq(site_id).and(dsl::status.eq("WAITING")))
        .filter(dsl::id.ne(except.unwrap_or(0)))
        .order((dsl::position.asc(), dsl::id.asc()))
        .select((dsl::id, dsl::position, dsl::priority, dsl::direction, dsl::product_id))
        .load(conn)
        .await?;
    let waiting = |(id, position, priority, direction, product_id): Row| Waiting {
        id,
        position,
        priority,
        wish: Wish { direction, product_id },
    };
    Ok(rows.into_iter().map(waiting).collect())
}

/// A change that the index of open entries refuses is one for a driver who stands in a line already.
pub(in crate::db) fn or_already_queued<T>(
    outcome: Result<Result<T, Refusal>, DbError>,
) -> Result<Result<T, Refusal>, DbError> {
    match outcome {
        Err(error) if is_second_entry(&error) => Ok(Err(Refusal::AlreadyQueued)),
        other => other,
    }
}

pub(super) fn is_second_entry(error: &DbError) -> bool {
    matches!(error, DbError::Conflict { constraint, .. } if constraint == ONE_OPEN_PER_DRIVER)
}

/// The vehicle's record that waits for its second pass, if there is one.
pub(in crate::db) async fn open_record(
    conn: &mut AsyncPgConnection,
    site_id: i64,
    vehicle_id: i64,
) -> Result<Option<i64>, DbError> {
    use schema::weigh_record::dsl;
    let open = dsl::weigh_record
        .filter(dsl::vehicle_id.eq(vehicle_id).and(dsl::status.eq("WEIGHING")))
        .filter(dsl::first_weight.is_not_null().and(dsl::site_id.eq(site_id)))
        .order(dsl::weighed_at.desc())
        .select(dsl::id)
        .first(conn)
        .await
        .optional()?;
    Ok(open)
}

/// The same, locked, for who is called to it, and the vehicle's row after it: nobody else makes a record for it meanwhile.
/// None where it was completed or voided, `Overtaken` where there is another one by now.
pub(super) async fn hold_open_record(
    conn: &mut AsyncPgConnection,
    site_id: i64,
    vehicle_id: i64,
) -> Result<Option<i64>, DbError> {
    use schema::weigh_record::dsl;
    let open = open_record(conn, site_id, vehicle_id).await?;
    let held: Option<i64> = dsl::weigh_record
        .filter(dsl::id.eq_any(open).and(dsl::status.eq("WEIGHING")))
        .select(dsl::id)
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    lock_vehicle(conn, vehicle_id).await?;
    if open_record(conn, site_id, vehicle_id).await? == held {
        Ok(held)
    } else {
        Err(DbError::Overtaken)
    }
}

/// No deadline, and none that waits to go on.
pub(super) const NO_TIME: Option<DateTime<Utc>> = None;
