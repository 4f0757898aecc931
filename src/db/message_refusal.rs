//! Who does not want slips that drivers share. Known by a keyed hash alone.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    schema,
};

/// Notes that a recipient refuses slips, or does not any more. Done twice it is as done once. Sent by the handlers of HTTP.
#[derive(Clone, Debug)]
pub struct SetRefusal {
    /// Keyed hash of the number or address.
    pub recipient_index: Vec<u8>,
    pub refused: bool,
    /// For the audit log: the recipient as far as it is shown.
    pub hidden: String,
    pub author: Author,
}

impl Query for SetRefusal {
    type Output = ();

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.set(conn).await)
            .await
    }
}

impl SetRefusal {
    async fn set(self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        use schema::message_refusal::dsl;
        if self.refused {
            diesel::insert_into(dsl::message_refusal)
                .values((
                    dsl::recipient_index.eq(&self.recipient_index),
                    dsl::refused_by.eq(self.author.user_id),
                ))
                .on_conflict_do_nothing()
                .execute(conn)
                .await?;
        } else {
            diesel::delete(dsl::message_refusal.filter(dsl::recipient_index.eq(&self.recipient_index)))
                .execute(conn)
                .await?;
        }
        let deed = Deed {
            action: "message_refusal.set",
            subject: format!("recipient {}", self.hidden),
            before: None,
            after: Some(json!({ "refused": self.refused })),
        };
        audit_log::by_user(conn, &self.author, deed).await
    }
}
