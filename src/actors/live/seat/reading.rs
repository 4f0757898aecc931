//! The reading side of a seat: what its session is woken for.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::io::AsyncWrite;

use super::{Course, Seat};
use crate::actors::live::incoming::{Heard, Violation};

const SCRATCH_BYTES: usize = 16 * 1024;
/// So many buffers full of unread bytes are dropped for the sake of a farewell.
const MOST_FORGOTTEN: usize = 16;

thread_local! {
    /// One buffer a thread, not one a session.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// Why a session is woken.
#[derive(Debug)]
pub enum Event {
    Heard(Result<Heard, Violation>),
    /// Live must send snapshots here: the socket has taken everything again, after something had been left out.
    CaughtUp,
}

impl Seat {
    /// Takes what the client said before its socket came here.
    pub fn heard_already(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// Writes on what is unsent, and reads. `None` when the connection is at its end.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if !self
            .session
            .as_ref()
            .is_some_and(|session| session.will_wake(context.waker()))
        {
            self.session = Some(context.waker().clone());
        }
        let event = self.poll_event(context);
        if let Poll::Ready(None) = event {
            self.course = Course::Ended;
        }
        event
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.course == Course::Ended {
            return Poll::Ready(None);
        }
        match (self.poll_flush(context), self.course) {
            (Poll::Pending, _) | (_, Course::Closing { shut: true, .. }) => {}
            (Poll::Ready(Ok(())), Course::Open) => {
                if self.catch_up(Instant::now()) || (!self.awaiting.is_empty() && !self.listed) {
                    return Poll::Ready(Some(Event::CaughtUp));
                }
            }
            (Poll::Ready(Ok(())), Course::Closing { since, .. }) => {
                if let Poll::Ready(Err(_)) = Pin::new(&mut self.stream).poll_shutdown(context) {
                    return Poll::Ready(None);
                }
                self.course = Course::Closing { since, shut: true };
            }
            (Poll::Ready(_), _) => return Poll::Ready(None),
        }
        self.poll_heard(context)
    }

    fn poll_heard(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if self.course == Course::Open {
                match self.reader.next_heard() {
                    Ok(Some(heard)) => return Poll::Ready(Some(Event::Heard(Ok(heard)))),
                    Ok(None) => {}
                    Err(violation) => return Poll::Ready(Some(Event::Heard(Err(violation)))),
                }
            }
            // Bytes that lie unread when a socket is dropped would reset it, and our last words with it: so a closed
            // seat reads on until the client hangs up, and forgets what it reads.
            let read = ready!(self.poll_read(context));
            if !matches!(read, Ok(1..)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Before the socket is dropped: unread bytes would reset it, and the last words with it.
    pub(super) fn forget_what_is_unread(&self) {
        SCRATCH.with_borrow_mut(|scratch| {
            for _ in 0..MOST_FORGOTTEN {
                if !matches!(self.stream.try_read(scratch), Ok(1..)) {
                    break;
                }
            }
        });
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                ready!(self.stream.poll_read_ready(context))?;
                match self.stream.try_read(scratch) {
                    Ok(length) => {
                        self.last_heard = Instant::now();
                        self.pinged = false;
                        if self.course == Course::Open {
                            self.reader.push(&scratch[..length]);
                        }
                        return Poll::Ready(Ok(length));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        })
    }
}
