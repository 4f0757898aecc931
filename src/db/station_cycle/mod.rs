//! Stations that are fed by HTTP: their cycle from zero to zero moves in the transaction that stores what moved it.
//!
//! - [`TakeReadings`]: readings that a gateway has posted
//! - [`Rearm`]: staff end a cycle although something lies on the deck
//! - [`cycle`]: the station's row, locked, and its capture logic
//! - [`rows`]: what is stored of readings and of what they led to

mod cycle;
mod rearm;
mod rows;

use std::collections::HashMap;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;
use weighbridge_protocol::{CycleId, Kilograms, scale::Scale};

pub use cycle::Memory;
pub use rearm::{NotRearmed, Rearm};

use self::{
    cycle::Cycle,
    rows::{Known, Rows},
};
use super::{DbError, Query, ledger::Changes};
use crate::domain::feed::FeedReading;

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

/// What became of one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored {
        /// The same was stored before.
        duplicate: bool,
        /// What this reading settled.
        capture_id: Option<i64>,
    },
    /// Its identity stands here with another text.
    Conflict,
    /// More than the station can show.
    Impossible,
    /// The station is not of the edge whose key it came with.
    Foreign,
}

impl Query for TakeReadings {
    type Output = Fed;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Fed, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| self.take(conn).await)
            .await
    }
}

/// What a reading comes to, before the captures of this group have their ids.
enum Judged {
    Known(Outcome),
    New { settled: Option<CycleId> },
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
        let mut rows = Rows::after(cycle.epoch, cycle.last_seq);
        let mut judged = Vec::with_capacity(self.readings.len());
        for reading in &self.readings {
            judged.push(judge(reading, &mut cycle, &mut known, &mut rows));
        }
        let (ledger, changes) = rows.apply(conn, &cycle, self.min_net).await?;
        rows.insert(conn).await?;
        let memory = Some(cycle.end(conn, rows.last_seq()).await?);
        let capture_of = |cycle: CycleId| ledger.captures.get(&cycle).map(|capture| capture.id);
        let outcomes = judged.into_iter().map(|judged| match judged {
            Judged::Known(outcome) => outcome,
            Judged::New { settled } => Outcome::Stored {
                duplicate: false,
                capture_id: settled.and_then(capture_of),
            },
        });
        Ok(Fed {
            outcomes: outcomes.collect(),
            memory,
            changes,
        })
    }
}

fn judge(reading: &FeedReading, cycle: &mut Cycle, known: &mut HashMap<Uuid, Known>, rows: &mut Rows) -> Judged {
    if cycle.edge_id != Some(reading.edge_id) {
        return Judged::Known(Outcome::Foreign);
    }
    if let Some(before) = known.get(&reading.event_id) {
        return Judged::Known(if before.sha256 == reading.sha256 {
            Outcome::Stored {
                duplicate: true,
                capture_id: before.capture_id,
            }
        } else {
            Outcome::Conflict
        });
    }
    if cycle.is_beyond_capacity(reading.kg) {
        return Judged::Known(Outcome::Impossible);
    }
    rows.reading(reading, cycle);
    known.insert(reading.event_id, Known::of(reading));
    let settled = feed(reading, &mut cycle.scale, rows);
    Judged::New { settled }
}

/// Feeds the capture logic and keeps what it tells. Answers the cycle that a settled weight was taken of: that counts as
/// committed, for if this transaction is not, neither is the scale's new state.
fn feed(reading: &FeedReading, scale: &mut Scale, rows: &mut Rows) -> Option<CycleId> {
    let mut settled = None;
    for event in reading.push(scale, || CycleId::from_bits(rand::random())) {
        let Some(kind) = event.kind() else { continue };
        let id = rows.event(reading, event.cycle(), kind);
        if matches!(event, weighbridge_protocol::scale::ScaleEvent::Settled(_)) {
            scale.committed(id);
            settled = event.cycle();
        }
    }
    settled
}
