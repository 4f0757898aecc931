//! What is stored of a group's events, locked, and what will be.

use std::collections::BTreeMap;

use weighbridge_protocol::{Epoch, LinkSession};

use super::KnownEpoch;
use crate::domain::{
    edge_time::Moments,
    weighing::{Examined, Fate},
};

/// An event that is new here, as it will be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub edge_id: i64,
    pub examined: Examined,
    pub fate: Fate,
    /// Its corrected times; none where its body could not be read.
    pub moments: Option<Moments>,
    /// Whether it was declared lost.
    pub fills: bool,
}

/// Sessions, watermarks and identity rows of the edges and epochs at hand.
#[derive(Debug, Default)]
pub struct Identities {
    /// Edges that may write, with their newest session.
    pub sessions: BTreeMap<i64, LinkSession>,
    pub epochs: BTreeMap<Epoch, LockedEpoch>,
    /// To be stored.
    pub new: Vec<NewEvent>,
    /// To be kept beside what is stored, each with its edge.
    pub conflicts: Vec<(i64, Examined)>,
}

/// An epoch as it stood when it was locked, and as it stands with what was judged since.
#[derive(Debug)]
pub struct LockedEpoch {
    pub edge_id: i64,
    pub have_before: i64,
    pub known: KnownEpoch,
}

impl LockedEpoch {
    pub fn new(edge_id: i64, have: i64) -> Self {
        Self {
            edge_id,
            have_before: have,
            known: KnownEpoch {
                have,
                ..KnownEpoch::default()
            },
        }
    }
}

impl Identities {
    /// Whether this connection is its edge's newest, and all its events are of that edge's epochs.
    pub fn may_write(&self, edge_id: i64, session: LinkSession, events: &[Examined]) -> bool {
        let own = |examined: &Examined| {
            let epoch = self.epochs.get(&examined.event.epoch);
            epoch.is_some_and(|epoch| epoch.edge_id == edge_id)
        };
        self.sessions.get(&edge_id) == Some(&session) && events.iter().all(own)
    }

    /// How far an epoch is stored, with what was judged so far.
    pub fn have(&self, epoch: Epoch) -> Option<i64> {
        self.epochs.get(&epoch).map(|epoch| epoch.known.have)
    }

    /// Watermarks that have moved: epoch, before, now. Each is written by compare-and-set.
    pub fn moved(&self) -> impl Iterator<Item = (Epoch, i64, i64)> {
        let moved = self.epochs.iter().filter(|(_, of)| of.known.have != of.have_before);
        moved.map(|(epoch, of)| (*epoch, of.have_before, of.known.have))
    }
}
