//! An edge's file in memory, with what may happen to a file: retention, damage, a restored image (its clone).

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use super::{
    curve::CurveForm,
    draft::{Committed, Draft},
    event::{Event, EventBody, sha256_hex},
    messages::{NumberedReceipt, SeqRange},
    row::EventId,
    salvage::{opened, salvaged},
    store::{EpochBounds, Rebirth, Store},
};
use crate::{
    Epoch,
    scale::{CycleState, Scale},
};

/// What was kept of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub event: Event,
    /// The identity that it had before a conflict.
    pub reborn_from: Option<EventId>,
}

/// A file of an edge. A clone of it is an image of the file; putting that in its place restores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryStore {
    older: Vec<EpochBounds>,
    open: EpochBounds,
    rows: BTreeMap<EventId, Row>,
    aside: BTreeSet<EventId>,
    stations: BTreeMap<i64, CycleState>,
    curves: CurveForm,
}

impl MemoryStore {
    /// A new file, born with `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            older: Vec::new(),
            open: opened(epoch),
            rows: BTreeMap::new(),
            aside: BTreeSet::new(),
            stations: BTreeMap::new(),
            curves: CurveForm::default(),
        }
    }

    /// How curves are written from now on.
    pub const fn write_curves_as(&mut self, form: CurveForm) {
        self.curves = form;
    }

    /// Appends an event to the open epoch; `make` gets its identity.
    ///
    /// # Errors
    /// If the body cannot be written as JSON.
    pub fn append(&mut self, make: impl FnOnce(EventId) -> EventBody) -> Result<EventId, serde_json::Error> {
        let id = EventId {
            epoch: self.open.epoch,
            seq: self.open.next_seq,
        };
        let body = serde_json::to_string(&make(id))?;
        self.insert(Row {
            event: Event {
                epoch: id.epoch,
                seq: id.seq,
                sha256: sha256_hex(&body),
                body,
                receipt: None,
            },
            reborn_from: None,
        });
        Ok(id)
    }

    /// Commits what came of a scale's last push together with where its cycle stands.
    ///
    /// # Errors
    /// If a body cannot be written as JSON; nothing has changed then.
    pub fn commit(
        &mut self,
        drafts: &[Draft],
        station_id: i64,
        scale: &Scale,
    ) -> Result<Vec<Committed>, serde_json::Error> {
        let mut born = Vec::with_capacity(drafts.len());
        for (seq, draft) in (self.open.next_seq..).zip(drafts) {
            let epoch = self.open.epoch;
            born.push(draft.born(EventId { epoch, seq }, self.curves)?);
        }
        let (events, committed): (Vec<Event>, Vec<Committed>) = born.into_iter().unzip();
        for event in events {
            self.insert(Row {
                event,
                reborn_from: None,
            });
        }
        self.keep_state(station_id, scale.state_with(&committed));
        Ok(committed)
    }

    /// Keeps where a station's cycle stands.
    pub fn keep_state(&mut self, station_id: i64, mut state: CycleState) {
        let Ok(()) = state.follow_rebirth(|id| Ok::<_, Infallible>(self.reborn(id)));
        self.stations.insert(station_id, state);
    }

    /// Where a station's cycle stood when it was last written; that of a new file where it never was.
    pub fn state(&self, station_id: i64) -> CycleState {
        let mut state = self.stations.get(&station_id).cloned().unwrap_or_default();
        let Ok(()) = state.follow_rebirth(|id| Ok::<_, Infallible>(self.reborn(id)));
        state
    }

    fn reborn(&self, id: EventId) -> Option<EventId> {
        let mut rows = self.rows.iter();
        rows.find(|(_, row)| row.reborn_from == Some(id)).map(|(now, _)| *now)
    }

    pub const fn rows(&self) -> &BTreeMap<EventId, Row> {
        &self.rows
    }

    /// The rows that were set aside.
    pub const fn aside(&self) -> &BTreeSet<EventId> {
        &self.aside
    }

    /// Retention: of each epoch's acknowledged rows the last one that is `old` goes, with all below it. An older epoch of
    /// which nothing is left and nothing is due goes too. Answers the rows that went.
    pub fn prune(&mut self, old: impl Fn(&Row) -> bool) -> Vec<Row> {
        let mut gone = Vec::new();
        for bounds in self.older.iter_mut().chain([&mut self.open]) {
            let of = |seq| id(bounds.epoch, seq);
            let acked = self.rows.range(of(0)..=of(bounds.acked));
            let Some(last) = acked.rev().find(|(_, row)| old(row)).map(|(id, _)| id.seq) else {
                continue;
            };
            let going: Vec<EventId> = self.rows.range(of(0)..=of(last)).map(|(id, _)| *id).collect();
            gone.extend(going.iter().filter_map(|id| self.rows.remove(id)));
            bounds.first_kept = bounds.first_kept.max(last + 1);
        }
        self.older.retain(|bounds| bounds.first_kept < bounds.next_seq);
        gone
    }

    /// The file was damaged: rows that are not `readable` are gone, and so is where the stations' cycles stood; with
    /// `bookkeeping_lost` also what was known of the epochs beside their rows. New events go to `epoch`.
    pub fn salvage(&mut self, readable: impl Fn(EventId) -> bool, bookkeeping_lost: bool, epoch: Epoch) {
        self.rows.retain(|&id, _| readable(id));
        self.aside.clear();
        self.stations.clear();
        let mut known = std::mem::take(&mut self.older);
        known.push(std::mem::replace(&mut self.open, opened(epoch)));
        if bookkeeping_lost {
            known.clear();
        }
        self.older = salvaged(known, self.rows.keys().copied());
    }

    /// Spoils a row's text, as a failing disk does.
    pub fn rot(&mut self, id: EventId) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.event.body.push('~');
        }
    }

    fn insert(&mut self, row: Row) {
        let id = EventId {
            epoch: row.event.epoch,
            seq: row.event.seq,
        };
        if let Some(bounds) = self.bounds(id.epoch) {
            bounds.next_seq = id.seq + 1;
        }
        self.rows.insert(id, row);
    }

    fn bounds(&mut self, epoch: Epoch) -> Option<&mut EpochBounds> {
        let mut epochs = self.older.iter_mut().chain([&mut self.open]);
        epochs.find(|bounds| bounds.epoch == epoch)
    }
}

