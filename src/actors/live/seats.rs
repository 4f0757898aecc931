//! All who watch on one arbiter. The table is neither Live's nor a session's, so it outlives the panic of either.

use std::{sync::Arc, time::Instant};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use slab::Slab;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{
    frame::Frame,
    seat::{Holder, Parcel, Seat, Written},
    topics::{Topics, Wants},
};

/// The seats of one live arbiter. Locked by turns of one thread, so nobody ever waits for it.
#[derive(Debug, Default)]
pub struct Seats(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    seats: Slab<Seat>,
    /// Those to whom Live owes snapshots.
    owed: Vec<usize>,
    /// No seat is given any more: the server stops.
    closed: bool,
}

/// A session's hold on its seat; given up when dropped, also by a panic.
#[derive(Debug)]
pub struct Place {
    seats: Arc<Seats>,
    number: usize,
}

impl Seats {
    /// Gives a socket its seat.
    pub fn take(self: &Arc<Self>, stream: TcpStream, holder: Holder) -> Place {
        let mut seat = Seat::new(stream, holder, Instant::now());
        let mut table = self.0.lock();
        if table.closed {
            seat.close(1012, STOPPING);
        }
        let number = table.seats.insert(seat);
        gauge!("ws_sessions").increment(1);
        Place {
            seats: Arc::clone(self),
            number,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().seats.is_empty()
    }

    /// Sends to each open seat what `parcel_for` has for all who want the same; it is asked once for each kind of wants.
    pub fn deliver(&self, now: Instant, mut parcel_for: impl FnMut(&Wants) -> Option<Parcel>) {
        // Neighbours mostly want the same, so few kinds of wants are met and the last one is met again.
        let mut known: Vec<(Wants, Option<Parcel>)> = Vec::new();
        let mut last = 0;
        for (_, seat) in &mut self.0.lock().seats {
            if known.get(last).is_none_or(|(wants, _)| *wants != seat.wants) {
                last = match known.binary_search_by(|(wants, _)| wants.cmp(&seat.wants)) {
                    Ok(index) => index,
                    Err(index) => {
                        known.insert(index, (seat.wants, parcel_for(&seat.wants)));
                        index
                    }
                };
            }
            if let Some((_, Some(parcel))) = known.get(last) {
                seat.deliver(parcel, now);
            }
        }
    }

    /// Sends the snapshots that are owed. A seat of which `snapshots_of` cannot give all yet stays in the list.
    pub fn settle(&self, mut snapshots_of: impl FnMut(&Wants, Topics) -> Option<Vec<Frame>>) {
        let mut table = self.0.lock();
        let Table { seats, owed, .. } = &mut *table;
        owed.retain(|&number| {
            let Some(seat) = seats.get_mut(number).filter(|seat| seat.listed) else {
                return false;
            };
            let Some(snapshots) = snapshots_of(&seat.wants, seat.awaiting) else {
                return true;
            };
            seat.send_snapshots(&snapshots);
            false
        });
    }

    /// Withholds `topics` from all who want them until a snapshot has brought them up to date.
    pub fn owe_all(&self, topics: Topics) {
        let mut table = self.0.lock();
        let Table { seats, owed, .. } = &mut *table;
        for (number, seat) in seats.iter_mut() {
            let due = seat.wants.topics().both(topics);
            seat.awaiting = seat.awaiting.with(due);
            if !due.is_empty() && !std::mem::replace(&mut seat.listed, true) {
                owed.push(number);
            }
        }
    }

    /// One pass a second for all instead of timers in each session.
    pub fn sweep(&self, now: Instant) {
        let mut written = Written::default();
        for (_, seat) in &mut self.0.lock().seats {
            seat.sweep(now);
            let newly = std::mem::take(&mut seat.written);
            written.writes += newly.writes;
            written.bytes += newly.bytes;
        }
        counter!("ws_writes_total").increment(written.writes);
        counter!("ws_written_bytes_total").increment(written.bytes);
    }

    /// Closes the sockets of those that `whose` picks; how many.
    pub fn close(&self, code: u16, reason: &str, whose: impl Fn(&Holder) -> bool) -> usize {
        let mut table = self.0.lock();
        let picked = table.seats.iter_mut().filter(|(_, seat)| whose(&seat.holder));
        picked.map(|(_, seat)| seat.close(code, reason)).count()
    }

    /// Closes everything, now and from now on.
    pub fn close_for_good(&self) {
        self.0.lock().closed = true;
        self.close(1012, STOPPING, |_| true);
    }

    /// The login sessions behind the sockets, each once.
    pub fn logins(&self) -> Vec<Uuid> {
        let mut logins: Vec<_> = self.0.lock().seats.iter().map(|(_, seat)| seat.holder.login).collect();
        logins.sort_unstable();
        logins.dedup();
        logins
    }
}

impl Place {
    /// Runs `change` on the seat.
    pub fn with<T>(&self, change: impl FnOnce(&mut Seat) -> T) -> T {
        change(&mut self.seats.0.lock().seats[self.number])
    }

    /// Notes that a snapshot of `topics` is owed, and of what was left out. `true` if Live is to be told: before, nothing
    /// was owed to anyone.
    pub fn owe(&self, topics: Topics) -> bool {
        let mut table = self.seats.0.lock();
        let Table { seats, owed, .. } = &mut *table;
        let seat = &mut seats[self.number];
        seat.awaiting = seat.awaiting.with(topics);
        if std::mem::replace(&mut seat.listed, true) {
            return false;
        }
        owed.push(self.number);
        owed.len() == 1
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let seat = self.seats.0.lock().seats.try_remove(self.number);
        gauge!("ws_sessions").decrement(1);
        if let Some(mut seat) = seat {
            seat.abandon();
        }
    }
}

const STOPPING: &str = "the server restarts, connect again";
