//! What keeps a thread that was given up from doing harm when it wakes.
//!
//! A thread that blocks cannot be stopped. Its arbiter is replaced, and when the old thread wakes in the middle of a
//! handler, the database and the other actors must not hear from it. So each thread of a replaceable arbiter carries
//! a [`Fence`], and every handle looks at the fence of the thread it is used on.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use metrics::counter;

thread_local! {
    static HERE: RefCell<Option<Arc<Fence>>> = const { RefCell::new(None) };
}

/// Stands between one thread and everyone else, once it is closed.
#[derive(Debug)]
pub(crate) struct Fence {
    place: Arc<str>,
    closed: AtomicBool,
}

impl Fence {
    /// An open fence, for a thread that serves the place of this name.
    pub(crate) fn new(place: Arc<str>) -> Self {
        Self {
            place,
            closed: AtomicBool::new(false),
        }
    }

    /// Puts this fence around the current thread.
    pub(crate) fn put_up(self: Arc<Self>) {
        HERE.set(Some(self));
    }

    /// From now on nothing that the fenced thread does through a handle has an effect.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// Whether the current thread belongs to an arbiter that was found frozen and has been replaced.
///
/// Handles ask this themselves. Whoever has an effect that does not go through a handle (a query task about to
/// commit, a socket about to be written) asks it right before.
pub fn retired() -> bool {
    HERE.with_borrow(|fence| fence.as_ref().is_some_and(|fence| fence.closed.load(Ordering::SeqCst)))
}

/// As [`retired`], for an effect that is refused because of it: it is counted.
pub(crate) fn refuses() -> bool {
    let refused = retired();
    if refused {
        counter!("actor_fenced_total").increment(1);
    }
    refused
}

/// The place that the current thread serves, if it is a place of a tree.
pub(crate) fn place_here() -> Option<Arc<str>> {
    HERE.with_borrow(|fence| fence.as_ref().map(|fence| Arc::clone(&fence.place)))
}
