//! Staff end a cycle although something lies on the deck.

use chrono::Utc;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use weighbridge_protocol::Kilograms;

use super::{Memory, cycle::Cycle, rows};
use crate::{
    db::{
        DbError, Query,
        audit_log::{self, Author, Deed},
        ledger::Changes,
    },
    domain::feed::{FeedReading, rows::Rows},
};

/// Lets the next truck be captured without a return to zero. Sent by Indicator, for a station that is fed by HTTP.
#[derive(Clone, Debug)]
pub struct Rearm {
    pub station_id: i64,
    pub memory: Memory,
    /// What the deck showed last.
    pub last: FeedReading,
    pub reason: String,
    pub author: Author,
    pub min_net: Kilograms,
}

/// Why a station was not rearmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRearmed {
    #[error("the station shows no weight now, expected one to count from")]
    NoWeight,
}

impl Query for Rearm {
    type Output = Result<(Memory, Changes), NotRearmed>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Self::Output, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.rearm(conn).await)
            .await
    }
}

impl Rearm {
    async fn rearm(mut self, conn: &mut AsyncPgConnection) -> Result<Result<(Memory, Changes), NotRearmed>, DbError> {
        let mut cycle = Cycle::again(conn, self.station_id, self.memory).await?;
        let Ok(events) = cycle.station.scale.rearm() else {
            return Ok(Err(NotRearmed::NoWeight));
        };
        self.last.received_at = Utc::now();
        let mut rows = Rows::after(cycle.station.epoch, cycle.station.last_seq);
        for event in events {
            if let Some(kind) = event.kind() {
                rows.event(&self.last, event.cycle(), kind);
            }
        }
        let (_, changes) = rows::apply(conn, &mut rows, &cycle, self.min_net).await?;
        rows::insert(conn, &rows).await?;
        let deed = Deed {
            action: "station.rearm",
            subject: format!("station {}", self.station_id),
            before: None,
            after: Some(json!({ "reason": self.reason })),
        };
        audit_log::by_user(conn, &self.author, deed).await?;
        let memory = cycle.end(conn, rows.last_seq).await?;
        Ok(Ok((memory, changes)))
    }
}
