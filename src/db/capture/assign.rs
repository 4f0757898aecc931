//! A capture becomes a vehicle's weighing, by hand.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;
use weighbridge_protocol::{CycleId, Kilograms};

use super::{CaptureKey, rejected};
use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        ledger::{self, Changes, Loaded, Wanted},
        parties::{Missing, Parties},
        schema,
        wait_queue::open_record,
        weight::Weight,
    },
    domain::{
        slip::local_day,
        weighing::{
            ledger::{Pass, Record, RecordStatus, Row},
            passes::{self, Taken},
            restored,
        },
    },
};

/// What came of a decision by staff.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Somebody else decided before, or there is no weight to decide on.
    InvalidState,
    Unknown(Missing),
    Made {
        /// The record that took the weight.
        record_id: Option<i64>,
        changes: Changes,
    },
}

/// Assigns a capture to a vehicle: its second pass where it has an open record, else a new weighing. An entry of that vehicle
/// is complete with it: one under review, one that counts as not having come, one that is called to that station, and one
/// that waited already when it was captured. A first pass of a vehicle that is called elsewhere is on its call's record, so
/// that its weight there completes it.
///
/// `Overtaken` where the vehicle got another open record in that instant.
#[derive(Clone, Debug)]
pub struct Assign {
    pub key: CaptureKey,
    pub parties: Parties,
    pub min_net: Kilograms,
    pub author: Author,
    pub now: DateTime<Utc>,
}

/// The record is of the moment of its later pass.
const PARTITIONS: &str = "\
    SELECT ensure_weigh_record_partition(at) FROM (SELECT captured_at AS at FROM capture WHERE id = $1 \
      UNION ALL SELECT $3 WHERE $3 IS NOT NULL \
      UNION ALL SELECT first_weighed_at FROM weigh_record \
        WHERE vehicle_id = $2 AND status = 'WEIGHING' AND first_weighed_at IS NOT NULL) AS passes";

impl Query for Assign {
    type Output = Decision;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Decision, DbError> {
        // A partition is made before the transaction that needs it: making one locks the table.
        let (id, taken_at) = match self.key {
            CaptureKey::Row(id) => (Some(id), None),
            CaptureKey::Event(epoch, seq) => (None, rejected::taken_at(conn, epoch, seq).await?),
        };
        diesel::sql_query(PARTITIONS)
            .bind::<sql_types::Nullable<sql_types::BigInt>, _>(id)
            .bind::<sql_types::BigInt, _>(self.parties.vehicle_id)
            .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(taken_at)
            .execute(conn)
            .await?;
        conn.transaction::<_, DbError, _>(async |conn| self.assign(conn).await)
            .await
    }
}

struct Found {
    id: i64,
    station_id: i64,
    cycle: CycleId,
    weight: Kilograms,
    captured_at: DateTime<Utc>,
}

impl Assign {
    async fn assign(self, conn: &mut AsyncPgConnection) -> Result<Decision, DbError> {
        if let Some(missing) = self.parties.missing(conn).await? {
            return Ok(Decision::Unknown(missing));
        }
        let row = match self.key {
            CaptureKey::Row(id) => Some(id),
            CaptureKey::Event(epoch, seq) => rejected::make_capture(conn, epoch, seq, &self.author, self.now).await?,
        };
        let Some(row) = row else {
            return Ok(Decision::InvalidState);
        };
        let found = found(conn, row).await?;
        let open = self.open_record(conn, &found).await?;
        let entry = self.entry(conn, &found).await?;
        let wanted = Wanted {
            stations: [found.station_id].into(),
            entries: entry.into_iter().collect(),
            cycles: [found.cycle].into(),
            records: open.into_iter().collect(),
            vehicles: [self.parties.vehicle_id].into(),
            min_net: self.min_net,
            fresh_records: 1,
            ..Wanted::default()
        };
        let mut loaded = ledger::load(conn, &wanted).await?;
        // Under its lock, which comes after those of station and entries.
        if !is_unassigned(conn, row).await? {
            return Ok(Decision::InvalidState);
        }
        // Under the vehicle's, which whoever makes a record for it has.
        if self.open_record(conn, &found).await? != open {
            return Err(DbError::Overtaken);
        }
        let Some(record_id) = self.take(&mut loaded, &found, open) else {
            return Ok(Decision::InvalidState);
        };
        count_revision(conn, &mut loaded, record_id).await?;
        let mut changes = ledger::save(conn, &mut loaded).await?;
        self.decide(conn, &found, record_id).await?;
        if let Some(entry) = entry {
            changes.sites.extend(self.close(conn, entry, &found, record_id).await?);
        }
        Ok(Decision::Made {
            record_id: Some(record_id),
            changes,
        })
    }

