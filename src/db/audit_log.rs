//! Who did what to which row.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, schema};
use crate::domain::weighing::ledger::Audit;

/// Writes what happened by the rules, without a hand. Inside the caller's transaction.
pub async fn by_system(conn: &mut AsyncPgConnection, audits: &[Audit]) -> Result<(), DbError> {
    use schema::audit_log::dsl;
    let rows: Vec<_> = audits
        .iter()
        .map(|audit| {
            (
                dsl::actor.eq("system"),
                dsl::action.eq(audit.action),
                dsl::subject.eq(&audit.subject),
                dsl::before.eq(&audit.before),
                dsl::after.eq(&audit.after),
            )
        })
        .collect();
    if !rows.is_empty() {
        diesel::insert_into(dsl::audit_log).values(rows).execute(conn).await?;
    }
    Ok(())
}
