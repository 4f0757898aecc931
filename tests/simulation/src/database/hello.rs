//! An edge's hello, as its transaction changes the database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use weighbridge_protocol::{
    Epoch, LinkSession,
    link::messages::{EpochState, SeqRange},
};

use super::{Database, EpochRow, mutable};
use crate::domain::intake::hello::{Claim, claim, newly_lost};

/// What a hello is answered with.
#[derive(Debug)]
pub enum Greeting {
    Forbidden,
    Welcome {
        have: BTreeMap<Epoch, i64>,
        lost: BTreeMap<Epoch, Vec<SeqRange>>,
        newly_lost: u64,
    },
}

impl Database {
    /// Takes a hello. `counts_loss`: whether what an edge has lost makes its calls doubtful.
    pub fn greet(
        &mut self,
        edge_id: i64,
        epochs: &[EpochState],
        session: LinkSession,
        now: DateTime<Utc>,
        counts_loss: bool,
    ) -> Greeting {
        if !self.gateways.get(&edge_id).is_some_and(|gateway| gateway.is_active) {
            return Greeting::Forbidden;
        }
        for state in epochs {
            let owner = self.epochs.get(&state.epoch).map(|row| row.edge_id);
            let owner = owner.map(|edge| (edge, self.gateways.get(&edge).is_some_and(|gateway| gateway.is_active)));
            let have = match claim(edge_id, owner) {
                Claim::Own => continue,
                Claim::Foreign(_) => return Greeting::Forbidden,
                Claim::New => 0,
                Claim::TakenOver => self.epochs.get(&state.epoch).map_or(0, |row| row.have),
            };
            let row = EpochRow {
                edge_id,
                have,
                session: None,
            };
            mutable(&mut self.epochs).insert(state.epoch, row);
        }
        if let Some(gateway) = mutable(&mut self.gateways).get_mut(&edge_id) {
            gateway.session = Some(session);
        }
        let (mut have, mut lost, mut lately) = (BTreeMap::new(), BTreeMap::new(), 0);
        for state in epochs {
            lately += self.settle(state, session);
            have.insert(state.epoch, self.epochs.get(&state.epoch).map_or(0, |row| row.have));
            let gone = self.lost_of(state.epoch);
            if !gone.is_empty() {
                lost.insert(state.epoch, gone);
            }
        }
        if lately > 0 && counts_loss {
            self.distrust(edge_id, now);
        }
        Greeting::Welcome {
            have,
            lost,
            newly_lost: lately,
        }
    }

    /// Keeps what the edge has lost, and moves the watermark over what is contiguous now.
    fn settle(&mut self, state: &EpochState, session: LinkSession) -> u64 {
        let epoch = state.epoch;
        let before = self.epochs.get(&epoch).map_or(0, |row| row.have);
        let above = self.above(epoch, before);
        let new = newly_lost(state, before, &above);
        let count = new.count();
        if count > 0 {
            let lost = mutable(&mut self.lost).entry(epoch).or_default();
            *lost = std::mem::take(lost).and(new.clone());
        }
        if let Some(row) = mutable(&mut self.epochs).get_mut(&epoch) {
            (row.have, row.session) = (above.and(new).contiguous(before), Some(session));
        }
        count
    }

    fn lost_of(&self, epoch: Epoch) -> Vec<SeqRange> {
        self.lost
            .get(&epoch)
            .map(|lost| lost.ranges().to_vec())
            .unwrap_or_default()
    }
}