    /// Puts the weight on the open record, or on a new one.
    fn take(&self, loaded: &mut Loaded, found: &Found, open: Option<i64>) -> Option<i64> {
        let ledger = &mut loaded.ledger;
        let site_id = ledger.stations.get(&found.station_id)?.site_id;
        let zone = ledger.sites.get(&site_id)?.zone;
        let vehicle = ledger.vehicles.get(&self.parties.vehicle_id)?.clone();
        let pass = Pass {
            weight: found.weight,
            at: found.captured_at,
            station_id: found.station_id,
            capture_id: Some(found.id),
        };
        let (on_day, min_net) = (local_day(pass.at, zone), ledger.min_net);
        // What is complete with this weight alone is another weighing than the one for which the vehicle is called.
        let is_alone = passes::tare_of(&vehicle, pass.weight, on_day, min_net).is_some();
        let takes_it = |id: &i64| {
            let record = ledger.records.get(id);
            record.is_some_and(|record| record.status.is_open() && (record.first.is_some() || !is_alone))
        };
        let record_id = if let Some(id) = open.filter(takes_it) {
            id
        } else {
            let id = ledger.fresh_record_ids.pop()?;
            ledger.records.insert(id, Row::new(self.new_record(found, site_id)));
            id
        };
        let record = ledger.records.get_mut(&record_id)?;
        if passes::take(record.change(), &vehicle, pass, on_day, min_net) == Taken::Completed {
            restored::complete_by_hand(ledger, record_id, pass);
        }
        restored::complete_call(ledger, self.parties.vehicle_id, record_id, pass);
        Some(record_id)
    }

    fn new_record(&self, found: &Found, site_id: i64) -> Record {
        Record {
            site_id,
            station_id: found.station_id,
            vehicle_id: self.parties.vehicle_id,
            driver_id: self.parties.driver_id,
            product_id: self.parties.product_id,
            customer_id: self.parties.customer_id,
            direction: None,
            weighed_at: found.captured_at,
            status: RecordStatus::Weighing,
            first: None,
            second: None,
            weights: None,
            overload: None,
            review: None,
            slip: None,
            revision: 1,
        }
    }

    /// The record that waits for this vehicle's second pass at that site; else that of its call to another station.
    async fn open_record(&self, conn: &mut AsyncPgConnection, found: &Found) -> Result<Option<i64>, DbError> {
        use schema::{wait_queue, weigh_station};
        let site: i64 = weigh_station::table
            .find(found.station_id)
            .select(weigh_station::site_id)
            .first(conn)
            .await?;
        if let Some(open) = open_record(conn, site, self.parties.vehicle_id).await? {
            return Ok(Some(open));
        }
        let called: Option<Option<i64>> = wait_queue::table
            .filter(wait_queue::site_id.eq(site).and(wait_queue::status.eq("CALLED")))
            .filter(wait_queue::vehicle_id.eq(self.parties.vehicle_id))
            .filter(wait_queue::station_id.ne(found.station_id))
            .filter(wait_queue::capture_id.is_null())
            .select(wait_queue::record_id)
            .first(conn)
            .await
            .optional()?;
        Ok(called.flatten())
    }

    async fn decide(&self, conn: &mut AsyncPgConnection, found: &Found, record_id: i64) -> Result<(), DbError> {
        use schema::capture::dsl;
        diesel::update(dsl::capture.filter(dsl::id.eq(found.id)))
            .set((
                dsl::state.eq("ASSIGNED"),
                dsl::record_id.eq(record_id),
                dsl::decided_by.eq(self.author.user_id),
                dsl::decided_at.eq(self.now),
            ))
            .execute(conn)
            .await?;
        let deed = Deed {
            action: "capture.assign",
            subject: format!("capture {}", found.id),
            before: None,
            after: Some(json!({ "record_id": record_id, "vehicle_id": self.parties.vehicle_id })),
        };
        audit_log::by_user(conn, &self.author, deed).await
    }

