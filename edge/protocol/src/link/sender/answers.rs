//! What the server's answers change.

use super::{Connection, Notice, Output, Reason, Sender};
use crate::{
    Epoch,
    link::{
        messages::{Ack, Nack, NackCode, SeqRange, Welcome},
        rebirth::reborn,
        row::EventId,
        store::{EpochBounds, Rebirth, Store},
    },
};

impl Sender {
    /// Takes the answer to `hello` and begins to send. `new_epoch` draws a random epoch, asked where one is opened.
    pub fn welcome<S: Store>(
        &mut self,
        store: &mut S,
        welcome: &Welcome,
        new_epoch: impl FnOnce() -> Epoch,
    ) -> Result<Vec<Output>, S::Error> {
        let mut outputs = Vec::new();
        let Some(connection) = &mut self.connection else {
            return Ok(outputs);
        };
        connection.window = welcome.window;
        let epochs = store.epochs()?;
        for bounds in &epochs {
            if !connection.named.contains_key(&bounds.epoch) {
                continue;
            }
            let have = welcome.have.get(&bounds.epoch).copied().unwrap_or(0);
            let lost = welcome.lost.get(&bounds.epoch).map_or(&[][..], Vec::as_slice);
            let held = before_lost(store, bounds.epoch, lost)?.map_or(have, |before| before.min(have));
            let acked = lower_acked(store, bounds, held, &mut outputs)?;
            let resume = store.last_seq(bounds.epoch, acked)?.unwrap_or(acked + 1);
            connection.cursors.insert(bounds.epoch, resume);
        }
        if let Some(open) = epochs.last() {
            let have = welcome.have.get(&open.epoch).copied().unwrap_or(0);
            if have >= open.next_seq {
                let fresh = new_epoch();
                store.open_epoch(fresh)?;
                outputs.push(Output::Notice(Notice::Restored {
                    epoch: open.epoch,
                    have,
                    next_seq: open.next_seq,
                }));
                outputs.push(self.reconnect(Reason::NewEpoch(fresh)));
            }
        }
        self.go_on(store, outputs)
    }

    /// Takes an acknowledgement: `acked` rises as far as this connection has sent, and the receipts are kept.
    pub fn ack<S: Store>(&mut self, store: &mut S, ack: &Ack) -> Result<Vec<Output>, S::Error> {
        let Some((connection, bounds)) = self.sending(store, ack.epoch)? else {
            return Ok(Vec::new());
        };
        let sent = connection.cursors.get(&ack.epoch).map_or(0, |cursor| cursor - 1);
        let through = ack.through.min(sent).min(bounds.next_seq - 1);
        store.acknowledge(ack.epoch, bounds.acked.max(through), &ack.receipts)?;
        connection
            .in_flight
            .retain(|(id, _)| id.epoch != ack.epoch || id.seq > ack.through);
        self.go_on(store, Vec::new())
    }

    /// Takes a refusal. `new_epoch` draws a random epoch, asked where one is opened.
    pub fn nack<S: Store>(
        &mut self,
        store: &mut S,
        nack: &Nack,
        new_epoch: impl FnOnce() -> Epoch,
    ) -> Result<Vec<Output>, S::Error> {
        let mut outputs = Vec::new();
        let Some((connection, bounds)) = self.sending(store, nack.epoch)? else {
            return Ok(outputs);
        };
        match nack.code {
            NackCode::Gap => {
                lower_acked(store, &bounds, nack.have, &mut outputs)?;
                connection.go_back(nack.epoch, nack.have + 1);
            }
            NackCode::BadHash => connection.go_back(nack.epoch, nack.seq),
            NackCode::EpochConflict => {
                let id = EventId {
                    epoch: nack.epoch,
                    seq: nack.seq,
                };
                connection.in_flight.retain(|&(sent, _)| sent != id);
                let fork = nack.seq <= bounds.acked;
                let acked = fork.then_some(bounds.first_kept - 1);
                rename(store, id, acked, new_epoch, &mut outputs)?;
                if fork {
                    outputs.push(self.reconnect(Reason::Fork(nack.epoch)));
                }
            }
            // The server closes after it; an edge numbers from 1 and has no such seq.
            NackCode::BadSeq => {}
        }
        self.go_on(store, outputs)
    }

