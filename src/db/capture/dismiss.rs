//! A capture was nothing, for a reason.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::{CaptureKey, Decision};
use crate::db::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    ledger::Changes,
    schema,
};

/// Dismisses an unassigned capture, or an event that was set aside.
#[derive(Clone, Debug)]
pub struct Dismiss {
    pub key: CaptureKey,
    pub reason: String,
    pub author: Author,
    pub now: DateTime<Utc>,
}

impl Query for Dismiss {
    type Output = Decision;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Decision, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            let (dismissed, subject) = match self.key {
                CaptureKey::Row(id) => (self.dismiss_row(conn, id).await?, format!("capture {id}")),
                CaptureKey::Event(epoch, seq) => {
                    let epoch_id = Uuid::from_u128(epoch.bits());
                    (
                        self.dismiss_event(conn, epoch_id, seq).await?,
                        format!("edge_event {epoch}-{seq}"),
                    )
                }
            };
            if !dismissed {
                return Ok(Decision::InvalidState);
            }
            let after = Some(json!({ "reason": self.reason }));
            let deed = Deed {
                action: "capture.dismiss",
                subject,
                before: None,
                after,
            };
            audit_log::by_user(conn, &self.author, deed).await?;
            Ok(Decision::Made {
                record_id: None,
                changes: Changes::default(),
            })
        })
        .await
    }
}

impl Dismiss {
    async fn dismiss_row(&self, conn: &mut AsyncPgConnection, id: i64) -> Result<bool, DbError> {
        use schema::capture::dsl;
        let state: String = dsl::capture
            .filter(dsl::id.eq(id))
            .select(dsl::state)
            .for_no_key_update()
            .first(conn)
            .await?;
        if state != "UNASSIGNED" {
            return Ok(false);
        }
        diesel::update(dsl::capture.filter(dsl::id.eq(id)))
            .set((
                dsl::state.eq("DISMISSED"),
                dsl::decided_by.eq(self.author.user_id),
                dsl::decided_at.eq(self.now),
                dsl::decided_why.eq(&self.reason),
            ))
            .execute(conn)
            .await?;
        Ok(true)
    }

    async fn dismiss_event(&self, conn: &mut AsyncPgConnection, epoch: Uuid, seq: i64) -> Result<bool, DbError> {
        use schema::edge_event::dsl;
        let event = dsl::edge_event.filter(dsl::epoch.eq(epoch).and(dsl::seq.eq(seq)));
        let decided: Option<DateTime<Utc>> = event
            .filter(dsl::status.eq_any(["REJECTED", "QUARANTINED"]))
            .select(dsl::decided_at)
            .for_no_key_update()
            .first(conn)
            .await?;
        if decided.is_some() {
            return Ok(false);
        }
        diesel::update(event)
            .set((
                dsl::decided_by.eq(self.author.user_id),
                dsl::decided_at.eq(self.now),
                dsl::decided_why.eq(&self.reason),
            ))
            .execute(conn)
            .await?;
        Ok(true)
    }
}
