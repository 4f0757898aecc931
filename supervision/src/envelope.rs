//! A message on its way to a supervised actor, and the answer on its way back.

use std::{
    any::type_name,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{Actor, Handler, Message, dev::MessageResponse};
use tokio::sync::{Notify, oneshot};

/// A message on its way, and whom to answer.
pub(crate) struct Envelope<M: Message> {
    message: M,
    reply: Option<oneshot::Sender<M::Result>>,
}

impl<M: Message> Envelope<M> {
    /// Nobody waits for an answer.
    pub(crate) fn told(message: M) -> Self {
        Self { message, reply: None }
    }

    /// The answer, or the news that there will be none, comes by the second value.
    pub(crate) fn asked(message: M) -> (Self, oneshot::Receiver<M::Result>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                message,
                reply: Some(reply),
            },
            answer,
        )
    }
}

/// An [`Envelope`] whose message is known to the actor alone.
pub(crate) trait Letter<A: Actor>: Send {
    /// Has the actor handle the message. An answer that takes longer is counted as in hand.
    fn deliver(self: Box<Self>, actor: &mut A, ctx: &mut A::Context, in_hand: &Arc<InHand>);

    /// The message's type, for reports.
    fn name(&self) -> &'static str;
}

impl<A, M> Letter<A> for Envelope<M>
where
    A: Actor + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn deliver(self: Box<Self>, actor: &mut A, ctx: &mut A::Context, in_hand: &Arc<InHand>) {
        let Self { message, reply } = *self;
        // Whoever gave up waiting was told so; doing the work now would only make the others wait.
        if reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
            return;
        }
        let (answer, mut answered) = oneshot::channel();
        actor.handle(message, ctx).handle(ctx, Some(answer));
        match answered.try_recv() {
            Ok(answer) => pass_on(reply, answer),
            Err(oneshot::error::TryRecvError::Closed) => drop(reply),
            Err(oneshot::error::TryRecvError::Empty) => {
                let taken = in_hand.take();
                actix_rt::spawn(async move {
                    let answer = answered.await;
                    drop(taken);
                    if let Ok(answer) = answer {
                        pass_on(reply, answer);
                    }
                });
            }
        }
    }

    fn name(&self) -> &'static str {
        type_name::<M>()
    }
}

fn pass_on<T>(reply: Option<oneshot::Sender<T>>, answer: T) {
    if let Some(reply) = reply {
        // The asker may have stopped waiting, and was then told so by its own time limit.
        let _ = reply.send(answer);
    }
}

/// How many messages were taken from the mailbox whose answers are still being worked on.
#[derive(Debug, Default)]
pub(crate) struct InHand {
    count: AtomicUsize,
    finished: Notify,
}

impl InHand {
    fn take(self: &Arc<Self>) -> Taken {
        self.count.fetch_add(1, Ordering::SeqCst);
        Taken(Arc::clone(self))
    }

    /// Waits until nothing is in hand.
    pub(crate) async fn finished(&self) {
        loop {
            let finished = self.finished.notified();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            finished.await;
        }
    }
}

/// One message in hand; it is out of hand when this is dropped.
struct Taken(Arc<InHand>);

impl Drop for Taken {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.finished.notify_waiters();
        }
    }
}
