//! Captures by their state, newest first; events that were set aside are listed as `rejected`.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::CaptureKey;
use crate::{
    db::{
        DbError, Query,
        page::{Listed, Slice},
        weight::Weight,
    },
    domain::{edge_time, weighing::legible},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Unassigned,
    Assigned,
    Dismissed,
    /// Events that were REJECTED or QUARANTINED and on which nobody has decided.
    Rejected,
}

#[derive(Clone, Debug, QueryableByName)]
pub struct CaptureItem {
    /// A row's number, or `<epoch>-<seq>`.
    #[diesel(sql_type = sql_types::Text)]
    pub key: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub station_id: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub station_name: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    pub weight: Option<Weight>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    captured_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Text)]
    pub state: String,
    /// What its event told: a capture, but for what was set aside. None where that cannot be read.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub kind: Option<String>,
    #[diesel(sql_type = sql_types::Bool)]
    pub gap: bool,
    /// Its time is its edge's word alone.
    #[diesel(sql_type = sql_types::Bool)]
    pub doubtful: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub record_id: Option<i64>,
    /// Why it was set aside, or decided on.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub reason: Option<String>,
    /// What its edge had been told of it before a restore, where that could not be brought back.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Jsonb>)]
    pub receipt: Option<serde_json::Value>,
    /// Whether that was another server.
    #[diesel(sql_type = sql_types::Bool)]
    pub told_elsewhere: bool,
    /// Of an event that was set aside.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    body: Option<String>,
    #[diesel(sql_type = sql_types::Text)]
    pub time_zone: String,
}

impl CaptureItem {
    /// When it was taken; of an event that was set aside when its edge says so, where that can be.
    pub fn taken_at(&self) -> DateTime<Utc> {
        let told = self.body.as_deref().map(|body| legible(body).at);
        told.map_or(self.captured_at, |told| edge_time::told(told, self.captured_at))
    }
}

/// A page of the captures in one state.
#[derive(Clone, Copy, Debug)]
pub struct CapturesIn {
    pub state: State,
    pub station_id: Option<i64>,
    pub slice: Slice,
}

const CAPTURES: &str = "\
    SELECT c.id::text AS key, c.station_id, s.name::text AS station_name, c.weight, c.captured_at, c.state::text, 'capture'::text AS kind, c.gap, \
      c.doubtful, c.record_id, c.decided_why AS reason, c.receipt, \
      coalesce(c.receipt->>'database' <> (SELECT birth_name::text FROM database_identity), false) AS told_elsewhere, NULL::text AS body, z.time_zone::text \
    FROM capture c JOIN weigh_station s ON s.id = c.station_id JOIN site z ON z.id = s.site_id";

const EVENTS: &str = "\
    SELECT replace(e.epoch::text, '-', '') || '-' || e.seq AS key, e.station_id, s.name::text AS station_name, e.weight, \
      e.received_at AS captured_at, e.status::text AS state, e.kind::text AS kind, false AS gap, true AS doubtful, NULL::bigint AS record_id, \
      coalesce(e.decided_why, e.reason) AS reason, NULL::jsonb AS receipt, false AS told_elsewhere, e.body, coalesce(z.time_zone, 'Asia/Seoul')::text AS time_zone \
    FROM edge_event e LEFT JOIN weigh_station s ON s.id = e.station_id LEFT JOIN site z ON z.id = s.site_id";

const OF_STATE: &str = "WHERE c.state = $1 AND ($2::bigint IS NULL OR c.station_id = $2)";
const UNDECIDED: &str = "\
    WHERE e.status IN ('REJECTED', 'QUARANTINED') AND e.decided_at IS NULL AND $1 <> '' \
      AND ($2::bigint IS NULL OR e.station_id = $2)";

#[derive(QueryableByName)]
struct Total {
    #[diesel(sql_type = sql_types::BigInt)]
    total: i64,
}

impl Query for CapturesIn {
    type Output = Listed<CaptureItem>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Listed<CaptureItem>, DbError> {
        let (from, state) = match self.state {
            State::Unassigned => (format!("{CAPTURES} {OF_STATE}"), "UNASSIGNED"),
            State::Assigned => (format!("{CAPTURES} {OF_STATE}"), "ASSIGNED"),
            State::Dismissed => (format!("{CAPTURES} {OF_STATE}"), "DISMISSED"),
            State::Rejected => (format!("{EVENTS} {UNDECIDED}"), "REJECTED"),
        };
        let total: Total = diesel::sql_query(format!("SELECT count(*) AS total FROM ({from}) all_of_it"))
            .bind::<sql_types::Text, _>(state)
            .bind::<sql_types::Nullable<sql_types::BigInt>, _>(self.station_id)
            .get_result(conn)
            .await?;
        let items = diesel::sql_query(format!("{from} ORDER BY captured_at DESC, key DESC LIMIT $3 OFFSET $4"))
            .bind::<sql_types::Text, _>(state)
            .bind::<sql_types::Nullable<sql_types::BigInt>, _>(self.station_id)
            .bind::<sql_types::BigInt, _>(self.slice.limit)
            .bind::<sql_types::BigInt, _>(self.slice.offset)
            .load(conn)
            .await?;
        Ok(Listed {
            items,
            total: total.total,
        })
    }
}

/// One capture, whatever its state, or one event that was set aside. `NotFound` where there is none.
#[derive(Clone, Copy, Debug)]
pub struct CaptureNamed(pub CaptureKey);

impl Query for CaptureNamed {
    type Output = CaptureItem;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<CaptureItem, DbError> {
        let found = match self.0 {
            CaptureKey::Row(id) => {
                diesel::sql_query(format!("{CAPTURES} WHERE c.id = $1"))
                    .bind::<sql_types::BigInt, _>(id)
                    .get_result(conn)
                    .await
            }
            CaptureKey::Event(epoch, seq) => {
                diesel::sql_query(format!("{EVENTS} WHERE e.epoch = $1 AND e.seq = $2"))
                    .bind::<sql_types::Uuid, _>(Uuid::from_u128(epoch.bits()))
                    .bind::<sql_types::BigInt, _>(seq)
                    .get_result(conn)
                    .await
            }
        };
        Ok(found?)
    }
}