const fn id(epoch: Epoch, seq: i64) -> EventId {
    EventId { epoch, seq }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn epochs(&self) -> Result<Vec<EpochBounds>, Infallible> {
        Ok(self.older.iter().chain([&self.open]).copied().collect())
    }

    fn missing(&self, epoch: Epoch) -> Result<Vec<SeqRange>, Infallible> {
        let mut ranges = Vec::new();
        let mut epochs = self.older.iter().chain([&self.open]);
        let Some(bounds) = epochs.find(|bounds| bounds.epoch == epoch) else {
            return Ok(ranges);
        };
        let mut expected = bounds.first_kept;
        let kept = self.rows.range(id(epoch, expected)..id(epoch, bounds.next_seq));
        for seq in kept.map(|(id, _)| id.seq).chain([bounds.next_seq]) {
            if seq > expected {
                ranges.push(SeqRange(expected, seq - 1));
            }
            expected = seq + 1;
        }
        Ok(ranges)
    }

    fn next_row(&self, epoch: Epoch, from: i64) -> Result<Option<Event>, Infallible> {
        let next = self.rows.range(id(epoch, from)..).next();
        Ok(next
            .filter(|(id, _)| id.epoch == epoch)
            .map(|(_, row)| row.event.clone()))
    }

    fn last_seq(&self, epoch: Epoch, to: i64) -> Result<Option<i64>, Infallible> {
        let last = self.rows.range(..=id(epoch, to)).next_back();
        Ok(last.filter(|(id, _)| id.epoch == epoch).map(|(id, _)| id.seq))
    }

    fn acknowledge(&mut self, epoch: Epoch, acked: i64, receipts: &[NumberedReceipt]) -> Result<(), Infallible> {
        if let Some(bounds) = self.bounds(epoch) {
            bounds.acked = acked;
        }
        for numbered in receipts {
            if let Some(row) = self.rows.get_mut(&id(epoch, numbered.seq)) {
                row.event.receipt = Some(numbered.receipt.clone());
            }
        }
        Ok(())
    }

    fn open_epoch(&mut self, epoch: Epoch) -> Result<(), Infallible> {
        self.older.push(std::mem::replace(&mut self.open, opened(epoch)));
        Ok(())
    }

    fn rebirth(&mut self, rebirth: &Rebirth) -> Result<(), Infallible> {
        if rebirth.opens_epoch {
            self.open_epoch(rebirth.new.epoch)?;
        }
        if let (Some(acked), Some(bounds)) = (rebirth.acked, self.bounds(rebirth.old.epoch)) {
            bounds.acked = acked;
        }
        self.rows.remove(&rebirth.old);
        self.insert(Row {
            event: rebirth.new.clone(),
            reborn_from: Some(rebirth.old),
        });
        Ok(())
    }

    fn set_aside(&mut self, id: EventId) -> Result<(), Infallible> {
        self.rows.remove(&id);
        self.aside.insert(id);
        Ok(())
    }
}
