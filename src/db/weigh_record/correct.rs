//! A completed record is put right: it is voided, and another one takes its weights, its place and its story.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use weighbridge_protocol::Kilograms;

use super::held::Held;
use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        ledger::{Changes, Wanted, names, slips},
        outbox,
        parties::{self, Missing},
        schema,
        weight::Weight,
    },
    domain::{
        outbox::{Before, correction},
        slip::local_day,
        weighing::{
            correct::{Correction, Uncorrectable, corrected},
            ledger::{Record, Row, Weights},
        },
    },
};

/// Corrects whom and what a completed record names. `NotFound` where there is no such record, `Overtaken` where it or its
/// line was changed in that instant. Sent by the handler of HTTP.
#[derive(Clone, Debug)]
pub struct CorrectRecord {
    pub record_id: i64,
    pub correction: Correction,
    pub reason: String,
    pub min_net: Kilograms,
    pub author: Author,
    pub now: DateTime<Utc>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Corrected {
    Unknown(Missing),
    Refused(Uncorrectable),
    Made {
        /// The record that stands in its place.
        record_id: i64,
        changes: Changes,
    },
}

/// What was measured goes from row to row inside the database, and so does what the rules know nothing of.
const INSERT: &str = "\
    INSERT INTO weigh_record (id, replaces, status, vehicle_id, driver_id, product_id, customer_id, slip_number, revision, \
      gross_weight, tare_weight, net_weight, overload, site_id, station_id, weighed_at, direction, \
      first_weight, first_weighed_at, first_station_id, first_capture_id, \
      second_weight, second_weighed_at, second_station_id, second_capture_id, \
      manual, manual_reason, manual_key, needs_review, review_reason) \
    SELECT $3, id, 'COMPLETED', $4, $5, $6, $7, $8, $9, \
      $10, $11, $12, $13, site_id, station_id, weighed_at, direction, \
      first_weight, first_weighed_at, first_station_id, first_capture_id, \
      second_weight, second_weighed_at, second_station_id, second_capture_id, \
      manual, manual_reason, manual_key, needs_review, review_reason \
    FROM weigh_record WHERE id = $1 AND weighed_at = $2";

impl Query for CorrectRecord {
    type Output = Corrected;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Corrected, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.correct(conn).await)
            .await
    }
}

impl CorrectRecord {
    async fn correct(self, conn: &mut AsyncPgConnection) -> Result<Corrected, DbError> {
        let wanted = Wanted {
            vehicles: self.correction.vehicle_id.into_iter().collect(),
            fresh_records: 1,
            ..Wanted::default()
        };
        let mut held = Held::lock(conn, self.record_id, wanted).await?;
        // After the locks: what is missing now stays so.
        if let Some(missing) = parties::missing_of(conn, &self.correction).await? {
            return Ok(Corrected::Unknown(missing));
        }
        let (before, after) = match self.decide(&held) {
            Ok(both) => both,
            Err(why) => return Ok(Corrected::Refused(why)),
        };
        let Some(record_id) = held.loaded.ledger.fresh_record_ids.pop() else {
            return Err(DbError::Overtaken);
        };
        held.void(conn, &self.reason, &self.author, self.now).await?;
        self.move_over(conn, &held, record_id).await?;
        let told = held.take_back(conn, &before, &self.reason, self.now).await?;
        let after = complete(conn, &mut held, record_id, after).await?;
        self.tell(conn, &held, record_id, (&before, &after), told).await?;
        self.note(conn, record_id, &before, &after).await?;
        let changes = Changes {
            stations: held.stations(&before, vec![self.record_id, record_id]),
            owes: true,
            ..Changes::default()
        };
        Ok(Corrected::Made { record_id, changes })
    }

    /// The record as it was, and as it is to be.
    fn decide(&self, held: &Held) -> Result<(Record, Record), Uncorrectable> {
        let ledger = &held.loaded.ledger;
        let before = held.record().ok_or(Uncorrectable::NotComplete)?;
        let vehicle_id = self.correction.vehicle_id.unwrap_or(before.vehicle_id);
        let site = ledger.sites.get(&before.site_id).ok_or(Uncorrectable::NotComplete)?;
        let vehicle = ledger.vehicles.get(&vehicle_id).ok_or(Uncorrectable::NotComplete)?;
        let on_day = local_day(before.weighed_at, site.zone);
        let after = corrected(before, &self.correction, vehicle, on_day, self.min_net)?;
        Ok((before.clone(), after))
    }

