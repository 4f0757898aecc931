//! Restarts by an administrator: one at a time for each child, and not too many.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    Ending, Policy, Tree,
    guest::Guest,
    node::{Command, Node},
    orders::Manner,
    registry::Entry,
};

/// The span in which restarts by administrators are counted.
const MINUTE: Duration = Duration::from_mins(1);

/// How an administrator's restart ends the old value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It finishes the messages in hand first, for 5 seconds at most. What waits in the mailbox is kept.
    #[default]
    Graceful,
    /// It ends at once; messages in hand are answered `Crashed`. What waits in the mailbox is kept.
    Kill,
}

/// Names one restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartId(u64);

impl fmt::Display for RestartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for RestartId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A restart that is done.
#[derive(Debug, Clone, Serialize)]
pub struct Restarted {
    /// Names it, in the audit log and to those who asked while it was under way.
    pub restart_id: RestartId,
    /// The value that was ended.
    pub generation_before: u64,
    /// The value that is up now; for a temporary child, which is not made anew, the one that was ended.
    pub generation_after: u64,
    /// How long it took, followers included.
    #[serde(rename = "took_ms", serialize_with = "milliseconds")]
    pub took: Duration,
}

fn milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    took.as_millis().serialize(serializer)
}

/// Why there was no restart, or none that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestartError {
    /// Nobody has this name.
    #[error("no actor is named {0}")]
    NotFound(String),
    /// A supervisor cannot be restarted.
    #[error("{0} is a supervisor, expected one of its children")]
    Forbidden(String),
    /// One is under way.
    #[error("restart {restart_id} is under way")]
    AlreadyRestarting {
        /// That one.
        restart_id: RestartId,
    },
    /// Too many were started in the last minute.
    #[error("too many restarts, expected the next in {retry_after:?}")]
    RateLimited {
        /// When the next one may be started.
        retry_after: Duration,
    },
    /// The child did not come up in time; its supervisor goes on trying.
    #[error("restart {restart_id} is not up within {within:?}")]
    NotUp {
        /// This one.
        restart_id: RestartId,
        /// The time it had.
        within: Duration,
    },
}

/// One child's restarts by administrators.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    under_way: Option<RestartId>,
    started: VecDeque<Instant>,
}

/// A restart under way, until this is dropped.
struct UnderWay {
    book: Arc<Book>,
    id: RestartId,
    began: Instant,
}

impl Book {
    fn begin(self: &Arc<Self>, now: Instant, a_minute: usize) -> Result<UnderWay, RestartError> {
        let mut entries = self.0.lock();
        if let Some(restart_id) = entries.under_way {
            return Err(RestartError::AlreadyRestarting { restart_id });
        }
        entries
            .started
            .retain(|&started_at| now.duration_since(started_at) < MINUTE);
        if entries.started.len() >= a_minute {
            let oldest = entries
                .started
                .front()
                .map_or(MINUTE, |&started_at| now.duration_since(started_at));
            return Err(RestartError::RateLimited {
                retry_after: MINUTE.saturating_sub(oldest),
            });
        }
        entries.started.push_back(now);
        let id = RestartId(rand::random());
        entries.under_way = Some(id);
        Ok(UnderWay {
            book: Arc::clone(self),
            id,
            began: now,
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.book.0.lock().under_way = None;
    }
}

impl UnderWay {
    fn done(&self, generation_before: u64, generation_after: u64) -> Restarted {
        Restarted {
            restart_id: self.id,
            generation_before,
            generation_after,
            took: self.began.elapsed(),
        }
    }

    fn not_up(&self, policy: &Policy) -> RestartError {
        RestartError::NotUp {
            restart_id: self.id,
            within: policy.up_within,
        }
    }
}

impl Tree {
    /// Restarts a child because an administrator wants it, whatever state it is in. Its callers see nothing but a
    /// delay; it does not count as a failure. A temporary child is ended, and its peer comes back.
    ///
    /// It goes on when the caller no longer waits.
    pub async fn restart(&self, name: &str, mode: Mode) -> Result<Restarted, RestartError> {
        let entry = self
            .registry()
            .get(name)
            .ok_or_else(|| RestartError::NotFound(name.to_owned()))?;
        let book = match &entry {
            Entry::Supervisor(_) => return Err(RestartError::Forbidden(name.to_owned())),
            Entry::Child(node) => &node.book,
            Entry::Guest(guest) => &guest.book,
        };
        let policy = Arc::clone(self.policy());
        let under_way = book.begin(Instant::now(), policy.restarts_a_minute)?;
        let not_up = under_way.not_up(&policy);
        let (tell, told) = oneshot::channel();
        self.arbiter().spawn(async move {
            let restarted = match entry {
                Entry::Child(node) => restart_child(&node, mode, &under_way, &policy).await,
                Entry::Guest(guest) => end_guest(&guest, mode, &under_way, &policy).await,
                Entry::Supervisor(_) => return,
            };
            drop(under_way);
            // The administrator may have gone; the restart is done all the same.
            let _ = tell.send(restarted);
        });
        told.await.unwrap_or(Err(not_up))
    }
}

async fn restart_child(
    node: &Node,
    mode: Mode,
    under_way: &UnderWay,
    policy: &Policy,
) -> Result<Restarted, RestartError> {
    let before = node.status().generation;
    let (up, is_up) = oneshot::channel();
    let manner = match mode {
        Mode::Graceful => Manner::Finish(policy.grace),
        Mode::Kill => Manner::Kill,
    };
    node.command(Command::Restart {
        manner,
        led_by: None,
        up,
    });
    match timeout(policy.up_within, is_up).await {
        Ok(Ok(after)) => Ok(under_way.done(before, after)),
        Ok(Err(_)) | Err(_) => Err(under_way.not_up(policy)),
    }
}

async fn end_guest(
    guest: &Guest,
    mode: Mode,
    under_way: &UnderWay,
    policy: &Policy,
) -> Result<Restarted, RestartError> {
    let farewell = guest.farewell();
    let manner = match mode {
        Mode::Graceful => Manner::Empty(policy.grace),
        Mode::Kill => Manner::Kill,
    };
    guest.door.ask_to_end(Ending::Restarted, manner);
    match timeout(policy.up_within, farewell).await {
        Ok(_) => {
            guest.count_restart();
            Ok(under_way.done(1, 1))
        }
        Err(_) => Err(under_way.not_up(policy)),
    }
}
