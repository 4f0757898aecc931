//! What became of a message that was sent. Nothing is settled under a lease that has gone to another. What a settled message
//! held sealed is wiped with it.

use chrono::{DateTime, Duration, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    db::{DbError, Query, prepared::Prepare, schema},
    domain::{delivery::Settlement, outbox::Kind},
};

/// Settles one attempt; answers whether it counted. `false`: the lease had ended and the message is another's or settled.
/// Sent by a courier.
#[derive(Clone, Debug)]
pub struct Settle {
    pub id: i64,
    /// That of [`super::Due`].
    pub lease_term: i64,
    pub settlement: Settlement,
}

/// What is written to the row.
#[derive(Debug)]
struct Written<'a> {
    state: &'a str,
    error: Option<&'a str>,
    /// Until the next attempt.
    wait_ms: i64,
    counted: bool,
    panicked: bool,
}

#[derive(QueryableByName)]
struct Settled {
    #[diesel(sql_type = sql_types::Text)]
    kind: String,
    #[diesel(sql_type = sql_types::Jsonb)]
    payload: Value,
}

/// What was no more than a probe of a destination that is down begins its time anew.
const SETTLE: &str = "\
    UPDATE outbox SET state = $3, last_error = $4, next_attempt_at = now() + $5 * interval '1 millisecond', \
      attempts = attempts + $6::integer, panics = panics + $7::integer, lease_owner = NULL, lease_until = NULL, \
      first_attempt_at = CASE WHEN $3 = 'PENDING' AND $6 = 0 THEN NULL ELSE first_attempt_at END, \
      settled_at = CASE WHEN $3 IN ('SENT', 'DISCARDED') THEN now() END, \
      payload = CASE WHEN $3 IN ('SENT', 'DISCARDED') THEN payload - 'sealed' ELSE payload END \
    WHERE id = $1 AND state = 'LEASED' AND lease_term = $2 RETURNING kind, payload";

impl Query for Settle {
    type Output = bool;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
        let written = Written::of(&self.settlement);
        conn.transaction::<_, DbError, _>(async |conn| {
            let settled: Option<Settled> = diesel::sql_query(SETTLE)
                .bind::<sql_types::BigInt, _>(self.id)
                .bind::<sql_types::BigInt, _>(self.lease_term)
                .bind::<sql_types::Text, _>(written.state)
                .bind::<sql_types::Nullable<sql_types::Text>, _>(written.error)
                .bind::<sql_types::BigInt, _>(written.wait_ms)
                .bind::<sql_types::Integer, _>(i32::from(written.counted))
                .bind::<sql_types::Integer, _>(i32::from(written.panicked))
                .prepared()
                .get_result(conn)
                .await
                .optional()?;
            let Some(settled) = settled else { return Ok(false) };
            if let Settlement::Sent { response } = &self.settlement
                && settled.kind == Kind::ErpComplete.name()
            {
                confirm(conn, &settled.payload, response).await?;
            }
            Ok(true)
        })
        .await
    }
}

impl<'a> Written<'a> {
    fn of(settlement: &'a Settlement) -> Self {
        let plain = |state, error| Written {
            state,
            error,
            wait_ms: 0,
            counted: true,
            panicked: false,
        };
        match settlement {
            Settlement::Sent { .. } => plain("SENT", None),
            Settlement::Discarded { why } => Written {
                counted: false,
                ..plain("DISCARDED", Some(why))
            },
            Settlement::Dead { why, panicked } => Written {
                panicked: *panicked,
                ..plain("DEAD", Some(why))
            },
            Settlement::Later {
                why,
                wait,
                counted,
                panicked,
            } => Written {
                wait_ms: i64::try_from(wait.as_millis()).unwrap_or(i64::MAX),
                counted: *counted,
                panicked: *panicked,
                ..plain("PENDING", Some(why))
            },
        }
    }
}

/// The ERP has the weighing, and says so on its record. Its time narrows the search to one partition.
async fn confirm(conn: &mut AsyncPgConnection, payload: &Value, response: &Value) -> Result<(), DbError> {
    use schema::weigh_record::dsl;
    let weighed_at = payload["weighed_at"]
        .as_str()
        .and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (Some(record_id), Some(weighed_at)) = (payload["record_id"].as_i64(), weighed_at) else {
        return Ok(());
    };
    // The payload's time is cut to milliseconds.
    let record = dsl::weigh_record
        .filter(dsl::id.eq(record_id))
        .filter(dsl::weighed_at.ge(weighed_at))
        .filter(dsl::weighed_at.lt(weighed_at + Duration::milliseconds(1)));
    diesel::update(record)
        .set((
            dsl::erp_sent.eq(true),
            dsl::erp_sent_at.eq(diesel::dsl::now),
            dsl::erp_response.eq(response),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
