//! Partitions ahead of time, and rows that have outlived their use. Never a weighing, a slip, a capture or an event.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, leader_lease, month::EnsureComingMonths, notification, schema};

/// For so many months there is a partition before they begin. Sent by Housekeeping every hour, and by the start before
/// anything is weighed; in a transaction of its own, for making a month holds up whoever writes records.
pub const COMING_MONTHS: EnsureComingMonths = EnsureComingMonths { ahead: 3 };

/// Removes what has outlived its use. Sent by Housekeeping every hour. Answers how many rows went.
#[derive(Clone, Copy, Debug)]
pub struct Forget {
    pub now: DateTime<Utc>,
    /// That of the leader, without which nothing is removed.
    pub term: i64,
}

impl Query for Forget {
    type Output = usize;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<usize, DbError> {
        conn.transaction(async |conn| {
            if leader_lease::hold(conn, self.term).await? {
                self.forget(conn).await
            } else {
                Ok(0)
            }
        })
        .await
    }
}

impl Forget {
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
