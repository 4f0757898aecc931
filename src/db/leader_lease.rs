//! Which of several servers does the scheduled work: a row with a holder, a term and an end by the database's clock.

use std::time::Duration;

use diesel::{OptionalExtension, QueryableByName, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, prepared::Prepare};

/// Takes the lease or goes on with it; answers its term, none while another holds it. Sent by Housekeeping.
#[derive(Clone, Debug)]
pub struct TakeLease {
    pub holder: String,
    pub lease: Duration,
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = sql_types::BigInt)]
    term: i64,
}

/// Whoever lets it end begins a new term, also when nobody else had it meanwhile.
const TAKE: &str = "\
    UPDATE leader_lease SET holder = $1, lease_until = now() + $2 * interval '1 millisecond', \
      term = term + CASE WHEN holder = $1 AND lease_until > now() THEN 0 ELSE 1 END \
    WHERE holder = $1 OR lease_until <= now() RETURNING term";

const HOLD: &str = "SELECT term FROM leader_lease WHERE term = $1 AND lease_until > now() FOR SHARE";

impl Query for TakeLease {
    type Output = Option<i64>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<i64>, DbError> {
        let held: Option<Held> = diesel::sql_query(TAKE)
            .bind::<sql_types::Text, _>(self.holder)
            .bind::<sql_types::BigInt, _>(i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX))
            .prepared()
            .get_result(conn)
            .await
            .optional()?;
        Ok(held.map(|held| held.term))
    }
}

/// Whether `term` is still the one that counts; it stays so until the caller's transaction ends. Nothing scheduled is written
/// without it.
pub(super) async fn hold(conn: &mut AsyncPgConnection, term: i64) -> Result<bool, DbError> {
    let held: Option<Held> = diesel::sql_query(HOLD)
        .bind::<sql_types::BigInt, _>(term)
        .prepared()
        .get_result(conn)
        .await
        .optional()?;
    Ok(held.is_some())
}
