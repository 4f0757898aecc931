//! What the tree knows of a permanent child, whatever actor it is.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actix_rt::ArbiterHandle;
use metrics::counter;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

#[cfg(feature = "chaos")]
use crate::chaos::Stir;
use crate::{
    incarnation::LifeNews,
    orders::{Authority, Manner},
    place::Place,
    restart::Book,
};

/// Where a child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Its value is being made, or it is still in `started()`.
    Starting,
    /// It handles messages.
    Running,
    /// It fell, and waits a moment before it starts again; its mailbox takes messages.
    Backoff,
    /// It is being ended and made anew because someone asked for it.
    Restarting,
    /// It fell too often; its handle answers `Down` until it is tried again.
    Failed,
}

/// A child's state, and which of its values is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// Counts its values; the first is 1.
    pub generation: u64,
    /// Since when.
    pub since: Instant,
}

/// What a keeper is asked to do.
pub(crate) enum Command {
    /// End the child and make it anew; `up` hears the generation that came up.
    Restart {
        manner: Manner,
        led_by: Option<Arc<str>>,
        up: oneshot::Sender<u64>,
    },
    /// The child's arbiter was replaced: this is its term now.
    Replaced { term: u64 },
    /// Fail.
    #[cfg(feature = "chaos")]
    Panic,
    /// End the child for good.
    Drain { manner: Manner, ended: oneshot::Sender<()> },
}

/// A permanent child.
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) parent: &'static str,
    pub(crate) order: u64,
    pub(crate) followers: Vec<String>,
    pub(crate) place: Arc<Place>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) restarts: AtomicU64,
    pub(crate) last_failure: Mutex<Option<String>>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) child: Box<dyn Child>,
    /// Its handle, as the type that its actor has.
    pub(crate) handle: Box<dyn Any + Send + Sync>,
    /// Its restarts by administrators.
    pub(crate) book: Arc<Book>,
}

/// The actor of a node, as far as supervision deals with it.
pub(crate) trait Child: Send + Sync {
    /// Starts a value of it on `arbiter`, which reads the mailbox there is.
    fn launch(&self, arbiter: &ArbiterHandle) -> Life;
    /// Gives it an empty mailbox instead of one that is stuck on a thread that was given up.
    fn renew_mailbox(&self);
    /// Hands out nothing more until the next value opens the mailbox again.
    fn hold_mailbox(&self);
    /// Takes its mailbox away: handles answer `Down`.
    fn close(&self);
    /// Letters that wait.
    fn depth(&self) -> usize;
    /// Letters that may wait.
    fn capacity(&self) -> usize;
    /// What its thread is doing inside its code at this moment, if it is.
    fn busy_with(&self) -> Option<&'static str>;
    #[cfg(feature = "chaos")]
    fn stir(&self) -> &dyn Stir;
}

/// A life that was started.
pub(crate) struct Life {
    pub(crate) authority: Authority,
    pub(crate) news: mpsc::UnboundedReceiver<LifeNews>,
}

impl Node {
    pub(crate) fn status(&self) -> Status {
        *self.status.borrow()
    }

    pub(crate) fn enter(&self, state: State) {
        self.status.send_modify(|status| {
            status.state = state;
            status.since = Instant::now();
        });
    }

    /// Counts the next value, which is in `state`.
    pub(crate) fn next_generation(&self, state: State) {
        self.status.send_modify(|status| {
            *status = Status {
                state,
                generation: status.generation + 1,
                since: Instant::now(),
            };
        });
        self.restarts.fetch_add(1, Ordering::SeqCst);
        counter!("actor_restarts_total", "kind" => self.kind).increment(1);
    }

    pub(crate) fn note_failure(&self, reason: String) {
        counter!("actor_failures_total", "kind" => self.kind).increment(1);
        *self.last_failure.lock() = Some(reason);
    }

    /// Whether `name` is among those that restart with this child: a name, or the beginning of one and `*`.
    pub(crate) fn is_followed_by(&self, name: &str) -> bool {
        self.followers.iter().any(|follower| match follower.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == follower,
        })
    }

    pub(crate) fn shares_place_with(&self, other: &Node) -> bool {
        Arc::ptr_eq(&self.place, &other.place)
    }

    pub(crate) fn command(&self, command: Command) {
        // A keeper that no longer listens has ended its child; whoever waits for an answer sees the sender dropped.
        let _ = self.commands.send(command);
    }
}
