//! One watching socket: what it wants, what it still owes and is owed, and the writing itself.
//!
//! The stream lies inline in its seat and is written by `try_write`, not by `poll_write`: tokio lets one task make 128
//! polled operations a turn, and Live writes to thousands of sockets in one.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use metrics::counter;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{
    frame::Frame,
    incoming::Reader,
    topics::{Topics, Wants},
};

mod reading;

pub use reading::Event;

const MOST_UNSENT_FRAMES: usize = 256;
const MOST_UNSENT_BYTES: usize = 1 << 20;
const PING_AFTER: Duration = Duration::from_secs(20);
const GONE_AFTER: Duration = Duration::from_secs(30);
/// A client gets so long to take its close frame and to hang up.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);
/// Being behind for less is no stall of the client's: it may have been one of our own, which would close everybody.
const STALL: Duration = Duration::from_secs(1);
const STALLS_FORGIVEN: u8 = 1;

/// Frames that leave in one write, for all who want the same.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub frame: Frame,
    pub topics: Topics,
    /// Only the newest counts: rather left out than queued.
    pub lossy: bool,
}

/// Whose socket it is, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub user: i64,
    pub login: Uuid,
    pub until: Instant,
}

/// See the file's head. A `Seat` is written to by Live and read by its session, on one thread.
#[derive(Debug)]
pub struct Seat {
    stream: TcpStream,
    reader: Reader,
    unsent: VecDeque<Bytes>,
    unsent_bytes: usize,
    session: Option<Waker>,
    pub holder: Holder,
    pub wants: Wants,
    /// Of these topics it gets nothing until it was given a snapshot.
    pub awaiting: Topics,
    /// Whether it stands in the list of the seats that Live owes snapshots.
    pub listed: bool,
    behind_since: Option<Instant>,
    stalls: u8,
    last_heard: Instant,
    pinged: bool,
    course: Course,
    /// What the kernel took since this was last taken.
    pub written: Written,
}

/// What the kernel took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    pub writes: u64,
    pub bytes: u64,
}

impl Written {
    fn add(&mut self, bytes: usize) {
        self.writes += 1;
        self.bytes += bytes as u64;
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Open,
    /// Its close frame is sent or queued; the client is to hang up.
    Closing {
        since: Instant,
        shut: bool,
    },
    /// Nothing can be said or heard any more.
    Ended,
}

impl Seat {
    pub fn new(stream: TcpStream, holder: Holder, now: Instant) -> Self {
        Self {
            stream,
            reader: Reader::default(),
            unsent: VecDeque::new(),
            unsent_bytes: 0,
            session: None,
            holder,
            wants: Wants::default(),
            awaiting: Topics::default(),
            listed: false,
            behind_since: None,
            stalls: 0,
            last_heard: now,
            pinged: false,
            course: Course::Open,
            written: Written::default(),
        }
    }

    /// Sends a parcel, or notes that its topics must be made good by snapshots.
    pub fn deliver(&mut self, parcel: &Parcel, now: Instant) {
        if self.course != Course::Open {
            return;
        }
        if self.awaiting.meets(parcel.topics) {
            self.awaiting = self.awaiting.with(parcel.topics);
        } else if (parcel.lossy && !self.unsent.is_empty()) || !self.send(&parcel.frame) {
            self.awaiting = self.awaiting.with(parcel.topics);
            self.behind_since.get_or_insert(now);
        }
    }

    /// Sends a frame, or queues it behind those that the socket has not taken yet. `false` when that queue is full.
    pub fn send(&mut self, frame: &Frame) -> bool {
        if self.course != Course::Open {
            return true;
        }
        let bytes = frame.bytes();
        if self.unsent.is_empty() {
            self.write(bytes);
        } else if self.unsent.len() < MOST_UNSENT_FRAMES && self.unsent_bytes + bytes.len() <= MOST_UNSENT_BYTES {
            self.queue(bytes.clone());
        } else {
            return false;
        }
        true
    }

