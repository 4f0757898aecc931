//! An arbiter under watch: where children live, and what replaces it when it freezes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_rt::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::fence::Fence;

/// A named arbiter, or the one that came after it.
pub(crate) struct Place {
    pub(crate) name: Arc<str>,
    /// Whether it holds sockets, which cannot be moved to another thread.
    pub(crate) bound: bool,
    current: Mutex<Term>,
    silent: Mutex<Duration>,
}

/// The time of one arbiter in its place.
#[derive(Clone)]
pub(crate) struct Term {
    pub(crate) number: u64,
    pub(crate) arbiter: ArbiterHandle,
    fence: Arc<Fence>,
    pulse: Arc<Pulse>,
}

/// An arbiter's signs of life.
struct Pulse {
    /// A sign was asked for and has not come.
    awaited: AtomicBool,
    last: Mutex<Instant>,
}

/// What the watch feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Felt {
    /// No sign of life for this long; zero when the last one came.
    Silence(Duration),
    /// The arbiter has ended.
    Gone,
}

impl Place {
    /// A place with an arbiter of its own, which can be replaced.
    pub(crate) fn open(name: Arc<str>) -> io::Result<Self> {
        let arbiter = Arbiter::try_new()?.handle();
        Ok(Self::around(name, arbiter, false))
    }

    /// The place of an arbiter that holds sockets.
    pub(crate) fn bound(name: Arc<str>, arbiter: ArbiterHandle) -> Self {
        Self::around(name, arbiter, true)
    }

    fn around(name: Arc<str>, arbiter: ArbiterHandle, bound: bool) -> Self {
        let term = Term::begin(&name, 1, arbiter);
        Self {
            name,
            bound,
            current: Mutex::new(term),
            silent: Mutex::default(),
        }
    }

    pub(crate) fn term(&self) -> Term {
        self.current.lock().clone()
    }

    /// How long ago the arbiter gave its last sign of life.
    pub(crate) fn last_beat(&self) -> Duration {
        self.current.lock().pulse.last.lock().elapsed()
    }

    /// Asks for a sign of life, once every `step`.
    ///
    /// Silence is counted in steps, not by the clock: a process that was stopped for a minute and goes on finds all
    /// its arbiters well.
    pub(crate) fn feel(&self, step: Duration) -> Felt {
        let term = self.term();
        let mut silent = self.silent.lock();
        if term.pulse.awaited.swap(true, Ordering::SeqCst) {
            *silent += step;
            return if term.arbiter.alive() {
                Felt::Silence(*silent)
            } else {
                Felt::Gone
            };
        }
        *silent = Duration::ZERO;
        let pulse = Arc::clone(&term.pulse);
        let asked = term.arbiter.spawn_fn(move || {
            *pulse.last.lock() = Instant::now();
            pulse.awaited.store(false, Ordering::SeqCst);
        });
        if asked {
            Felt::Silence(Duration::ZERO)
        } else {
            Felt::Gone
        }
    }

    /// Gives the place another arbiter, and shuts the old one out: what wakes there late has no effect. Answers the
    /// new term's number.
    pub(crate) fn replace(&self) -> io::Result<u64> {
        // A place that could not be given an arbiter is tried again after as long a silence.
        *self.silent.lock() = Duration::ZERO;
        let arbiter = Arbiter::try_new()?.handle();
        let mut current = self.current.lock();
        current.fence.close();
        current.arbiter.stop();
        *current = Term::begin(&self.name, current.number + 1, arbiter);
        Ok(current.number)
    }
}

impl Term {
    fn begin(place: &Arc<str>, number: u64, arbiter: ArbiterHandle) -> Self {
        let fence = Arc::new(Fence::new(Arc::clone(place)));
        let around = Arc::clone(&fence);
        arbiter.spawn_fn(move || around.put_up());
        let pulse = Arc::new(Pulse {
            awaited: AtomicBool::new(false),
            last: Mutex::new(Instant::now()),
        });
        Self {
            number,
            arbiter,
            fence,
            pulse,
        }
    }
}
