//! What carries letters from the mailbox to the actor: a future inside the actor's own context.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix::{Actor, ActorFuture, AsyncContext};
use tokio::sync::mpsc;

use crate::{
    envelope::{InHand, Letter},
    fence,
    incarnation::LifeNews,
    mailbox::{Mailbox, Next},
};

/// How long an actor may handle letters before the others on its thread have their turn.
const TURN: Duration = Duration::from_millis(1);

/// Hands an actor its letters, one after the other, while its context does not wait for something else.
pub(crate) struct Pump<A: Actor> {
    mailbox: Arc<Mailbox<A>>,
    up: Option<mpsc::UnboundedSender<LifeNews>>,
    carry: Carry<A>,
}

/// How a letter is handed over: so that a panic leaves the context, or so that it does not.
pub(crate) type Carry<A> = Box<dyn Fn(Box<dyn Letter<A>>, &mut A, &mut <A as Actor>::Context, &Arc<InHand>)>;

impl<A: Actor> Pump<A> {
    /// `up` hears of the first turn, which comes when `started()` and what it waits for are done.
    ///
    /// A panic leaves the context, for whoever drives it.
    pub(crate) fn new(mailbox: Arc<Mailbox<A>>, up: Option<mpsc::UnboundedSender<LifeNews>>) -> Self {
        // Without anything captured, the box is no allocation.
        let carry = |letter: Box<dyn Letter<A>>, actor: &mut A, ctx: &mut A::Context, in_hand: &Arc<InHand>| {
            letter.deliver(actor, ctx, in_hand);
        };
        Self {
            mailbox,
            up,
            carry: Box::new(carry),
        }
    }

    /// A pump that hands letters over by `carry`.
    pub(crate) fn carrying(mailbox: Arc<Mailbox<A>>, carry: Carry<A>) -> Self {
        Self {
            mailbox,
            up: None,
            carry,
        }
    }
}

impl<A> ActorFuture<A> for Pump<A>
where
    A: Actor,
    A::Context: AsyncContext<A>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut A, ctx: &mut A::Context, task: &mut Context<'_>) -> Poll<()> {
        #[cfg(feature = "chaos")]
        if self.up.is_some() {
            self.mailbox.mischief.at_start();
        }
        if let Some(up) = self.up.take() {
            // The supervisor may have moved on, and then ends this actor.
            let _ = up.send(LifeNews::Up);
        }
        let turn_began = Instant::now();
        while !ctx.waiting() {
            // What wakes late on a thread that was given up handles nothing more.
            if fence::retired() {
                return Poll::Pending;
            }
            match self.mailbox.poll_next(task.waker()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Next::Closed) => return Poll::Ready(()),
                Poll::Ready(Next::Letter(letter)) => {
                    let activity = &self.mailbox.activity;
                    *activity.message.lock() = Some(letter.name());
                    #[cfg(feature = "chaos")]
                    self.mailbox.mischief.at_message();
                    (self.carry)(letter, actor, ctx, &self.mailbox.in_hand);
                    *activity.message.lock() = None;
                }
            }
            if turn_began.elapsed() >= TURN {
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Pending
    }
}
