//! The edge's side of the link: what is sent, from where, and what an answer changes. It reads and writes the file
//! through [`Store`], and its outputs are carried out by whoever owns the socket.
//!
//! What looks odd below guards against a loss, a double or a wedge that a plainer protocol has:
//!
//! - **hello names all**: every epoch that the file holds, the open one last, with the seqs that it lacks; the server
//!   stores those as LOST, so that nothing waits for them for ever. An epoch that hello did not name, or a gap in the
//!   rows that it did not name, is announced by connecting anew.
//! - **acked goes down**: where the server has less than it once acknowledged (a restored database, a standby that
//!   lagged), `acked` follows it before anything else, so that retention spares what must be sent again.
//! - **one row early**: sending resumes at the last row that is acknowledged already. If the file and another one share
//!   an epoch (a clone, a restored image), that row is answered as a conflict.
//! - **a lost row is sent**: what `welcome` calls lost and the file holds after all is sent again, from the lowest one.
//! - **more than the file**: if the server has seqs of the open epoch that the file never gave out, the file was
//!   restored from an image, and new events must not take these seqs: a new epoch.
//! - **a conflict**: that row alone takes a new identity in the open epoch, or in a new one where the open one is in
//!   conflict. If it was acknowledged, two files share the epoch, and all that the file holds of it is sent again;
//!   the connection ends there, for an ack under way would pass what is to be sent again.
//! - **go back**: after `GAP` or `BAD_HASH` the server ignores everything until one event comes. That goes out first, and
//!   then whatever is not acknowledged, of other epochs too.
//! - **an ack is believed as far as this connection has sent**, and never beyond the file's last seq.

mod answers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use super::{
    event::Event,
    limits::{WINDOW_BYTES, WINDOW_EVENTS},
    messages::{EpochState, SeqRange, Window},
    row::EventId,
    store::{EpochBounds, Store},
};
use crate::Epoch;

/// What the owner of the socket is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send(Box<Event>),
    /// Close this connection and make a new one. What still comes on the old one is ignored.
    Reconnect(Reason),
    /// Something that a person should hear of.
    Notice(Notice),
}

/// Why a new connection is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An epoch was opened that `hello` did not name.
    NewEpoch(Epoch),
    /// A seq is missing in the file that `hello` did not name.
    NewGap(EventId),
    /// Another file shares this epoch: all that this one holds of it is sent again.
    Fork(Epoch),
    /// The server waits for a seq of this epoch that the file has not reached, while others are to be sent.
    Deaf(Epoch),
}

/// What a person should hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The server has more of the open epoch than the file ever gave out: the file was restored from an older image.
    Restored { epoch: Epoch, have: i64, next_seq: i64 },
    /// The server has less than it acknowledged once.
    WentBack { epoch: Epoch, acked: i64, have: i64 },
    /// The server holds another event under `from`.
    Reborn { from: EventId, to: EventId },
    /// A row's text is not its hash's; it was set aside.
    Damaged(EventId),
}

/// Sends what the file holds over one connection after another.
///
/// For each connection: [`Sender::hello`], then the answers as they come, and [`Sender::pump`] whenever the file has
/// new rows. After an error of the store, or a lost connection, [`Sender::disconnected`].
#[derive(Debug, Default)]
pub struct Sender {
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    /// What `hello` said of each epoch.
    named: BTreeMap<Epoch, Named>,
    /// The next seq to send of each epoch that was named; empty until `welcome`.
    cursors: BTreeMap<Epoch, i64>,
    /// The epoch that the server waits for before it listens to any other.
    awaited: Option<Epoch>,
    /// What was sent and not acknowledged, oldest first.
    in_flight: VecDeque<(EventId, usize)>,
    window: Window,
}

#[derive(Debug)]
struct Named {
    first_kept: i64,
    missing: Vec<SeqRange>,
}

impl Named {
    /// The lowest seq in `from..to` that `hello` did not say was gone.
    fn unnamed(&self, from: i64, to: i64) -> Option<i64> {
        let mut seq = from.max(self.first_kept);
        for &SeqRange(first, last) in &self.missing {
            if first <= seq && seq <= last {
                seq = last + 1;
            }
        }
        (seq < to).then_some(seq)
    }
}

