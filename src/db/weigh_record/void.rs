//! A record is voided: it does not count any more, and its weights wait for a decision again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::held::{Held, Place};
use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        ledger::{Changes, Wanted},
        schema,
        wait_queue::{self, Refusal},
    },
    domain::{
        call_news::Withdrawn,
        weighing::ledger::{Record, RecordStatus},
    },
};

/// Voids a completed record, or an open one that has a weight. `NotFound` where there is no such record, `Overtaken` where it
/// or its line was changed in that instant.
#[derive(Clone, Debug)]
pub struct VoidRecord {
    pub record_id: i64,
    pub reason: String,
    /// Whether the truck that was called gets its place back: another one was weighed under its call.
    pub requeue: bool,
    pub author: Author,
    pub now: DateTime<Utc>,
}

/// What others should hear of; or why the record stays.
pub type Voided = Result<Changes, Refusal>;

impl Query for VoidRecord {
    type Output = Voided;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Voided, DbError> {
        let voiding = conn.transaction::<_, DbError, _>(async |conn| self.void(conn).await);
        wait_queue::or_already_queued(voiding.await)
    }
}

impl VoidRecord {
    async fn void(self, conn: &mut AsyncPgConnection) -> Result<Voided, DbError> {
        let held = Held::lock(conn, self.record_id, Wanted::default()).await?;
        let Some(record) = held.record() else {
            return Ok(Err(Refusal::InvalidState));
        };
        let is_called = (held.loaded.ledger.calls.values())
            .any(|call| call.record_id == Some(self.record_id) && call.capture_id.is_none());
        let may_end = record.status == RecordStatus::Completed
            || record.status == RecordStatus::Weighing && record.first.is_some();
        if !may_end || is_called {
            return Ok(Err(Refusal::InvalidState));
        }
        // What is owed to the ERP is; to a phone, where a call is taken back.
        let mut changes = Changes {
            owes: true,
            stations: held.stations(record, vec![self.record_id]),
            unassigned: held.bundle.captures.len(),
            ..Changes::default()
        };
        if self.requeue {
            let was_called = |entry: &&Place| ["COMPLETED", "CALLED"].contains(&entry.status.as_str());
            match give_back(conn, held.bundle.entries.iter().rfind(was_called)).await? {
                Ok(site) => drop(changes.sites.insert(site)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        self.write(conn, &held, record).await?;
        Ok(Ok(changes))
    }

    async fn write(&self, conn: &mut AsyncPgConnection, held: &Held, record: &Record) -> Result<(), DbError> {
        use schema::capture;
        held.void(conn, &self.reason, &self.author, self.now).await?;
        diesel::update(capture::table.filter(capture::id.eq_any(held.bundle.capture_ids())))
            .set((
                capture::state.eq("UNASSIGNED"),
                capture::record_id.eq(None::<i64>),
                capture::decided_by.eq(None::<i64>),
                capture::decided_at.eq(None::<DateTime<Utc>>),
            ))
            .execute(conn)
            .await?;
        held.take_back(conn, record, &self.reason, self.now).await?;
        let deed = Deed {
            action: "record.void",
            subject: format!("weigh_record {}", self.record_id),
            before: Some(json!({ "status": record.status.name() })),
            after: Some(json!({ "status": "VOIDED", "reason": self.reason, "requeue": self.requeue })),
        };
        audit_log::by_user(conn, &self.author, deed).await
    }
}

/// The entry under whose call the record was made waits at the head of the line. Answers whose line that is.
async fn give_back(conn: &mut AsyncPgConnection, entry: Option<&Place>) -> Result<Result<i64, Refusal>, DbError> {
    use schema::wait_queue::dsl;
    let Some(place) = entry else {
        return Ok(Err(Refusal::InvalidState));
    };
    if wait_queue::vehicle_is_queued(conn, place.vehicle_id, Some(place.id)).await? {
        return Ok(Err(Refusal::AlreadyQueued));
    }
    if place.status == "CALLED" {
        wait_queue::withdraw(conn, place.id, Withdrawn::Voided).await?;
    }
    wait_queue::to_head(conn, place.id).await?;
    // Its record is the one that is being voided.
    diesel::update(dsl::wait_queue.filter(dsl::id.eq(place.id)))
        .set(dsl::record_id.eq(None::<i64>))
        .execute(conn)
        .await?;
    Ok(Ok(place.site_id))
}
