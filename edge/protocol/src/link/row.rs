//! What an edge's file keeps of an event.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Epoch;

/// An event's identity, from birth and for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    pub epoch: Epoch,
    /// Counts from 1 within its epoch.
    pub seq: i64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}
