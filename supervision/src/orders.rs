//! How a supervisor tells a living actor to end.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;

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

/// The latest order to one life, which listens for it in one place.
#[derive(Debug, Default)]
pub(crate) struct Orders(Mutex<Desk>);

#[derive(Debug, Default)]
struct Desk {
    latest: Option<Manner>,
    listener: Option<Waker>,
}

impl Orders {
    pub(crate) fn give(&self, manner: Manner) {
        let mut desk = self.0.lock();
        desk.latest = Some(manner);
        let listener = desk.listener.take();
        drop(desk);
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// Waits for an order that was not obeyed yet.
    pub(crate) fn next(&self) -> impl Future<Output = Manner> {
        poll_fn(|task| {
            let mut desk = self.0.lock();
            if let Some(manner) = desk.latest.take() {
                return Poll::Ready(manner);
            }
            desk.listener = Some(task.waker().clone());
            Poll::Pending
        })
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
