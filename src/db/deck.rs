//! What stands on a station's deck as nobody's event told: seen empty by its readings, or said to be so by staff.

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use weighbridge_protocol::{CycleId, Kilograms};

use super::{
    DbError, Query,
    audit_log::{self, Author, Deed},
    ledger::{self, Changes, Wanted},
};
use crate::domain::weighing::{deck, ledger::StationStatus};

/// Nothing stands on a station's deck, though the events that have come say otherwise. Sent by its Indicator, which reads it
/// so for long; and by the handlers of HTTP, where staff say so and nobody reads it.
#[derive(Clone, Debug)]
pub struct SeenEmpty {
    pub station_id: i64,
    /// What was remembered when the deck was looked at: who has driven on since stays.
    pub deck: Option<CycleId>,
    /// Who says so, and why; none where it was read.
    pub said_by: Option<(Author, String)>,
    pub now: DateTime<Utc>,
}

impl Query for SeenEmpty {
    /// What others should hear of; none where there was nothing to forget.
    type Output = Option<Changes>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Option<Changes>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.forget(conn).await)
            .await
    }
}

impl SeenEmpty {
    async fn forget(self, conn: &mut AsyncPgConnection) -> Result<Option<Changes>, DbError> {
        let wanted = Wanted {
            stations: [self.station_id].into(),
            min_net: Kilograms::ZERO,
            ..Wanted::default()
        };
        let mut loaded = ledger::load(conn, &wanted).await?;
        let station = loaded.ledger.stations.get(&self.station_id).ok_or(DbError::NotFound)?;
        let is_known = station.is_empty() && station.status == StationStatus::Idle;
        if is_known || station.deck != self.deck {
            return Ok(None);
        }
        deck::seen_empty(&mut loaded.ledger, self.station_id, self.now);
        let changes = ledger::save(conn, &mut loaded).await?;
        if let Some((author, reason)) = self.said_by {
            let deed = Deed {
                action: "station.rearm",
                subject: format!("station {}", self.station_id),
                before: None,
                after: Some(json!({ "reason": reason, "deck": "empty" })),
            };
            audit_log::by_user(conn, &author, deed).await?;
        }
        Ok(Some(changes))
    }
}
