//! Partitions ahead of time, and rows that have outlived their use. Never a weighing, a slip, a capture or an event.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, leader_lease, month::EnsureComingMonths, notification, schema};

/// Months for which there is a partition before they begin.
const MONTHS_AHEAD: i32 = 3;

/// One round. Sent by Housekeeping every hour, and by the start before anything is weighed. Answers how many rows went.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    pub now: DateTime<Utc>,
    /// That of the leader, without which nothing is removed; none at a start, which makes partitions alone.
    pub term: Option<i64>,
}

impl Query for Upkeep {
    type Output = usize;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<usize, DbError> {
        // In a transaction of its own: making a month holds up whoever writes records.
        EnsureComingMonths { ahead: MONTHS_AHEAD }.run(conn).await?;
        let Some(term) = self.term else { return Ok(0) };
        conn.transaction(async |conn| {
            if leader_lease::hold(conn, term).await? {
                self.forget(conn).await
            } else {
                Ok(0)
            }
        })
        .await
    }
}

impl Upkeep {
    /// Removes what has outlived its use.
    async fn forget(self, conn: &mut AsyncPgConnection) -> Result<usize, DbError> {
        use schema::{idempotency_key, login_session, slip_share};
        let yesterday = self.now - chrono::TimeDelta::days(1);
        let keys = diesel::delete(idempotency_key::table.filter(idempotency_key::created_at.lt(yesterday)))
            .execute(conn)
            .await?;
        let long_ago = self.now - chrono::TimeDelta::days(90);
        let sessions = diesel::delete(login_session::table.filter(login_session::expires_at.lt(long_ago)))
            .execute(conn)
            .await?;
        let notifications = notification::forget_before(conn, long_ago).await?;
        let shares = diesel::delete(slip_share::table.filter(slip_share::created_at.lt(long_ago)))
            .execute(conn)
            .await?;
        Ok(keys + sessions + notifications + shares)
    }
}
