//! What a file that was damaged still knows of its epochs.

use super::{row::EventId, store::EpochBounds};
use crate::Epoch;

/// The bounds of the epochs of a salvaged file: `known` is what could be read of its bookkeeping, `kept` its whole rows in
/// order. Seqs within these bounds without a row are missing, and `hello` says so.
pub fn salvaged(mut known: Vec<EpochBounds>, kept: impl IntoIterator<Item = EventId>) -> Vec<EpochBounds> {
    for EventId { epoch, seq } in kept {
        match known.iter_mut().find(|bounds| bounds.epoch == epoch) {
            Some(bounds) => {
                bounds.next_seq = bounds.next_seq.max(seq + 1);
                bounds.first_kept = bounds.first_kept.min(seq);
            }
            // Its row is gone, and with it what was acknowledged: everything is sent again, and compared there.
            None => known.push(EpochBounds {
                epoch,
                first_kept: seq,
                next_seq: seq + 1,
                acked: 0,
            }),
        }
    }
    known
}

/// An epoch that has just been opened.
pub const fn opened(epoch: Epoch) -> EpochBounds {
    EpochBounds {
        epoch,
        first_kept: 1,
        next_seq: 1,
        acked: 0,
    }
}
