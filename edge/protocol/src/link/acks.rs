//! Acknowledgements that came at once are written down at once: one commit for many, as the server did.

use super::messages::Ack;

/// Enough for one transaction; more would make others wait for it.
const MOST_RECEIPTS: usize = 256;

/// Acknowledgements of one epoch that are not yet written down.
#[derive(Debug, Default)]
pub struct GatheredAcks {
    gathered: Option<Ack>,
}

impl GatheredAcks {
    /// Adds one; answers what has to be written down now, for it cannot go with this one.
    pub fn add(&mut self, ack: Ack) -> Option<Ack> {
        match &mut self.gathered {
            Some(before) if before.epoch == ack.epoch && before.receipts.len() < MOST_RECEIPTS => {
                before.through = before.through.max(ack.through);
                before.receipts.extend(ack.receipts);
                None
            }
            gathered => gathered.replace(ack),
        }
    }

    pub const fn take(&mut self) -> Option<Ack> {
        self.gathered.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Epoch,
        link::{Receipt, messages::NumberedReceipt},
    };

    fn ack(epoch: u128, through: i64) -> Ack {
        let receipt = NumberedReceipt {
            seq: through,
            receipt: Receipt::default(),
        };
        Ack {
            epoch: Epoch::from_bits(epoch),
            through,
            receipts: vec![receipt],
        }
    }

    #[test]
    fn acks_of_one_epoch_become_one_with_all_their_receipts() {
        let mut acks = GatheredAcks::default();
        assert_eq!(acks.add(ack(1, 1)), None);
        assert_eq!(acks.add(ack(1, 2)), None);
        let both = acks.add(ack(2, 1)).unwrap();
        assert_eq!((both.through, both.receipts.len()), (2, 2));
        assert_eq!(acks.take().map(|ack| ack.epoch), Some(Epoch::from_bits(2)));
        assert_eq!(acks.take(), None);
    }
}