impl Sender {
    /// Begins a connection. Answers what `hello` says of the file's epochs.
    pub fn hello<S: Store>(&mut self, store: &S) -> Result<Vec<EpochState>, S::Error> {
        self.connection = None;
        let mut states = Vec::new();
        let mut named = BTreeMap::new();
        for bounds in store.epochs()? {
            let missing = store.missing(bounds.epoch)?;
            let first_kept = bounds.first_kept;
            let said = Named {
                first_kept,
                missing: missing.clone(),
            };
            named.insert(bounds.epoch, said);
            states.push(EpochState {
                epoch: bounds.epoch,
                first_kept,
                next_seq: bounds.next_seq,
                acked: bounds.acked,
                missing,
            });
        }
        self.connection = Some(Connection {
            named,
            cursors: BTreeMap::new(),
            awaited: None,
            in_flight: VecDeque::new(),
            window: Window {
                events: WINDOW_EVENTS,
                bytes: WINDOW_BYTES,
            },
        });
        Ok(states)
    }

    /// The connection is gone; nothing is sent until the next [`Sender::hello`].
    pub fn disconnected(&mut self) {
        self.connection = None;
    }

    /// How many events wait for their acknowledgement on this connection.
    pub fn in_flight(&self) -> usize {
        self.connection
            .as_ref()
            .map_or(0, |connection| connection.in_flight.len())
    }

    /// Sends what the window has room for. Nothing happens before `welcome`.
    pub fn pump<S: Store>(&mut self, store: &mut S) -> Result<Vec<Output>, S::Error> {
        let mut outputs = Vec::new();
        let Some(connection) = self.connection.as_mut().filter(|connection| connection.is_welcomed()) else {
            return Ok(outputs);
        };
        loop {
            match connection.next(store)? {
                Next::Event(event) if connection.has_room_for(&event) => {
                    connection.sent(&event);
                    outputs.push(Output::Send(event));
                }
                Next::Event(_) | Next::Nothing => break,
                Next::Reconnect(reason) => {
                    outputs.push(Output::Reconnect(reason));
                    self.connection = None;
                    break;
                }
                Next::Damaged(id) => {
                    store.set_aside(id)?;
                    outputs.push(Output::Notice(Notice::Damaged(id)));
                }
            }
        }
        Ok(outputs)
    }
}

/// What comes next on a connection.
enum Next {
    Event(Box<Event>),
    Nothing,
    Reconnect(Reason),
    Damaged(EventId),
}

impl Connection {
    fn is_welcomed(&self) -> bool {
        !self.cursors.is_empty()
    }

    /// One event may always go, however large.
    fn has_room_for(&self, event: &Event) -> bool {
        let flying: usize = self.in_flight.iter().map(|&(_, bytes)| bytes).sum();
        let fits = flying + event.body.len() <= self.window.bytes;
        self.in_flight.is_empty() || (fits && self.in_flight.len() < self.window.events)
    }

    /// The next event in the order of epochs and seqs, that which the server waits for before all others.
    fn next<S: Store>(&mut self, store: &S) -> Result<Next, S::Error> {
        let epochs = store.epochs()?;
        let awaited = epochs.iter().find(|bounds| Some(bounds.epoch) == self.awaited);
        for bounds in awaited.into_iter().chain(&epochs) {
            match (self.next_of(store, *bounds)?, self.awaited) {
                (Next::Nothing, _) => {}
                (Next::Event(event), Some(awaited)) if event.epoch != awaited => {
                    return Ok(Next::Reconnect(Reason::Deaf(awaited)));
                }
                (next, _) => return Ok(next),
            }
        }
        Ok(Next::Nothing)
    }

    fn next_of<S: Store>(&mut self, store: &S, bounds: EpochBounds) -> Result<Next, S::Error> {
        let epoch = bounds.epoch;
        let (Some(cursor), Some(named)) = (self.cursors.get_mut(&epoch), self.named.get(&epoch)) else {
            return Ok(Next::Reconnect(Reason::NewEpoch(epoch)));
        };
        if *cursor >= bounds.next_seq {
            return Ok(Next::Nothing);
        }
        let row = store.next_row(epoch, *cursor)?;
        let reached = row.as_ref().map_or(bounds.next_seq, |event| event.seq);
        if let Some(seq) = named.unnamed(*cursor, reached) {
            return Ok(Next::Reconnect(Reason::NewGap(EventId { epoch, seq })));
        }
        *cursor = reached;
        Ok(match row {
            None => Next::Nothing,
            Some(event) if event.is_intact() => Next::Event(Box::new(event)),
            Some(event) => Next::Damaged(EventId { epoch, seq: event.seq }),
        })
    }

    fn sent(&mut self, event: &Event) {
        let id = EventId {
            epoch: event.epoch,
            seq: event.seq,
        };
        self.in_flight.push_back((id, event.body.len()));
        self.cursors.insert(id.epoch, id.seq + 1);
        self.awaited = None;
    }
}
