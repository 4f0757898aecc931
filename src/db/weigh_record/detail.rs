//! One record with its story: where its weights came from, and what was done to it by hand.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use weighbridge_protocol::Kilograms;

use super::item::{Item, items};
use crate::db::{DbError, Query, schema, weight::Weight};

/// A record and its story.
#[derive(Clone, Debug)]
pub struct Detail {
    pub item: Item,
    pub story: Story,
    /// In the order in which they were taken.
    pub captures: Vec<CaptureOf>,
    /// The record that corrects this one.
    pub replaced_by: Option<i64>,
}

/// What a list leaves out.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::weigh_record)]
pub struct Story {
    pub first_station_id: Option<i64>,
    pub second_station_id: Option<i64>,
    pub manual_reason: Option<String>,
    pub voided_at: Option<DateTime<Utc>>,
    pub voided_by: Option<i64>,
    pub void_reason: Option<String>,
    /// The voided record that this one corrects.
    pub replaces: Option<i64>,
    pub revision: i32,
    pub review_reason: Option<String>,
    pub reprint_count: i32,
    pub erp_sent_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A stable weight that the record took.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = schema::capture)]
pub struct CaptureOf {
    pub id: i64,
    pub station_id: i64,
    #[diesel(deserialize_as = Weight)]
    pub weight: Kilograms,
    pub gap: bool,
    pub captured_at: DateTime<Utc>,
    /// Who of staff assigned it; none where a call did.
    pub decided_by: Option<i64>,
}

/// One record. `NotFound` where there is none.
#[derive(Clone, Copy, Debug)]
pub struct DetailOf(pub i64);

impl Query for DetailOf {
    type Output = Detail;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Detail, DbError> {
        use schema::{capture, weigh_record};
        let mut items = items(conn, vec![self.0]).await?;
        let item = items.pop().ok_or(DbError::NotFound)?;
        // With its month only one partition is searched.
        let story = weigh_record::table
            .filter(weigh_record::id.eq(item.id))
            .filter(weigh_record::weighed_at.eq(item.weighed_at))
            .select(Story::as_select())
            .first(conn)
            .await?;
        let captures = capture::table
            .filter(capture::record_id.eq(item.id))
            .order((capture::captured_at, capture::id))
            .select(CaptureOf::as_select())
            .load(conn)
            .await?;
        // Of the same moment, and so in the same partition.
        let replaced_by = weigh_record::table
            .filter(weigh_record::replaces.eq(item.id))
            .filter(weigh_record::weighed_at.eq(item.weighed_at))
            .select(weigh_record::id)
            .first(conn)
            .await
            .optional()?;
        Ok(Detail {
            item,
            story,
            captures,
            replaced_by,
        })
    }
}
