//! An entry ends without a weighing.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::line::{Entry, EntryById};
use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        schema,
    },
    domain::weighing::leaving::removal,
};

/// Takes an open entry, or one that waits for a decision, out of the line. `NotFound` where there is no such entry.
#[derive(Clone, Debug)]
pub struct Cancel {
    pub entry_id: i64,
    pub reason: String,
    pub author: Author,
}

impl Query for Cancel {
    /// The entry as it ended, which still names its station; none where it had ended before, or its truck is being weighed.
    type Output = Option<Entry>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<Entry>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.cancel(conn).await)
            .await
    }
}

impl Cancel {
    async fn cancel(self, conn: &mut AsyncPgConnection) -> Result<Option<Entry>, DbError> {
        use schema::wait_queue::dsl;
        let (status, record_id, capture_id): (String, Option<i64>, Option<i64>) = dsl::wait_queue
            .filter(dsl::id.eq(self.entry_id))
            .select((dsl::status, dsl::record_id, dsl::capture_id))
            .for_no_key_update()
            .first(conn)
            .await?;
        let may_end = ["WAITING", "CALLED", "REVIEW", "NO_SHOW"].contains(&status.as_str());
        if !may_end || capture_id.is_some() {
            return Ok(None);
        }
        end(conn, self.entry_id, "CANCELLED", record_id).await?;
        let deed = Deed {
            action: "queue.cancel",
            subject: format!("wait_queue {}", self.entry_id),
            before: Some(json!({ "status": status })),
            after: Some(json!({ "status": "CANCELLED", "reason": self.reason })),
        };
        audit_log::by_user(conn, &self.author, deed).await?;
        EntryById { id: self.entry_id }.run(conn).await.map(Some)
    }
}

/// Turns calls whose deadline has passed without a truck into `NO_SHOW`. Sent by Queue, with the stations whose link and
/// indicator are up: while they are not, no deadline runs.
#[derive(Clone, Debug)]
pub struct ExpireCalls {
    pub stations: Vec<i64>,
    pub now: DateTime<Utc>,
}

impl Query for ExpireCalls {
    /// The entries that did not come.
    type Output = Vec<i64>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<i64>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            use schema::{wait_queue::dsl, weigh_station};
            // A truck that stands on a deck has come; its weighing decides.
            let empty: Vec<i64> = weigh_station::table
                .filter(
                    weigh_station::id
                        .eq_any(&self.stations)
                        .and(weigh_station::status.eq("IDLE")),
                )
                .order(weigh_station::id)
                .select(weigh_station::id)
                .for_no_key_update()
                .load(conn)
                .await?;
            let late: Vec<(i64, Option<i64>)> = dsl::wait_queue
                .filter(dsl::status.eq("CALLED").and(dsl::station_id.eq_any(empty)))
                .filter(dsl::deadline_at.lt(self.now).and(dsl::capture_id.is_null()))
                .order(dsl::id)
                .select((dsl::id, dsl::record_id))
                .for_no_key_update()
                .load(conn)
                .await?;
            let mut gone = Vec::new();
            for (id, record_id) in late {
                end(conn, id, "NO_SHOW", record_id).await?;
                gone.push(id);
            }
            Ok(gone)
        })
        .await
    }
}

/// Ends an entry; its record goes too if nothing was weighed under it.
async fn end(
    conn: &mut AsyncPgConnection,
    entry_id: i64,
    status: &'static str,
    record_id: Option<i64>,
) -> Result<(), DbError> {
    use schema::{wait_queue::dsl, weigh_record};
    let mut kept = record_id;
    if let Some(id) = record_id {
        let empty = weigh_record::table
            .filter(weigh_record::id.eq(id).and(weigh_record::first_weight.is_null()))
            .filter(weigh_record::status.eq_any(["PENDING", "WEIGHING"]));
        if diesel::delete(empty).execute(conn).await? > 0 {
            kept = None;
            audit_log::by_system(conn, &[removal(id, entry_id)]).await?;
        }
    }
    diesel::update(dsl::wait_queue.filter(dsl::id.eq(entry_id)))
        .set((
            dsl::status.eq(status),
            dsl::record_id.eq(kept),
            dsl::deadline_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
