//! Staff decide on a message: it is tried again, or dropped.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::OutboxItem;
use crate::db::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    schema,
};

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Now, with all its attempts before it.
    Retry,
    /// Never; the later ones of its aggregate go on.
    Discard,
}

/// Decides, and writes down who did. None where the message is on its way or settled. Sent by the handlers of HTTP.
#[derive(Clone, Debug)]
pub struct Decide {
    pub id: i64,
    pub decision: Decision,
    pub reason: Option<String>,
    pub author: Author,
}

impl Query for Decide {
    type Output = Option<OutboxItem>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<OutboxItem>, DbError> {
        conn.transaction(async |conn| self.decide(conn).await).await
    }
}

impl Decide {
    async fn decide(self, conn: &mut AsyncPgConnection) -> Result<Option<OutboxItem>, DbError> {
        use schema::outbox::dsl;
        let row = dsl::outbox.filter(dsl::id.eq(self.id));
        let before: OutboxItem = row.select(OutboxItem::as_select()).for_update().first(conn).await?;
        if !matches!(before.state.as_str(), "PENDING" | "DEAD") {
            return Ok(None);
        }
        match self.decision {
            Decision::Retry => {
                diesel::update(row)
                    .set((
                        dsl::state.eq("PENDING"),
                        dsl::attempts.eq(0),
                        dsl::panics.eq(0),
                        dsl::first_attempt_at.eq(None::<DateTime<Utc>>),
                        dsl::next_attempt_at.eq(diesel::dsl::now),
                    ))
                    .execute(conn)
                    .await?;
            }
            Decision::Discard => {
                diesel::update(row)
                    .set((
                        dsl::state.eq("DISCARDED"),
                        dsl::settled_at.eq(diesel::dsl::now),
                        dsl::payload.eq(dsl::payload.remove("sealed")),
                    ))
                    .execute(conn)
                    .await?;
            }
        }
        let after: OutboxItem = row.select(OutboxItem::as_select()).first(conn).await?;
        let deed = Deed {
            action: match self.decision {
                Decision::Retry => "outbox.retry",
                Decision::Discard => "outbox.discard",
            },
            subject: format!("outbox {}", self.id),
            before: Some(json!({
                "kind": before.kind, "aggregate_key": before.aggregate_key, "state": before.state,
                "attempts": before.attempts, "last_error": before.last_error,
            })),
            after: Some(json!({"state": after.state, "reason": self.reason})),
        };
        audit_log::by_user(conn, &self.author, deed).await?;
        Ok(Some(after))
    }
}