    /// The connection, if it is open and welcomed, with the bounds of an epoch that it named and the file holds.
    fn sending<S: Store>(
        &mut self,
        store: &S,
        epoch: Epoch,
    ) -> Result<Option<(&mut Connection, EpochBounds)>, S::Error> {
        let Some(connection) = self
            .connection
            .as_mut()
            .filter(|open| open.cursors.contains_key(&epoch))
        else {
            return Ok(None);
        };
        let bounds = store.epochs()?.into_iter().find(|bounds| bounds.epoch == epoch);
        Ok(bounds.map(|bounds| (connection, bounds)))
    }

    fn reconnect(&mut self, reason: Reason) -> Output {
        self.connection = None;
        Output::Reconnect(reason)
    }

    fn go_on<S: Store>(&mut self, store: &mut S, mut outputs: Vec<Output>) -> Result<Vec<Output>, S::Error> {
        outputs.append(&mut self.pump(store)?);
        Ok(outputs)
    }
}

impl Connection {
    /// The server listens to nothing until `seq` comes: that is sent first, and then all that is not acknowledged.
    fn go_back(&mut self, epoch: Epoch, seq: i64) {
        for (id, _) in self.in_flight.drain(..) {
            if id.epoch != epoch {
                let cursor = self.cursors.entry(id.epoch).or_insert(id.seq);
                *cursor = id.seq.min(*cursor);
            }
        }
        self.cursors.insert(epoch, seq);
        self.awaited = Some(epoch);
    }
}

/// The seq before the lowest kept row that the server calls lost.
fn before_lost<S: Store>(store: &S, epoch: Epoch, lost: &[SeqRange]) -> Result<Option<i64>, S::Error> {
    let mut lowest: Option<i64> = None;
    for &SeqRange(first, last) in lost {
        let held = store.next_row(epoch, first)?.filter(|event| event.seq <= last);
        lowest = held.map(|event| event.seq).into_iter().chain(lowest).min();
    }
    Ok(lowest.map(|seq| seq - 1))
}

/// Lowers `acked` to what the server has, where that is less. Answers what `acked` is now.
fn lower_acked<S: Store>(
    store: &mut S,
    bounds: &EpochBounds,
    have: i64,
    outputs: &mut Vec<Output>,
) -> Result<i64, S::Error> {
    let have = have.max(0);
    if bounds.acked <= have {
        return Ok(bounds.acked);
    }
    store.acknowledge(bounds.epoch, have, &[])?;
    outputs.push(Output::Notice(Notice::WentBack {
        epoch: bounds.epoch,
        acked: bounds.acked,
        have,
    }));
    Ok(have)
}

/// Gives the row another identity in the open epoch, or in a new one where it is the open one that is in conflict.
fn rename<S: Store>(
    store: &mut S,
    old: EventId,
    acked: Option<i64>,
    new_epoch: impl FnOnce() -> Epoch,
    outputs: &mut Vec<Output>,
) -> Result<(), S::Error> {
    let Some(row) = store.next_row(old.epoch, old.seq)?.filter(|row| row.seq == old.seq) else {
        if let Some(acked) = acked {
            store.acknowledge(old.epoch, acked, &[])?;
        }
        return Ok(());
    };
    let open = store.epochs()?.pop().filter(|open| open.epoch != old.epoch);
    let to = match open {
        Some(open) => EventId {
            epoch: open.epoch,
            seq: open.next_seq,
        },
        None => EventId {
            epoch: new_epoch(),
            seq: 1,
        },
    };
    store.rebirth(&Rebirth {
        old,
        new: reborn(row, to),
        opens_epoch: open.is_none(),
        acked,
    })?;
    outputs.push(Output::Notice(Notice::Reborn { from: old, to }));
    Ok(())
}
