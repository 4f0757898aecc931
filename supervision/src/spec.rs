//! What a child is called, whom it is under, where it lives, and how many letters may wait for it.

use std::{io, sync::Arc};

use thiserror::Error;

/// Describes a child to be started.
#[derive(Debug, Clone)]
pub struct Spec {
    pub(crate) kind: &'static str,
    pub(crate) name: Arc<str>,
    pub(crate) parent: &'static str,
    pub(crate) place: Arc<str>,
    pub(crate) capacity: usize,
    pub(crate) followers: Vec<String>,
}

impl Spec {
    /// A child of the given kind (`indicator`) and name (`indicator-3`) under `root`, on the arbiter `shared`, with a
    /// mailbox for 256 messages.
    ///
    /// The kind labels metrics; the name is how an administrator finds the child, and unique in its tree.
    pub fn new(kind: &'static str, name: impl Into<Arc<str>>) -> Self {
        let (parent, place, capacity, followers) = ("root", "shared".into(), 256, Vec::new());
        Self {
            kind,
            name: name.into(),
            parent,
            place,
            capacity,
            followers,
        }
    }

    /// Puts the child under the supervisor of this name.
    pub fn under(mut self, parent: &'static str) -> Self {
        self.parent = parent;
        self
    }

    /// Lets the child live on the arbiter of this name, which is made for the first who asks for it.
    ///
    /// Children on one arbiter share a thread: when one freezes it, all of them start anew on another. Whoever works
    /// long at a time deserves an arbiter alone.
    pub fn on(mut self, arbiter: impl Into<Arc<str>>) -> Self {
        self.place = arbiter.into();
        self
    }

    /// Bounds the mailbox, for `ask` and `tell` alike.
    pub fn mailbox(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Names the children that have to start anew whenever this one did, because they hold what they learned from it.
    /// Each is a name, or the beginning of names and `*`.
    ///
    /// They restart when this child is up again, and finish the message in hand first. Followers of followers stay.
    pub fn followed_by<N: Into<String>>(mut self, followers: impl IntoIterator<Item = N>) -> Self {
        self.followers = followers.into_iter().map(Into::into).collect();
        self
    }
}

/// Why a child was not started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another child or supervisor has this name.
    #[error("an actor named {0} is in the tree, expected a new name")]
    NameTaken(Arc<str>),
    /// No supervisor has the name of the parent.
    #[error("{0} is no supervisor of the tree")]
    NoSuchSupervisor(&'static str),
    /// The arbiter that the child was to live on could not be made.
    #[error("no arbiter could be started")]
    NoArbiter(#[source] io::Error),
    /// The tree is being drained.
    #[error("the tree is being drained, expected no new actors")]
    Draining,
}
