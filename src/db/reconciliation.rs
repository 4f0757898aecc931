//! What the ERP has confirmed, beside what was completed, day by day; and every difference by name.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{QueryableByName, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query, weight::Weight};

/// The days from `from` to `to`, both included. Asked by the handler of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Reconcile {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Reconciled {
    pub days: Vec<Day>,
    /// The first of them; `differs` counts all.
    pub differences: Vec<Difference>,
    pub differs: i64,
}

/// A site's day.
#[derive(Clone, Debug, QueryableByName)]
pub struct Day {
    #[diesel(sql_type = sql_types::BigInt)]
    pub site_id: i64,
    #[diesel(sql_type = sql_types::Date)]
    pub day: NaiveDate,
    /// Completed weighings, voided ones included.
    #[diesel(sql_type = sql_types::BigInt)]
    pub completed: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    pub completed_net: Weight,
    #[diesel(sql_type = sql_types::BigInt)]
    pub voided: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    pub voided_net: Weight,
    /// Of those the ones that the ERP has confirmed.
    #[diesel(sql_type = sql_types::BigInt)]
    pub confirmed: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    pub confirmed_net: Weight,
    #[diesel(sql_type = sql_types::BigInt)]
    pub voids_confirmed: i64,
    /// When the day was closed, and how its close stands in the outbox.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub closed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub close_state: Option<String>,
}

/// A message that the ERP has not confirmed, or one that was never owed.
#[derive(Clone, Debug, QueryableByName)]
pub struct Difference {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub slip_number: Option<String>,
    #[diesel(sql_type = sql_types::Text)]
    pub kind: String,
    /// Of the outbox; MISSING where there is none.
    #[diesel(sql_type = sql_types::Text)]
    pub state: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub outbox_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub last_error: Option<String>,
    #[diesel(sql_type = sql_types::BigInt)]
    pub in_all: i64,
}

/// So many differences are named.
const NAMED: i64 = 200;

/// Records by the day of their slip: what was completed is what has one.
const DAYS: &str = "\
    WITH records AS ( \
      SELECT s.site_id, s.day, count(*) AS completed, sum(r.net_weight) AS completed_net, \
        count(*) FILTER (WHERE r.status = 'VOIDED') AS voided, \
        coalesce(sum(r.net_weight) FILTER (WHERE r.status = 'VOIDED'), 0) AS voided_net \
      FROM slip s JOIN weigh_record r ON r.id = s.record_id \
        AND r.weighed_at >= $1::date - interval '1 day' AND r.weighed_at < $2::date + interval '2 days' \
      WHERE s.day BETWEEN $1 AND $2 GROUP BY 1, 2), \
    told AS ( \
      SELECT (payload->>'site_id')::bigint AS site_id, (payload->>'day')::date AS day, \
        count(*) FILTER (WHERE kind = 'ERP_COMPLETE') AS confirmed, \
        coalesce(sum((payload->>'net_kg')::numeric) FILTER (WHERE kind = 'ERP_COMPLETE'), 0) AS confirmed_net, \
        count(*) FILTER (WHERE kind = 'ERP_VOID') AS voids_confirmed \
      FROM outbox WHERE destination = 'ERP' AND kind <> 'ERP_CLOSE' AND state = 'SENT' \
        AND payload->>'day' BETWEEN $1::text AND $2::text GROUP BY 1, 2), \
    closes AS ( \
      SELECT c.site_id, c.day, c.closed_at, o.state FROM day_close c \
      LEFT JOIN outbox o ON o.kind = 'ERP_CLOSE' AND o.destination = 'ERP' AND o.payload->>'day' = c.day::text \
        AND o.payload->'site_id' = to_jsonb(c.site_id) \
      WHERE c.day BETWEEN $1 AND $2) \
    SELECT site_id, day, coalesce(completed, 0) AS completed, coalesce(completed_net, 0) AS completed_net, \
      coalesce(voided, 0) AS voided, coalesce(voided_net, 0) AS voided_net, coalesce(confirmed, 0) AS confirmed, \
      coalesce(confirmed_net, 0) AS confirmed_net, coalesce(voids_confirmed, 0) AS voids_confirmed, \
      closed_at, state AS close_state \
    FROM records FULL JOIN told USING (site_id, day) FULL JOIN closes USING (site_id, day) ORDER BY day, site_id";

const DIFFERENCES: &str = "\
    WITH differing AS ( \
      SELECT payload->>'slip_number' AS slip_number, kind, state, id AS outbox_id, last_error, payload->>'day' AS day \
      FROM outbox WHERE destination = 'ERP' AND state <> 'SENT' AND payload->>'day' BETWEEN $1::text AND $2::text \
      UNION ALL \
      SELECT s.slip_number, 'ERP_COMPLETE', 'MISSING', NULL, NULL, s.day::text FROM slip s \
      WHERE s.day BETWEEN $1 AND $2 AND s.record_id IS NOT NULL AND NOT EXISTS \
        (SELECT FROM outbox o WHERE o.kind = 'ERP_COMPLETE' AND o.payload->>'slip_number' = s.slip_number)) \
    SELECT slip_number, kind, state, outbox_id, last_error, count(*) OVER () AS in_all FROM differing \
    ORDER BY day, slip_number, outbox_id LIMIT $3";

impl Query for Reconcile {
    type Output = Reconciled;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Reconciled, DbError> {
        let days = diesel::sql_query(DAYS)
            .bind::<sql_types::Date, _>(self.from)
            .bind::<sql_types::Date, _>(self.to)
            .load(conn)
            .await?;
        let differences: Vec<Difference> = diesel::sql_query(DIFFERENCES)
            .bind::<sql_types::Date, _>(self.from)
            .bind::<sql_types::Date, _>(self.to)
            .bind::<sql_types::BigInt, _>(NAMED)
            .load(conn)
            .await?;
        let differs = differences
            .iter()
            .map(|difference| difference.in_all)
            .max()
            .unwrap_or(0);
        Ok(Reconciled {
            days,
            differences,
            differs,
        })
    }
}