    /// The entry whose weighing this is, if it is not called.
    async fn entry(&self, conn: &mut AsyncPgConnection, found: &Found) -> Result<Option<i64>, DbError> {
        use schema::wait_queue::dsl;
        Ok(dsl::wait_queue
            .filter(dsl::vehicle_id.eq(self.parties.vehicle_id))
            .filter(dsl::status.eq_any(UNCALLED))
            .filter(dsl::created_at.between(found.captured_at - TimeDelta::days(1), found.captured_at))
            .order(dsl::id.desc())
            .select(dsl::id)
            .first(conn)
            .await
            .optional()?)
    }

    /// The entry is complete, unless it was called or ended before it was locked; says whose line has changed.
    async fn close(
        &self,
        conn: &mut AsyncPgConnection,
        entry: i64,
        found: &Found,
        record: i64,
    ) -> Result<Option<i64>, DbError> {
        use schema::wait_queue::dsl;
        let site = diesel::update(dsl::wait_queue.filter(dsl::id.eq(entry).and(dsl::status.eq_any(UNCALLED))))
            .set((
                dsl::status.eq("COMPLETED"),
                dsl::capture_id.eq(found.id),
                dsl::record_id.eq(record),
                dsl::completed_at.eq(self.now),
            ))
            .returning(dsl::site_id)
            .get_result(conn)
            .await
            .optional()?;
        Ok(site)
    }
}

/// How an entry stands that may be weighed yet, and is not called.
const UNCALLED: [&str; 3] = ["REVIEW", "NO_SHOW", "WAITING"];

/// Counts the records that the capture has completed which completed this one: the later of two, whichever was assigned.
/// Those before were voided, and each is told to the ERP under a name of its own.
async fn count_revision(conn: &mut AsyncPgConnection, loaded: &mut Loaded, record_id: i64) -> Result<(), DbError> {
    if !loaded.ledger.completed.contains(&record_id) {
        return Ok(());
    }
    let Some(record) = loaded.ledger.records.get_mut(&record_id) else {
        return Ok(());
    };
    if let Some(pass) = record.second.or(record.first) {
        record.change().revision = 1 + completed_before(conn, pass).await?;
    }
    Ok(())
}

async fn completed_before(conn: &mut AsyncPgConnection, pass: Pass) -> Result<i32, DbError> {
    use schema::weigh_record::dsl;
    // A record is of the moment of the capture that completed it.
    let completed: i64 = dsl::weigh_record
        .filter(dsl::weighed_at.eq(pass.at).and(dsl::slip_number.is_not_null()))
        .filter(
            dsl::second_capture_id
                .eq(pass.capture_id)
                .or(dsl::first_capture_id.eq(pass.capture_id)),
        )
        .count()
        .get_result(conn)
        .await?;
    Ok(i32::try_from(completed).unwrap_or(i32::MAX - 1))
}

async fn found(conn: &mut AsyncPgConnection, id: i64) -> Result<Found, DbError> {
    use schema::capture::dsl;
    let (station_id, cycle, weight, captured_at): (i64, Uuid, Weight, DateTime<Utc>) = dsl::capture
        .filter(dsl::id.eq(id))
        .select((dsl::station_id, dsl::cycle, dsl::weight, dsl::captured_at))
        .first(conn)
        .await?;
    Ok(Found {
        id,
        station_id,
        cycle: CycleId::from_bits(cycle.as_u128()),
        weight: weight.into(),
        captured_at,
    })
}

async fn is_unassigned(conn: &mut AsyncPgConnection, id: i64) -> Result<bool, DbError> {
    use schema::capture::dsl;
    let state: String = dsl::capture
        .filter(dsl::id.eq(id))
        .select(dsl::state)
        .first(conn)
        .await?;
    Ok(state == "UNASSIGNED")
}
