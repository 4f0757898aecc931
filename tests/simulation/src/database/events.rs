//! Identity rows and watermarks: what a group of events is judged by, and what it leaves.

use std::{collections::BTreeMap, rc::Rc};

use weighbridge_protocol::{
    Epoch, LinkSession,
    link::{EventId, messages::SeqRange},
};

use super::{Database, KeptEvent, mutable};
use crate::{
    breaks::Break,
    domain::{
        intake::{
            Awaited,
            group::{Answered, Folded, fold},
            identities::{Identities, LockedEpoch},
            seqs::Seqs,
        },
        weighing::{Examined, Wanted},
    },
};

/// What one connection brings into a transaction.
#[derive(Debug)]
pub struct Group {
    pub edge_id: i64,
    pub session: LinkSession,
    pub events: Vec<Examined>,
    pub clock: crate::domain::edge_time::ClockModel,
    pub awaited: Awaited,
    /// What the connection, or its process, remembers; only a broken server believes it.
    pub remembered: BTreeMap<Epoch, i64>,
}

impl Group {
    fn of(&self) -> crate::domain::intake::group::Group<'_> {
        crate::domain::intake::group::Group {
            edge_id: self.edge_id,
            events: &self.events,
            clock: self.clock,
            awaited: self.awaited,
        }
    }

    fn may_write(&self, identities: &Identities) -> bool {
        identities.may_write(self.edge_id, self.session, &self.events)
    }
}

impl Database {
    /// Stores what several connections brought, in one transaction. None: the connection is not its edge's newest.
    pub fn store(&mut self, groups: &[Group], broken: &[Break]) -> Vec<Option<Answered>> {
        let mut identities = self.identities(groups, broken);
        let mut wanted = Wanted {
            min_net: super::MIN_NET,
            ..Wanted::default()
        };
        for group in groups.iter().filter(|group| group.may_write(&identities)) {
            wanted.add(group.edge_id, &group.events);
        }
        let mut ledger = self.ledger(&wanted, broken);
        let mut folded: Vec<Option<Folded>> = Vec::with_capacity(groups.len());
        for group in groups {
            let may_write = group.may_write(&identities);
            folded.push(may_write.then(|| fold(group.of(), &mut identities, &mut ledger)));
        }
        if broken.contains(&Break::LostCalls) {
            ledger.stations.clear();
        }
        self.save_ledger(&mut ledger, broken);
        self.save_identities(&identities);
        let answered = folded
            .into_iter()
            .map(|folded| folded.map(|folded| folded.answered(&ledger, &identities)));
        answered.collect()
    }

    fn identities(&self, groups: &[Group], broken: &[Break]) -> Identities {
        let mut found = Identities::default();
        for group in groups {
            let mut newest = self.newest_session(group.edge_id);
            let epoch_of = |examined: &Examined| self.epochs.get(&examined.event.epoch);
            let owns = |row: &super::EpochRow| row.session == Some(group.session);
            if broken.contains(&Break::NoFence)
                || broken.contains(&Break::FenceEdge) && group.events.iter().filter_map(epoch_of).all(owns)
            {
                newest = newest.map(|_| group.session);
            }
            found.sessions.extend(newest.map(|session| (group.edge_id, session)));
            for examined in &group.events {
                self.look_up(examined, &mut found, &group.remembered, broken);
            }
        }
        found
    }

    fn look_up(
        &self,
        examined: &Examined,
        found: &mut Identities,
        remembered: &BTreeMap<Epoch, i64>,
        broken: &[Break],
    ) {
        let event = &examined.event;
        let Some(row) = self.epochs.get(&event.epoch) else {
            return;
        };
        let locked = found.epochs.entry(event.epoch).or_insert_with(|| {
            let believes = broken.contains(&Break::WatermarkInMemory) || broken.contains(&Break::NoCas);
            let have = remembered.get(&event.epoch).copied().filter(|_| believes);
            let mut locked = LockedEpoch::new(row.edge_id, have.unwrap_or(row.have));
            locked.known.above = self.above(event.epoch, row.have);
            if !broken.contains(&Break::LostFill) {
                locked.known.lost = self.lost.get(&event.epoch).cloned().unwrap_or_default();
            }
            locked
        });
        let id = EventId {
            epoch: event.epoch,
            seq: event.seq,
        };
        let sha256 = match self.events.get(&id) {
            None if broken.contains(&Break::LostFill) && self.is_lost(event.epoch, event.seq) => event.sha256.clone(),
            None => return,
            Some(_) if broken.contains(&Break::NoHash) => event.sha256.clone(),
            Some(kept) => kept.sha256.clone(),
        };
        locked.known.rows.insert(event.seq, sha256);
    }

    /// What is stored or lost of an epoch above `have`.
    pub(super) fn above(&self, epoch: Epoch, have: i64) -> Seqs {
        let above = EventId { epoch, seq: have + 1 }..=EventId { epoch, seq: i64::MAX };
        let kept = self.events.range(above).map(|(id, _)| SeqRange(id.seq, id.seq));
        let lost = self.lost.get(&epoch).into_iter().flat_map(Seqs::ranges);
        kept.chain(lost.map(|range| SeqRange(range.0.max(have + 1), range.1)))
            .collect()
    }

    fn save_identities(&mut self, identities: &Identities) {
        for new in &identities.new {
            let id = EventId {
                epoch: new.examined.event.epoch,
                seq: new.examined.event.seq,
            };
            mutable(&mut self.events).insert(id, Rc::new(KeptEvent::from(new)));
            if new.fills
                && let Some(lost) = mutable(&mut self.lost).get_mut(&id.epoch)
            {
                lost.remove(id.seq);
            }
        }
        for (_, examined) in &identities.conflicts {
            let event = &examined.event;
            let id = EventId {
                epoch: event.epoch,
                seq: event.seq,
            };
            mutable(&mut self.conflicts).insert((id, event.sha256.clone()), ());
        }
        for (epoch, _, now) in identities.moved() {
            if let Some(row) = mutable(&mut self.epochs).get_mut(&epoch) {
                row.have = now;
            }
        }
    }
}