    /// Brings it up to date in all that it awaits; while it has something unsent it must wait for them longer.
    pub fn send_snapshots(&mut self, snapshots: &[Frame]) {
        self.listed = false;
        if !self.unsent.is_empty() || self.course != Course::Open {
            return;
        }
        self.awaiting = Topics::default();
        for frame in snapshots {
            if self.unsent.is_empty() {
                self.write(frame.bytes());
            } else {
                self.queue(frame.bytes().clone());
            }
        }
    }

    /// Says why, sends what is half sent, and ends the session when the client has hung up.
    pub fn close(&mut self, code: u16, reason: &str) {
        if self.course != Course::Open {
            return;
        }
        let farewell = Frame::close(code, reason);
        // The front may be half sent; nothing behind it is worth the wait.
        self.unsent.truncate(1);
        self.unsent_bytes = self.unsent.front().map_or(0, Bytes::len);
        if self.unsent.is_empty() {
            self.write(farewell.bytes());
        } else {
            self.queue(farewell.bytes().clone());
        }
        if self.course == Course::Open {
            self.course = Course::Closing {
                since: Instant::now(),
                shut: false,
            };
        }
        self.wake();
    }

    /// The last words of a session that did not end by itself. One attempt: nobody is left to write on.
    pub fn abandon(&mut self) {
        if self.unsent.is_empty() {
            self.close(1012, "the session was restarted, connect again");
            self.forget_what_is_unread();
        }
    }

    /// What is due by time: a ping, or the end.
    pub fn sweep(&mut self, now: Instant) {
        let silent = now.duration_since(self.last_heard);
        if let Course::Closing { since, .. } = self.course {
            if now.duration_since(since) >= LONGEST_FAREWELL {
                self.end();
            }
        } else if now >= self.holder.until {
            self.close(4401, "the access token has expired");
        } else if silent >= GONE_AFTER {
            self.close(1001, "nothing was heard for 30 s");
        } else if self
            .behind_since
            .is_some_and(|since| now.duration_since(since) >= GONE_AFTER)
        {
            self.close(1013, TOO_SLOW);
        } else if silent >= PING_AFTER && !self.pinged {
            self.pinged = true;
            self.send(&Frame::ping());
        }
    }

    /// The socket has taken everything again. Whether it was behind.
    fn catch_up(&mut self, now: Instant) -> bool {
        let Some(since) = self.behind_since.take() else {
            return false;
        };
        counter!("ws_resync_total").increment(1);
        if now.duration_since(since) >= STALL {
            self.stalls += 1;
            if self.stalls > STALLS_FORGIVEN {
                self.close(1013, TOO_SLOW);
            }
        }
        true
    }

    /// Only while nothing is unsent.
    fn write(&mut self, bytes: &Bytes) {
        match self.stream.try_write(bytes) {
            Ok(written) => {
                self.written.add(written);
                if written < bytes.len() {
                    self.queue(bytes.slice(written..));
                    self.wake(); // the session writes on as soon as the socket has room
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.queue(bytes.clone());
                self.wake();
            }
            Err(_) => self.end(),
        }
    }

    fn queue(&mut self, bytes: Bytes) {
        self.unsent_bytes += bytes.len();
        self.unsent.push_back(bytes);
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(front) = self.unsent.front_mut() {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_write(front) {
                Ok(written) => {
                    self.written.add(written);
                    self.unsent_bytes -= written;
                    front.advance(written);
                    if front.is_empty() {
                        self.unsent.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.unsent = VecDeque::new(); // gives its memory back
        Poll::Ready(Ok(()))
    }

    /// Nothing more can be said or heard here; the session then ends.
    fn end(&mut self) {
        self.course = Course::Ended;
        self.wake();
    }

    fn wake(&self) {
        if let Some(session) = &self.session {
            session.wake_by_ref();
        }
    }
}

const TOO_SLOW: &str = "too slow: read faster or subscribe to less";

#[cfg(test)]
mod tests;
