//! What is owed: counted for gauges, listed for staff. What messages say is left out, for it may be about people.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::{
    DbError, Query,
    page::{Listed, Slice},
    prepared::Prepare,
    schema,
};

/// How much is owed to each of these destinations. Asked by couriers for their gauges.
#[derive(Clone, Debug)]
pub struct Backlogs {
    pub destinations: Vec<&'static str>,
}

/// What one destination is owed.
#[derive(Clone, Debug, QueryableByName)]
pub struct Backlog {
    #[diesel(sql_type = sql_types::Text)]
    pub destination: String,
    /// Messages that are neither sent nor given up.
    #[diesel(sql_type = sql_types::BigInt)]
    pub owed: i64,
    /// Dead ones, which wait for staff.
    #[diesel(sql_type = sql_types::BigInt)]
    pub dead: i64,
    /// Seconds since the oldest of those that are owed was written.
    #[diesel(sql_type = sql_types::BigInt)]
    pub oldest_seconds: i64,
}

impl Query for Backlogs {
    type Output = Vec<Backlog>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Backlog>, DbError> {
        let backlogs = diesel::sql_query(
            "SELECT d.name AS destination, count(o.id) FILTER (WHERE o.state <> 'DEAD') AS owed, \
               count(o.id) FILTER (WHERE o.state = 'DEAD') AS dead, \
               coalesce(extract(epoch FROM now() - min(o.created_at) FILTER (WHERE o.state <> 'DEAD')), 0)::bigint AS oldest_seconds \
             FROM unnest($1) AS d (name) \
             LEFT JOIN outbox o ON o.destination = d.name AND o.state IN ('PENDING', 'LEASED', 'DEAD') GROUP BY d.name",
        )
        .bind::<sql_types::Array<sql_types::Text>, _>(self.destinations)
        .prepared()
        .load(conn)
        .await?;
        Ok(backlogs)
    }
}

/// Messages, the newest first.
#[derive(Clone, Debug)]
pub struct OutboxRows {
    pub filter: OutboxFilter,
    pub slice: Slice,
}

/// Which messages.
#[derive(Clone, Debug, Default)]
pub struct OutboxFilter {
    pub id: Option<i64>,
    pub state: Option<String>,
    pub destination: Option<String>,
    pub kind: Option<String>,
    pub aggregate_key: Option<String>,
}

/// A message, without what it says.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::outbox)]
pub struct OutboxItem {
    pub id: i64,
    pub kind: String,
    pub destination: String,
    pub idempotency_key: Uuid,
    pub aggregate_key: String,
    pub state: String,
    pub attempts: i32,
    pub next_attempt_at: DateTime<Utc>,
    pub last_error: Option<String>,
    pub lease_owner: Option<String>,
    pub created_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
}

impl Query for OutboxRows {
    type Output = Listed<OutboxItem>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<OutboxItem>, DbError> {
        use schema::outbox::dsl;
        let total = self.filter.rows().count().get_result(conn).await?;
        let items = self
            .filter
            .rows()
            .order(dsl::id.desc())
            .offset(self.slice.offset)
            .limit(self.slice.limit)
            .select(OutboxItem::as_select())
            .load(conn)
            .await?;
        Ok(Listed { items, total })
    }
}

impl OutboxFilter {
    pub(super) fn rows(&self) -> schema::outbox::BoxedQuery<'_, Pg> {
        use schema::outbox::dsl;
        let mut rows = dsl::outbox.into_boxed();
        if let Some(id) = self.id {
            rows = rows.filter(dsl::id.eq(id));
        }
        if let Some(state) = &self.state {
            rows = rows.filter(dsl::state.eq(state));
        }
        if let Some(destination) = &self.destination {
            rows = rows.filter(dsl::destination.eq(destination));
        }
        if let Some(kind) = &self.kind {
            rows = rows.filter(dsl::kind.eq(kind));
        }
        if let Some(key) = &self.aggregate_key {
            rows = rows.filter(dsl::aggregate_key.eq(key));
        }
        rows
    }
}
