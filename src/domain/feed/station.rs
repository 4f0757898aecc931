//! A station that is fed by HTTP, within its transaction: its cycle from zero to zero, and what a reading comes to.

use std::collections::HashMap;

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    scale::{CaptureSettings, CycleState, Scale, ScaleEvent},
};

use super::{FeedReading, rows::Rows};
use crate::domain::weighing::apply::beyond;

/// A station's capture logic as it stood after its last commit, with what the row does not keep: the settling window.
#[derive(Clone, Debug)]
pub struct Memory {
    pub epoch: Epoch,
    pub last_seq: i64,
    pub scale: Scale,
}

/// What is stored of such a station, locked.
#[derive(Clone, Debug)]
pub struct StationRow {
    pub station_id: i64,
    pub edge_id: Option<i64>,
    pub capacity: Option<Kilograms>,
    pub settings: CaptureSettings,
    pub epoch: Epoch,
    pub last_seq: i64,
    pub state: CycleState,
}

/// The station at work.
#[derive(Debug)]
pub struct FedStation {
    pub station_id: i64,
    pub edge_id: Option<i64>,
    pub epoch: Epoch,
    pub last_seq: i64,
    pub scale: Scale,
    capacity: Option<Kilograms>,
}

impl FedStation {
    /// Goes on from `memory`, unless another server has moved the station since.
    pub fn of(row: StationRow, memory: Option<Memory>) -> Self {
        let fresh = |memory: &Memory| (memory.epoch, memory.last_seq) == (row.epoch, row.last_seq);
        let mut scale = memory.filter(fresh).map_or_else(
            || Scale::resume(row.settings, row.state, Uuid::from_u128(row.epoch.bits())),
            |memory| memory.scale,
        );
        // Whoever posts talks to the server.
        scale.welcomed();
        if *scale.settings() != row.settings {
            scale.set(row.settings);
        }
        Self {
            station_id: row.station_id,
            edge_id: row.edge_id,
            epoch: row.epoch,
            last_seq: row.last_seq,
            scale,
            capacity: row.capacity,
        }
    }

    /// Takes a reading: what it is, and what it leads to.
    pub fn take(
        &mut self,
        reading: &FeedReading,
        known: &mut HashMap<Uuid, Known>,
        rows: &mut Rows,
        new_cycle: impl FnMut() -> CycleId,
    ) -> Judged {
        if self.edge_id != Some(reading.edge_id) {
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
        // The same bound as for a capture.
        if beyond(self.capacity, reading.kg) {
            return Judged::Known(Outcome::Impossible);
        }
        rows.reading(reading);
        known.insert(reading.event_id, Known::of(reading));
        let settled = self.feed(reading, rows, new_cycle);
        Judged::New { settled }
    }

    /// Feeds the capture logic and keeps what it tells. Answers the cycle that a settled weight was taken of: that counts as
    /// committed, for if this transaction is not, neither is the scale's new state.
    fn feed(&mut self, reading: &FeedReading, rows: &mut Rows, new_cycle: impl FnMut() -> CycleId) -> Option<CycleId> {
        let mut settled = None;
        for event in reading.push(&mut self.scale, new_cycle) {
            let Some(kind) = event.kind() else { continue };
            let id = rows.event(reading, event.cycle(), kind);
            if matches!(event, ScaleEvent::Settled(_)) {
                self.scale.committed(id);
                settled = event.cycle();
            }
        }
        settled
    }
}

/// What is known of a reading that was stored before.
#[derive(Clone, Debug)]
pub struct Known {
    pub sha256: String,
    pub capture_id: Option<i64>,
}

impl Known {
    /// A reading that this transaction stores. Whoever posts it twice at once is told of its capture the next time.
    fn of(reading: &FeedReading) -> Self {
        Self {
            sha256: reading.sha256.clone(),
            capture_id: None,
        }
    }
}

/// What a reading comes to, before the captures of its group have their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    Known(Outcome),
    New { settled: Option<CycleId> },
}

impl Judged {
    /// What became of it, where `capture_of` answers the id that a cycle's capture has got.
    pub fn outcome(self, capture_of: impl FnOnce(CycleId) -> Option<i64>) -> Outcome {
        match self {
            Self::Known(outcome) => outcome,
            Self::New { settled } => Outcome::Stored {
                duplicate: false,
                capture_id: settled.and_then(capture_of),
            },
        }
    }
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
