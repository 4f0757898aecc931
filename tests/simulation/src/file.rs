//! An edge's file: the protocol's own store in memory, with what the simulation must know of it, and as the sender sees it
//! where a rule is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use weighbridge_protocol::{
    CycleId, Epoch,
    link::{
        Event, EventBody, EventId, EventKind, MemoryStore, Store,
        memory_store::Row,
        messages::{NumberedReceipt, SeqRange},
        store::{EpochBounds, Rebirth},
    },
};

use crate::breaks::Break;

/// A file; a clone of it is an image.
#[derive(Clone, Debug)]
pub struct File {
    pub store: MemoryStore,
    /// What the server last said to have of each epoch: retention may take no more.
    pub heard: BTreeMap<Epoch, i64>,
    /// When each event was committed.
    pub born: BTreeMap<EventId, i64>,
    /// The cycles of captures, by the identity under which they were born.
    pub cycles: BTreeMap<EventId, CycleId>,
}

impl File {
    pub fn new(epoch: Epoch) -> Self {
        Self {
            store: MemoryStore::new(epoch),
            heard: BTreeMap::new(),
            born: BTreeMap::new(),
            cycles: BTreeMap::new(),
        }
    }

    pub fn bounds(&self) -> Vec<EpochBounds> {
        let Ok(bounds) = self.store.epochs();
        bounds
    }

    pub fn bounds_of(&self, epoch: Epoch) -> Option<EpochBounds> {
        self.bounds().into_iter().find(|bounds| bounds.epoch == epoch)
    }

    /// The captures that it holds, each with whether its receipt names a slip.
    pub fn captures(&self) -> BTreeMap<CycleId, bool> {
        let rows = self.store.rows().values();
        rows.filter_map(|row| {
            let slip = row
                .event
                .receipt
                .as_ref()
                .is_some_and(|receipt| receipt.slip_number.is_some());
            Some((capture_of(row)?, slip))
        })
        .collect()
    }

    pub fn has_unsent(&self) -> bool {
        let bounds = self.bounds();
        let is_unsent = |id: &EventId| bounds.iter().any(|of| of.epoch == id.epoch && id.seq > of.acked);
        self.store.rows().keys().any(is_unsent)
    }
}

/// The cycle of a row that is a capture.
pub fn capture_of(row: &Row) -> Option<CycleId> {
    if !row.event.body.contains("\"capture\"") {
        return None;
    }
    let body: EventBody = serde_json::from_str(&row.event.body).ok()?;
    body.cycle.filter(|_| matches!(body.kind, EventKind::Capture(_)))
}

/// The file as the sender sees it.
#[derive(Debug)]
pub struct Seen<'a> {
    pub store: &'a mut MemoryStore,
    pub broken: &'a [Break],
    /// What hello named, where nothing else is to be seen.
    pub named: Option<&'a BTreeSet<Epoch>>,
    /// What the welcome at hand says to be stored.
    pub have: &'a BTreeMap<Epoch, i64>,
}

impl Store for Seen<'_> {
    type Error = Infallible;

    fn epochs(&self) -> Result<Vec<EpochBounds>, Infallible> {
        let mut epochs = self.store.epochs()?;
        if let Some(named) = self.named {
            epochs.retain(|bounds| named.contains(&bounds.epoch));
        }
        Ok(epochs)
    }

    fn missing(&self, epoch: Epoch) -> Result<Vec<SeqRange>, Infallible> {
        self.store.missing(epoch)
    }

    fn next_row(&self, epoch: Epoch, from: i64) -> Result<Option<Event>, Infallible> {
        self.store.next_row(epoch, from)
    }

    fn last_seq(&self, epoch: Epoch, to: i64) -> Result<Option<i64>, Infallible> {
        if self.broken.contains(&Break::ResumeHave) {
            return Ok(self.have.get(&epoch).map(|have| have + 1));
        }
        if self.broken.contains(&Break::ResumeOverlap) {
            return Ok(None);
        }
        self.store.last_seq(epoch, to)
    }

    fn acknowledge(&mut self, epoch: Epoch, acked: i64, receipts: &[NumberedReceipt]) -> Result<(), Infallible> {
        let before = self
            .store
            .epochs()?
            .iter()
            .find(|of| of.epoch == epoch)
            .map_or(0, |of| of.acked);
        let lowers = acked < before && self.broken.contains(&Break::AckedDown);
        self.store
            .acknowledge(epoch, if lowers { before } else { acked }, receipts)
    }

    fn open_epoch(&mut self, epoch: Epoch) -> Result<(), Infallible> {
        self.store.open_epoch(epoch)
    }

    fn rebirth(&mut self, rebirth: &Rebirth) -> Result<(), Infallible> {
        let mut rebirth = rebirth.clone();
        if self.broken.contains(&Break::ResumeOverlap) {
            rebirth.acked = None;
        }
        self.store.rebirth(&rebirth)
    }

    fn set_aside(&mut self, id: EventId) -> Result<(), Infallible> {
        self.store.set_aside(id)
    }
}
