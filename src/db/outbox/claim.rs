//! Takes what is due to one destination, under a lease by the database's clock.

use std::time::Duration;

use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    db::{DbError, Query, prepared::Prepare},
    domain::delivery::Tried,
};

/// Takes at most `limit` messages. Sent by a courier, which alone sends them until the lease ends.
///
/// Within a destination the messages of one aggregate go one after the other: an older one that is not settled, also one
/// that is dead, holds back the later ones.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `ERP`
    pub destination: &'static str,
    /// Who sends, for people who look at the row.
    pub owner: String,
    pub lease: Duration,
    pub limit: i64,
}

/// A message that is to be sent now.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: i64,
    pub kind: String,
    /// The name under which its receiver applies it once.
    pub idempotency_key: Uuid,
    pub aggregate_key: String,
    pub payload: Value,
    /// Rises with each lease; who settles names it.
    pub lease_term: i64,
    pub tried: Tried,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::BigInt)]
    id: i64,
    #[diesel(sql_type = sql_types::Text)]
    kind: String,
    #[diesel(sql_type = sql_types::Uuid)]
    idempotency_key: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    aggregate_key: String,
    #[diesel(sql_type = sql_types::Jsonb)]
    payload: Value,
    #[diesel(sql_type = sql_types::BigInt)]
    lease_term: i64,
    #[diesel(sql_type = sql_types::Integer)]
    attempts: i32,
    #[diesel(sql_type = sql_types::Integer)]
    panics: i32,
    #[diesel(sql_type = sql_types::BigInt)]
    tried_for_ms: i64,
}

/// `now()` is the same in both, so what was taken back is due at once.
const TAKE_BACK: &str = "\
    UPDATE outbox SET state = 'PENDING', lease_owner = NULL, lease_until = NULL, next_attempt_at = now(), \
      last_error = 'its sender vanished: ' || lease_owner \
    WHERE destination = $1 AND state = 'LEASED' AND lease_until < now()";

/// For how long a message is tried counts from its first attempt, without the time for which it was due and nobody took it:
/// its destination was down, or this server.
///
/// Public, for the test that reads its plan. An array, for the planner takes it to be short; a join it prepares for a tenth
/// of all that is due, by reading the whole table.
pub const TAKE: &str = "\
    WITH due AS ( \
      SELECT o.id FROM outbox o \
      WHERE o.destination = $1 AND o.state = 'PENDING' AND o.next_attempt_at <= now() \
        AND NOT EXISTS (SELECT FROM outbox e WHERE e.destination = $1 AND e.aggregate_key = o.aggregate_key \
                        AND e.id < o.id AND e.state IN ('PENDING', 'LEASED', 'DEAD')) \
      ORDER BY o.next_attempt_at, o.id LIMIT $2 FOR UPDATE OF o SKIP LOCKED) \
    UPDATE outbox SET state = 'LEASED', lease_owner = $3, lease_term = lease_term + 1, \
      lease_until = now() + $4 * interval '1 millisecond', \
      first_attempt_at = coalesce(first_attempt_at + (now() - next_attempt_at), now()) \
    WHERE id = ANY (ARRAY(SELECT id FROM due)) \
    RETURNING id, kind, idempotency_key, aggregate_key, payload, lease_term, attempts, panics, \
      (extract(epoch FROM now() - first_attempt_at) * 1000)::bigint AS tried_for_ms";

impl Query for Claim {
    type Output = Vec<Due>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Due>, DbError> {
        let lease = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let rows: Vec<Row> = conn
            .transaction::<_, DbError, _>(async |conn| {
                diesel::sql_query(TAKE_BACK)
                    .bind::<sql_types::Text, _>(self.destination)
                    .prepared()
                    .execute(conn)
                    .await?;
                let taken = diesel::sql_query(TAKE)
                    .bind::<sql_types::Text, _>(self.destination)
                    .bind::<sql_types::BigInt, _>(self.limit)
                    .bind::<sql_types::Text, _>(&self.owner)
                    .bind::<sql_types::BigInt, _>(lease)
                    .prepared()
                    .load(conn)
                    .await?;
                Ok(taken)
            })
            .await?;
        let mut due: Vec<Due> = rows.into_iter().map(Due::from).collect();
        due.sort_by_key(|due| due.id);
        Ok(due)
    }
}

impl From<Row> for Due {
    fn from(row: Row) -> Self {
        let count = |number: i32| u32::try_from(number).unwrap_or_default();
        Self {
            id: row.id,
            kind: row.kind,
            idempotency_key: row.idempotency_key,
            aggregate_key: row.aggregate_key,
            payload: row.payload,
            lease_term: row.lease_term,
            tried: Tried {
                attempts: count(row.attempts),
                panics: count(row.panics),
                since: Duration::from_millis(u64::try_from(row.tried_for_ms).unwrap_or_default()),
            },
        }
    }
}
