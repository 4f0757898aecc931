//! Partitions ahead of time, and rows that have outlived their use. Never a weighing, a slip, a capture or an event.

use chrono::{DateTime, Months, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, schema};

/// Months for which there is a partition before they begin.
const MONTHS_AHEAD: u32 = 3;

/// One round. Sent by Housekeeping every hour, and by the start before anything is weighed. Answers how many rows went.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    pub now: DateTime<Utc>,
}

impl Query for Upkeep {
    type Output = usize;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<usize, DbError> {
        use schema::{idempotency_key, login_session};
        for ahead in 0..=MONTHS_AHEAD {
            let month = self.now.checked_add_months(Months::new(ahead)).unwrap_or(self.now);
            diesel::sql_query("SELECT ensure_weigh_record_partition($1)")
                .bind::<sql_types::Timestamptz, _>(month)
                .execute(conn)
                .await?;
        }
        let yesterday = self.now - chrono::TimeDelta::days(1);
        let keys = diesel::delete(idempotency_key::table.filter(idempotency_key::created_at.lt(yesterday)))
            .execute(conn)
            .await?;
        let long_ago = self.now - chrono::TimeDelta::days(90);
        let sessions = diesel::delete(login_session::table.filter(login_session::expires_at.lt(long_ago)))
            .execute(conn)
            .await?;
        Ok(keys + sessions)
    }
}
