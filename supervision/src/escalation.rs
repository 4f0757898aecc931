//! What supervision cannot mend itself, so that the process has to end and be started anew by whoever started it.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

/// Why the process has to end. Whoever builds the tree is told, and leaves with exit code 70.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Escalation {
    /// A supervisor failed too often in too short a time.
    #[error("supervisor {name} failed {times} times in {within:?}")]
    SupervisorFailed {
        /// The supervisor.
        name: &'static str,
        /// How often it failed.
        times: usize,
        /// In what time.
        within: Duration,
    },
    /// An arbiter that holds sockets, and so cannot be replaced, gives no sign of life.
    #[error("arbiter {name} holds sockets and has been silent for {silent:?}")]
    BoundArbiterSilent {
        /// The arbiter.
        name: Arc<str>,
        /// How long it has been silent.
        silent: Duration,
    },
}

/// Whom to tell.
pub(crate) type Escalate = dyn Fn(Escalation) + Send + Sync;
