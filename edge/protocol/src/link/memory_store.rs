//! An edge's file in memory, with what may happen to a file: retention, damage, a restored image (its clone).

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use super::{
    event::{Event, EventBody, sha256_hex},
    messages::{NumberedReceipt, SeqRange},
    row::EventId,
    store::{EpochBounds, Rebirth, Store},
};
use crate::Epoch;

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
}

impl MemoryStore {
    /// A new file, born with `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            older: Vec::new(),
            open: opened(epoch),
            rows: BTreeMap::new(),
            aside: BTreeSet::new(),
        }
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

    pub const fn rows(&self) -> &BTreeMap<EventId, Row> {
        &self.rows
    }

    /// The rows that were set aside.
    pub const fn aside(&self) -> &BTreeSet<EventId> {
        &self.aside
    }

    /// Retention: drops from the lowest kept row of each epoch on what is acknowledged and `old`. Answers what went.
    pub fn prune(&mut self, old: impl Fn(&Row) -> bool) -> Vec<Row> {
        let mut gone = Vec::new();
        for bounds in self.older.iter_mut().chain([&mut self.open]) {
            while bounds.first_kept <= bounds.acked {
                let id = EventId {
                    epoch: bounds.epoch,
                    seq: bounds.first_kept,
                };
                if self.rows.get(&id).is_none_or(|row| !old(row)) {
                    break;
                }
                gone.extend(self.rows.remove(&id));
                bounds.first_kept += 1;
            }
        }
        gone
    }

    /// The file was damaged: rows that are not `readable` are gone, and with `bookkeeping_lost` so is what was known of
    /// the epochs beside their rows. New events go to `epoch`.
    pub fn salvage(&mut self, readable: impl Fn(EventId) -> bool, bookkeeping_lost: bool, epoch: Epoch) {
        self.rows.retain(|&id, _| readable(id));
        self.older.push(std::mem::replace(&mut self.open, opened(epoch)));
        if bookkeeping_lost {
            let rows = &self.rows;
            self.older.retain_mut(|bounds| {
                let mut seqs = rows.keys().filter(|id| id.epoch == bounds.epoch).map(|id| id.seq);
                let Some(first) = seqs.next() else {
                    return false;
                };
                *bounds = EpochBounds {
                    epoch: bounds.epoch,
                    first_kept: first,
                    next_seq: seqs.next_back().unwrap_or(first) + 1,
                    acked: 0,
                };
                true
            });
        }
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

const fn opened(epoch: Epoch) -> EpochBounds {
    EpochBounds {
        epoch,
        first_kept: 1,
        next_seq: 1,
        acked: 0,
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
