//! What is owed to others. Rows are written by the transaction that owes them, and taken by couriers under a lease.
//!
//! - [`claim`]: takes what is due, and takes back what a sender that died had taken
//! - [`settle`]: what became of it, refused where the lease has gone to another
//! - [`list`]: what is owed, for gauges and for staff
//! - [`decide`]: staff have a message tried again, or drop it

pub mod claim;
pub mod decide;
pub mod list;
pub mod settle;

use diesel::{
    prelude::*,
    sql_types::{Bool, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::{DbError, schema};
use crate::domain::{
    outbox::{Kind, Message},
    slip::SlipNumber,
};

pub use claim::{Claim, Due};
pub use decide::{Decide, Decision};
pub use list::{Backlog, Backlogs, OutboxFilter, OutboxItem, OutboxRows};
pub use settle::Settle;

/// What the ERP is told of a completed weighing, whether or not it has arrived.
pub async fn completion_of(conn: &mut AsyncPgConnection, slip: &SlipNumber) -> Result<Option<Value>, DbError> {
    use schema::outbox::dsl;
    let told = dsl::outbox
        .filter(dsl::kind.eq(Kind::ErpComplete.name()))
        .filter(diesel::dsl::sql::<Bool>("payload->>'slip_number' = ").bind::<Text, _>(slip.to_string()))
        .select(dsl::payload)
        .first(conn)
        .await
        .optional()?;
    Ok(told)
}

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
