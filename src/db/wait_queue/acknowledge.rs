//! A driver says that he comes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::held::{Done, Held, Refusal};
use crate::db::{DbError, Query, schema};

/// Notes that the called driver has heard his call. Done twice it is as done once. `NotFound` where there is no such entry.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledge {
    pub entry_id: i64,
    /// Whose it must be; for another driver it is not there.
    pub driver_id: Option<i64>,
    pub now: DateTime<Utc>,
}

impl Query for Acknowledge {
    type Output = Done;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Done, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            use schema::wait_queue::dsl;
            let held = Held::lock(conn, self.entry_id, self.driver_id).await?;
            if held.status != "CALLED" {
                return Ok(Err(Refusal::InvalidState));
            }
            let unheard = dsl::wait_queue.filter(dsl::id.eq(held.id).and(dsl::acknowledged_at.is_null()));
            diesel::update(unheard)
                .set(dsl::acknowledged_at.eq(self.now))
                .execute(conn)
                .await?;
            held.changed(conn).await.map(Ok)
        })
        .await
    }
}
