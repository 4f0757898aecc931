//! The months of `weigh_record`: each is a partition that must be there before a record of it is written.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    sql_types::{Array, Integer, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::{DbError, Query};

/// Makes the months of these moments where they are missing. Sent ahead of a change that may need one, in a transaction
/// of its own: making a month would hold up others for as long as that change takes.
#[derive(Clone, Debug)]
pub struct EnsureMonths(pub Vec<DateTime<Utc>>);

/// Makes this month and so many to come. Sent at start and by the daily housekeeping.
#[derive(Clone, Copy, Debug)]
pub struct EnsureComingMonths {
    pub ahead: i32,
}

#[derive(QueryableByName)]
struct Month {
    #[diesel(sql_type = Text)]
    partition: String,
}

impl Query for EnsureMonths {
    /// The partitions' names, in the order of the moments.
    type Output = Vec<String>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Self::Output, DbError> {
        let sql = "SELECT ensure_weigh_record_partition(moment) AS partition FROM unnest($1) AS moment";
        let months: Vec<Month> = diesel::sql_query(sql)
            .bind::<Array<Timestamptz>, _>(self.0)
            .load(conn)
            .await?;
        Ok(months.into_iter().map(|month| month.partition).collect())
    }
}

impl Query for EnsureComingMonths {
    /// The partitions' names, this month's first.
    type Output = Vec<String>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Self::Output, DbError> {
        let sql = "SELECT ensure_weigh_record_partition(now() + n * interval '1 month') AS partition
            FROM generate_series(0, $1) AS n";
        let months: Vec<Month> = diesel::sql_query(sql).bind::<Integer, _>(self.ahead).load(conn).await?;
        Ok(months.into_iter().map(|month| month.partition).collect())
    }
}
