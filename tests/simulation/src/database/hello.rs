//! An edge's hello, as its transaction changes the database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use weighbridge_protocol::{
    Epoch, LinkSession,
    link::{
        EventId,
        messages::{EpochState, SeqRange},
    },
};

use super::{Database, EpochRow, EventRow, mutable};
use crate::domain::intake::hello::{Claim, claim, contiguous, holes, ranges};

/// What a hello is answered with.
#[derive(Debug)]
pub enum Greeting {
    Forbidden,
    Welcome {
        have: BTreeMap<Epoch, i64>,
        lost: BTreeMap<Epoch, Vec<SeqRange>>,
        newly_lost: usize,
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
        let (mut have, mut lost, mut newly_lost) = (BTreeMap::new(), BTreeMap::new(), 0);
        for state in epochs {
            newly_lost += self.settle(state, session);
            have.insert(state.epoch, self.epochs.get(&state.epoch).map_or(0, |row| row.have));
            let gone = self.lost_of(state.epoch);
            if !gone.is_empty() {
                lost.insert(state.epoch, gone);
            }
        }
        if newly_lost > 0 && counts_loss {
            self.distrust(edge_id, now);
        }
        Greeting::Welcome { have, lost, newly_lost }
    }

    /// Stores what the edge has lost as LOST, and moves the watermark over what is contiguous now.
    fn settle(&mut self, state: &EpochState, session: LinkSession) -> usize {
        let epoch = state.epoch;
        let before = self.epochs.get(&epoch).map_or(0, |row| row.have);
        let mut newly_lost = 0;
        for SeqRange(first, last) in holes(state, before) {
            for seq in first..=last {
                if !self.has(epoch, seq) {
                    mutable(&mut self.events).insert(EventId { epoch, seq }, EventRow::Lost);
                    newly_lost += 1;
                }
            }
        }
        let above = EventId { epoch, seq: before + 1 }..=EventId { epoch, seq: i64::MAX };
        let have = contiguous(before, self.events.range(above).map(|(id, _)| id.seq));
        if let Some(row) = mutable(&mut self.epochs).get_mut(&epoch) {
            (row.have, row.session) = (have, Some(session));
        }
        newly_lost
    }

    fn lost_of(&self, epoch: Epoch) -> Vec<SeqRange> {
        let all = EventId { epoch, seq: 0 }..=EventId { epoch, seq: i64::MAX };
        let rows = self.events.range(all);
        ranges(
            rows.filter(|(_, row)| matches!(row, EventRow::Lost))
                .map(|(id, _)| id.seq),
        )
    }
}
