//! Who did what to which row.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use serde_json::Value;

use super::{DbError, Query, schema};
use crate::domain::weighing::ledger::Audit;

/// Whose request changes something, and from where.
#[derive(Clone, Debug)]
pub struct Author {
    pub user_id: i64,
    pub login: String,
    pub address: String,
    pub request_id: String,
}

/// What a person did to which row. Personal data is left out or hidden.
#[derive(Clone, Debug)]
pub struct Deed {
    /// `vehicle.add`
    pub action: &'static str,
    /// `vehicle 7`
    pub subject: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Writes what a person did where no row of the database changes.
#[derive(Clone, Debug)]
pub struct Note {
    pub author: Author,
    pub deed: Deed,
}

impl Query for Note {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        by_user(conn, &self.author, self.deed).await
    }
}

/// Writes what a person did. Inside the caller's transaction.
pub async fn by_user(conn: &mut AsyncPgConnection, author: &Author, deed: Deed) -> Result<(), DbError> {
    use schema::audit_log::dsl;
    diesel::insert_into(dsl::audit_log)
        .values((
            dsl::actor_user_id.eq(author.user_id),
            dsl::actor.eq(&author.login),
            dsl::action.eq(deed.action),
            dsl::subject.eq(deed.subject),
            dsl::before.eq(deed.before),
            dsl::after.eq(deed.after),
            dsl::ip.eq(&author.address),
            dsl::request_id.eq(&author.request_id),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

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