    /// Captures and entries of the line are the new record's.
    async fn move_over(&self, conn: &mut AsyncPgConnection, held: &Held, record_id: i64) -> Result<(), DbError> {
        use schema::{capture, wait_queue};
        let entries: Vec<i64> = held.bundle.entries.iter().map(|entry| entry.id).collect();
        diesel::update(wait_queue::table.filter(wait_queue::id.eq_any(entries)))
            .set(wait_queue::record_id.eq(record_id))
            .execute(conn)
            .await?;
        diesel::update(capture::table.filter(capture::id.eq_any(held.bundle.capture_ids())))
            .set(capture::record_id.eq(record_id))
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn tell(
        &self,
        conn: &mut AsyncPgConnection,
        held: &Held,
        record_id: i64,
        (before, after): (&Record, &Record),
        told: bool,
    ) -> Result<(), DbError> {
        let first = held.first(conn, before).await?;
        let (Some(origin), Some(first_slip)) = (held.origin(before), first.slip) else {
            return Ok(());
        };
        let before = Before {
            record_id: self.record_id,
            slip: before.slip.clone(),
            driver_id: before.driver_id,
            told,
            first_record_id: first.record_id,
            first_slip,
        };
        let completed = names::of_completed(conn, &held.loaded.ledger).await?;
        let names = completed.get(&record_id).cloned().unwrap_or_default();
        outbox::enqueue(conn, &correction(record_id, after, &names, origin, &before)).await
    }

    async fn note(
        &self,
        conn: &mut AsyncPgConnection,
        record_id: i64,
        before: &Record,
        after: &Record,
    ) -> Result<(), DbError> {
        let mut now = named(after);
        now["record_id"] = record_id.into();
        now["reason"] = self.reason.clone().into();
        let deed = Deed {
            action: "record.correct",
            subject: format!("weigh_record {}", self.record_id),
            before: Some(named(before)),
            after: Some(now),
        };
        audit_log::by_user(conn, &self.author, deed).await
    }
}

/// Numbers the slip of the new record and writes it.
async fn complete(
    conn: &mut AsyncPgConnection,
    held: &mut Held,
    record_id: i64,
    after: Record,
) -> Result<Record, DbError> {
    let ledger = &mut held.loaded.ledger;
    ledger.records.insert(record_id, Row::new(after.clone()));
    ledger.completed.push(record_id);
    slips::number(conn, ledger).await?;
    let after = ledger.records.get(&record_id).map_or(after, |row| (**row).clone());
    let kg = |part: fn(&Weights) -> Kilograms| after.weights.as_ref().map(|weights| Weight::from(part(weights)));
    diesel::sql_query(INSERT)
        .bind::<sql_types::BigInt, _>(held.id)
        .bind::<sql_types::Timestamptz, _>(held.bundle.story.weighed_at)
        .bind::<sql_types::BigInt, _>(record_id)
        .bind::<sql_types::BigInt, _>(after.vehicle_id)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(after.driver_id)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(after.product_id)
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(after.customer_id)
        .bind::<sql_types::Nullable<sql_types::Text>, _>(after.slip.as_ref().map(ToString::to_string))
        .bind::<sql_types::Integer, _>(after.revision)
        .bind::<sql_types::Nullable<sql_types::Numeric>, _>(kg(|weights| weights.gross))
        .bind::<sql_types::Nullable<sql_types::Numeric>, _>(kg(|weights| weights.tare))
        .bind::<sql_types::Nullable<sql_types::Numeric>, _>(kg(|weights| weights.net))
        .bind::<sql_types::Nullable<sql_types::Text>, _>(after.overload)
        .execute(conn)
        .await?;
    Ok(after)
}

/// What the audit log says of a record.
fn named(record: &Record) -> Value {
    json!({
        "slip_number": record.slip.as_ref().map(ToString::to_string),
        "vehicle_id": record.vehicle_id,
        "driver_id": record.driver_id,
        "product_id": record.product_id,
        "customer_id": record.customer_id,
    })
}
