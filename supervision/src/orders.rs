//! How a supervisor tells a living actor to end.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How an actor is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// After the messages in hand, at most this long from now; what waits in the mailbox is kept.
    Finish(Duration),
    /// After all that is in the mailbox, at most this long from now; nothing more is taken.
    Empty(Duration),
    /// Now; messages in hand are answered `Crashed`.
    Kill,
}

/// The latest order to one life.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    latest: Mutex<Option<Manner>>,
    given: Notify,
}

impl Orders {
    pub(crate) fn give(&self, manner: Manner) {
        *self.latest.lock() = Some(manner);
        self.given.notify_one();
    }

    /// Waits for an order that was not obeyed yet.
    pub(crate) async fn next(&self) -> Manner {
        loop {
            if let Some(manner) = self.latest.lock().take() {
                return manner;
            }
            self.given.notified().await;
        }
    }
}

/// The right to order, which ends with the life it is about: a life nobody looks after any more is killed.
#[derive(Debug)]
pub(crate) struct Authority(pub(crate) Arc<Orders>);

impl Drop for Authority {
    fn drop(&mut self) {
        self.0.give(Manner::Kill);
    }
}
