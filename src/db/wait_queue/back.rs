//! An entry comes back to the head of the line, or lets the next one go first.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::{
    call::{CallNext, first_in_line},
    held::{Changed, Done, Held, Refusal, or_already_queued, waiting},
    news,
    order::put_behind,
};
use crate::{
    db::{DbError, Query, audit_log::Author, prepared::Prepare},
    domain::call_news::Withdrawn,
};

/// To the head of the line: before everyone who waits there now. It keeps a record only if that waits for a second pass.
pub(in crate::db) async fn to_head(conn: &mut AsyncPgConnection, entry_id: i64) -> Result<(), DbError> {
    diesel::sql_query(
        "UPDATE wait_queue AS e SET status = 'WAITING', station_id = NULL, called_at = NULL, deadline_at = NULL, \
         deadline_paused_at = NULL, capture_id = NULL, acknowledged_at = NULL, completed_at = NULL, \
         record_id = (SELECT r.id FROM weigh_record r \
                      WHERE r.id = e.record_id AND r.status = 'WEIGHING' AND r.first_weight IS NOT NULL), \
         position = least(e.position, (SELECT coalesce(min(w.position), e.position) - 1 FROM wait_queue w \
                   WHERE w.site_id = e.site_id AND w.status = 'WAITING')) WHERE e.id = $1",
    )
    .bind::<sql_types::BigInt, _>(entry_id)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

/// Brings an entry whose truck did not come, or which staff had to look at, back to the head of the line. `NotFound` where
/// there is no such entry.
#[derive(Clone, Debug)]
pub struct Return {
    pub entry_id: i64,
    pub author: Author,
}

impl Query for Return {
    type Output = Done;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        let returning = conn.transaction::<_, DbError, _>(async |conn| {
            let held = Held::lock(conn, self.entry_id, None).await?;
            if !["NO_SHOW", "REVIEW"].contains(&held.status.as_str()) {
                return Ok(Err(Refusal::InvalidState));
            }
            if held.vehicle_is_queued(conn).await? {
                return Ok(Err(Refusal::AlreadyQueued));
            }
            to_head(conn, held.id).await?;
            let after = json!({ "status": "WAITING" });
            held.audit(conn, &self.author, "queue.return", after).await?;
            held.changed(conn).await.map(Ok)
        });
        or_already_queued(returning.await)
    }
}

/// Lets the next one go first; `Overtaken` where the entry is called somewhere in that instant. A called entry waits at the head of the line again and the next whom the station takes is
/// called in its stead; an entry that waits changes places with the one behind it. Refused where nobody is next.
#[derive(Clone, Debug)]
pub struct Skip {
    pub entry_id: i64,
    pub reason: Option<String>,
    pub author: Author,
    /// How long the truck that is called instead has to come.
    pub deadline: TimeDelta,
    pub now: DateTime<Utc>,
}

impl Query for Skip {
    type Output = Done;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.skip(conn).await)
            .await
    }
}

impl Skip {
    async fn skip(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        let (held, stands_there) = Held::lock_after_station(conn, self.entry_id, None).await?;
        let done = if held.status == "WAITING" {
            self.change_places(conn, &held).await?
        } else if held.awaits_its_truck() && !stands_there {
            self.call_another(conn, &held).await?
        } else {
            Err(Refusal::InvalidState)
        };
        if done.is_ok() {
            let after = json!({ "status": "WAITING", "reason": self.reason });
            held.audit(conn, &self.author, "queue.skip", after).await?;
        }
        Ok(done)
    }

    async fn change_places(&self, conn: &mut AsyncPgConnection, held: &Held) -> Result<Done, DbError> {
        let others = waiting(conn, held.site_id, Some(held.id)).await?;
        let is_behind = |position: f64, id: i64| (position, id) > (held.position, held.id);
        let Some(next) = others.iter().find(|other| is_behind(other.position, other.id)) else {
            return Ok(Err(Refusal::NobodyWaits));
        };
        put_behind(conn, held, &others, next.id).await?;
        held.changed(conn).await.map(Ok)
    }

    async fn call_another(&self, conn: &mut AsyncPgConnection, held: &Held) -> Result<Done, DbError> {
        let Some(station_id) = held.station_id else {
            return Ok(Err(Refusal::InvalidState));
        };
        let next = CallNext {
            station_id,
            entry_id: None,
            by_itself: false,
            deadline: self.deadline,
            now: self.now,
        };
        let station = next.lock_station(conn).await?;
        if !station.is_in_use() {
            return Ok(Err(Refusal::StationClosed));
        }
        let Some(other) = first_in_line(conn, &station).await? else {
            return Ok(Err(Refusal::NobodyWaits));
        };
        news::withdraw(conn, held.id, Withdrawn::Skipped).await?;
        held.drop_empty_record(conn).await?;
        to_head(conn, held.id).await?;
        let instead = next.call_entry(conn, station.site_id, other).await?;
        Ok(Ok(Changed {
            instead: Some(Box::new(instead)),
            ..held.changed(conn).await?
        }))
    }
}
