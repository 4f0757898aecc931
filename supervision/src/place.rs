//! An arbiter under watch: where children live, and what replaces it when it freezes.

use std::sync::Arc;

use actix_rt::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;

use crate::fence::Fence;

/// A named arbiter, or the one that came after it.
pub(crate) struct Place {
    pub(crate) name: Arc<str>,
    current: Mutex<Term>,
}

/// The time of one arbiter in its place.
#[derive(Clone)]
pub(crate) struct Term {
    pub(crate) number: u64,
    pub(crate) arbiter: ArbiterHandle,
    fence: Arc<Fence>,
}

impl Place {
    /// A place with an arbiter of its own, which can be replaced.
    pub(crate) fn open(name: Arc<str>) -> std::io::Result<Self> {
        Ok(Self {
            name,
            current: Mutex::new(Term::begin(1)?),
        })
    }

    pub(crate) fn term(&self) -> Term {
        self.current.lock().clone()
    }
}

impl Term {
    fn begin(number: u64) -> std::io::Result<Self> {
        let arbiter = Arbiter::try_new()?.handle();
        let fence = Arc::<Fence>::default();
        let around = Arc::clone(&fence);
        arbiter.spawn_fn(move || around.put_up());
        Ok(Self { number, arbiter, fence })
    }
}
