//! Stations that are fed by HTTP: their cycle from zero to zero moves in the transaction that stores what moved it.
//!
//! - [`TakeReadings`]: readings that a gateway has posted
//! - [`Rearm`]: staff end a cycle although something lies on the deck
//! - [`cycle`]: the station's row, locked, and its capture logic
//! - [`rows`]: what is stored of readings and of what they led to

mod cycle;
mod rearm;
mod rows;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use weighbridge_protocol::{CycleId, Kilograms};

pub use rearm::{NotRearmed, Rearm};

use self::cycle::Cycle;
use super::{DbError, Query, ledger::Changes};
pub use crate::domain::feed::station::{Memory, Outcome};
use crate::domain::feed::{FeedReading, rows::Rows};

/// Readings of one station, in the order in which they came. Sent by Indicator.
///
/// Safe to run again: each reading carries an identity of its own. What comes of the capture logic is decided from the row
/// that is locked here; `memory` only spares it from settling anew.
#[derive(Clone, Debug)]
pub struct TakeReadings {
    pub station_id: i64,
    pub readings: Vec<FeedReading>,
    pub memory: Option<Memory>,
    /// What a weight must exceed a registered tare by.
    pub min_net: Kilograms,
}

/// What came of it.
#[derive(Debug)]
pub struct Fed {
    /// One for each reading.
    pub outcomes: Vec<Outcome>,
    /// For the next readings; none where the station is not of these edges.
    pub memory: Option<Memory>,
    /// What others should hear of.
    pub changes: Changes,
}

impl Query for TakeReadings {
    type Output = Fed;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Fed, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.take(conn).await)
            .await
    }
}

impl TakeReadings {
    async fn take(self, conn: &mut AsyncPgConnection) -> Result<Fed, DbError> {
        let edges: Vec<i64> = self.readings.iter().map(|reading| reading.edge_id).collect();
        let Some(mut cycle) = Cycle::begin(conn, self.station_id, &edges, self.memory).await? else {
            return Ok(Fed {
                outcomes: vec![Outcome::Foreign; self.readings.len()],
                memory: None,
                changes: Changes::default(),
            });
        };
        let mut known = rows::known(conn, &self.readings).await?;
        let mut rows = Rows::after(cycle.station.epoch, cycle.station.last_seq);
        let mut judged = Vec::with_capacity(self.readings.len());
        for reading in &self.readings {
            let new_cycle = || CycleId::from_bits(rand::random());
            judged.push(cycle.station.take(reading, &mut known, &mut rows, new_cycle));
        }
        let (ledger, changes) = rows::apply(conn, &mut rows, &cycle, self.min_net).await?;
        rows::insert(conn, &rows).await?;
        let memory = Some(cycle.end(conn, rows.last_seq).await?);
        let capture_of = |cycle: CycleId| ledger.captures.get(&cycle).map(|capture| capture.id);
        Ok(Fed {
            outcomes: judged.into_iter().map(|judged| judged.outcome(capture_of)).collect(),
            memory,
            changes,
        })
    }
}
