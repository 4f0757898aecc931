//! A temporary child in the tree: a guest, who comes with a socket and goes with it.

use std::{
    any::Any,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use metrics::counter;
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use tracing::warn;

#[cfg(feature = "chaos")]
use crate::chaos::Stir;
use crate::{Ending, Spec, fence, orders::Manner, registry::Registry, restart::Book};

/// What the tree knows of a temporary child. There may be thousands.
pub(crate) struct Guest {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) parent: &'static str,
    pub(crate) order: u64,
    pub(crate) place: Option<Arc<str>>,
    pub(crate) since: Instant,
    pub(crate) capacity: usize,
    pub(crate) door: Box<dyn Door>,
    pub(crate) book: Arc<Book>,
    gone: AtomicBool,
    farewells: Mutex<Vec<oneshot::Sender<()>>>,
}

/// How to reach the actor of a guest.
pub(crate) trait Door: Send + Sync {
    /// Has it end, and tells it why.
    fn ask_to_end(&self, why: Ending, manner: Manner);
    /// Takes its mailbox away.
    fn close(&self);
    /// Letters that wait.
    fn depth(&self) -> usize;
    /// Its handle, as the type that its actor has.
    fn handle(&self) -> &(dyn Any + Send + Sync);
    #[cfg(feature = "chaos")]
    fn stir(&self) -> &dyn Stir;
}

impl Guest {
    pub(crate) fn new(spec: Spec, order: u64, door: Box<dyn Door>) -> Self {
        Self {
            name: spec.name,
            kind: spec.kind,
            parent: spec.parent,
            order,
            place: fence::place_here(),
            since: Instant::now(),
            capacity: spec.capacity,
            door,
            book: Arc::default(),
            gone: AtomicBool::new(false),
            farewells: Mutex::default(),
        }
    }

    /// Hears when the guest has left.
    pub(crate) fn farewell(&self) -> oneshot::Receiver<()> {
        let (left, hear) = oneshot::channel();
        let mut farewells = self.farewells.lock();
        if !self.gone.load(Ordering::SeqCst) {
            farewells.push(left);
        }
        // A guest that has left drops `left`, which is heard as well.
        hear
    }

    pub(crate) fn note_crash(&self, reason: &str) {
        let name = &self.name;
        warn!(actor.name = %name, "actor {name} {reason}; its peer has to come back");
        counter!("actor_failures_total", "kind" => self.kind).increment(1);
        self.count_restart();
    }

    /// Counts an end that makes the peer come back.
    pub(crate) fn count_restart(&self) {
        counter!("actor_restarts_total", "kind" => self.kind).increment(1);
    }

    /// Takes the guest out of the tree; nothing more reaches it.
    pub(crate) fn leave(self: &Arc<Self>, registry: Option<&Registry>) {
        if let Some(registry) = registry {
            registry.dismiss(self);
        }
        self.door.close();
        let mut farewells = self.farewells.lock();
        self.gone.store(true, Ordering::SeqCst);
        farewells.clear();
    }
}

/// A guest's stay in the tree, which ends when this is dropped.
pub(crate) struct Stay {
    pub(crate) guest: Arc<Guest>,
    pub(crate) registry: Weak<Registry>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.guest.leave(self.registry.upgrade().as_deref());
    }
}
