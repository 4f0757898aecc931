//! What is owed to others. Rows are written by the transaction that owes them, and taken by the delivery actors.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, schema};
use crate::domain::outbox::Message;

/// Owes messages, inside the caller's transaction. A key that is owed already is left alone: its receiver applies it once.
pub async fn enqueue(conn: &mut AsyncPgConnection, messages: &[Message]) -> Result<(), DbError> {
    use schema::outbox::dsl;
    if messages.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = messages
        .iter()
        .map(|message| {
            (
                dsl::kind.eq(message.kind.name()),
                dsl::idempotency_key.eq(message.idempotency_key),
                dsl::aggregate_key.eq(&message.aggregate_key),
                dsl::payload.eq(&message.payload),
            )
        })
        .collect();
    diesel::insert_into(dsl::outbox)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// Leaves due messages owed, and says why on each. No attempt is counted. Sent by a courier without a destination.
#[derive(Clone, Debug)]
pub struct Postpone {
    /// Patterns of SQL's LIKE.
    pub kinds: Vec<String>,
    pub why: &'static str,
    pub until: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// How many messages are owed, also those that were postponed before.
#[derive(Clone, Copy, Debug)]
pub struct Postponed {
    pub owed: i64,
}

impl Query for Postpone {
    type Output = Postponed;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Postponed, DbError> {
        use schema::outbox::dsl;
        let mut owed = 0;
        for kind in &self.kinds {
            let ours = || dsl::state.eq("PENDING").and(dsl::kind.like(kind));
            diesel::update(dsl::outbox.filter(ours()).filter(dsl::next_attempt_at.le(self.now)))
                .set((dsl::last_error.eq(self.why), dsl::next_attempt_at.eq(self.until)))
                .execute(conn)
                .await?;
            owed += dsl::outbox.filter(ours()).count().get_result::<i64>(conn).await?;
        }
        Ok(Postponed { owed })
    }
}
