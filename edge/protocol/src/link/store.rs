//! What the sending side needs of an edge's file. SQLite implements it on the edge, memory in tests and simulations.

use super::{
    event::Event,
    messages::{NumberedReceipt, SeqRange},
    row::EventId,
};
use crate::Epoch;

/// An edge's durable buffer, as its link sees it. Every method that changes something is one transaction; after an
/// error nothing of it may stand.
pub trait Store {
    type Error: std::error::Error;

    /// Every epoch that the file holds, in the order in which they were opened, the open one last.
    fn epochs(&self) -> Result<Vec<EpochBounds>, Self::Error>;

    /// The seqs from `first_kept` to below `next_seq` that have no row, ascending.
    fn missing(&self, epoch: Epoch) -> Result<Vec<SeqRange>, Self::Error>;

    /// The row with the lowest seq not below `from`.
    fn next_row(&self, epoch: Epoch, from: i64) -> Result<Option<Event>, Self::Error>;

    /// The highest seq of a kept row that is not above `to`.
    fn last_seq(&self, epoch: Epoch, to: i64) -> Result<Option<i64>, Self::Error>;

    /// Writes `acked`, up or down, and the receipts beside their rows; a receipt whose row is gone is passed over.
    fn acknowledge(&mut self, epoch: Epoch, acked: i64, receipts: &[NumberedReceipt]) -> Result<(), Self::Error>;

    /// Opens an epoch: `first_kept` and `next_seq` are 1, `acked` is 0, and new events go there.
    fn open_epoch(&mut self, epoch: Epoch) -> Result<(), Self::Error>;

    /// Gives a row another identity.
    fn rebirth(&mut self, rebirth: &Rebirth) -> Result<(), Self::Error>;

    /// Takes a row whose text is not its hash's out of what is sent, for staff to look at: its seq is missing then.
    fn set_aside(&mut self, id: EventId) -> Result<(), Self::Error>;
}

/// What a file keeps of an epoch; 0 <= `acked` < `next_seq`, 1 <= `first_kept` <= `next_seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochBounds {
    pub epoch: Epoch,
    /// The lowest seq that was not dropped by retention.
    pub first_kept: i64,
    pub next_seq: i64,
    /// The highest seq up to which the server has acknowledged all; rows above it are never dropped by retention.
    pub acked: i64,
}

/// A row's change of identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebirth {
    /// The row that goes. Its row under the new identity keeps this as `reborn_from`.
    pub old: EventId,
    /// What it becomes, appended at the end of the open epoch: body and hash are written anew, the receipt stays.
    pub new: Event,
    /// Whether `new.epoch` is to be opened first.
    pub opens_epoch: bool,
    /// What `acked` of the old epoch becomes, where the whole epoch is to be sent again.
    pub acked: Option<i64>,
}
