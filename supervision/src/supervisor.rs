//! A supervisor: the name that children stand under, and the count of what went wrong in looking after them.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::error;

use crate::{Escalation, Policy, escalation::Escalate};

/// One supervisor.
///
/// Its work is done by the keepers of its children. What can make it fail is none of its children's code: a keeper
/// that panics, which is a mistake in this crate, and for `root` a system that refuses the thread for a new arbiter.
pub(crate) struct Supervisor {
    pub(crate) name: &'static str,
    pub(crate) parent: Option<&'static str>,
    pub(crate) order: u64,
    pub(crate) since: Instant,
    pub(crate) failures: AtomicU64,
    pub(crate) last_failure: Mutex<Option<String>>,
    recent: Mutex<VecDeque<Instant>>,
    policy: Arc<Policy>,
    escalate: Arc<Escalate>,
}

impl Supervisor {
    pub(crate) fn new(
        name: &'static str,
        parent: Option<&'static str>,
        order: u64,
        policy: Arc<Policy>,
        escalate: Arc<Escalate>,
    ) -> Self {
        Self {
            name,
            parent,
            order,
            since: Instant::now(),
            failures: AtomicU64::new(0),
            last_failure: Mutex::default(),
            recent: Mutex::default(),
            policy,
            escalate,
        }
    }

    /// Notes a failure, and escalates when they are too many.
    pub(crate) fn fail(&self, reason: String) {
        let name = self.name;
        error!(actor.name = name, "supervisor {name} failed: {reason}");
        self.failures.fetch_add(1, Ordering::SeqCst);
        *self.last_failure.lock() = Some(reason);
        let (now, within) = (Instant::now(), self.policy.supervisor_window);
        let mut recent = self.recent.lock();
        recent.retain(|&failed_at| now.duration_since(failed_at) <= within);
        recent.push_back(now);
        let times = recent.len();
        drop(recent);
        if times >= self.policy.supervisor_failures {
            (self.escalate)(Escalation::SupervisorFailed { name, times, within });
        }
    }
}
