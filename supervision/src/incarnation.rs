//! One life of a supervised actor, from the making of its value to its end, on the actor's own arbiter.

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, dev::ContextFut};
use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    mailbox::Mailbox,
    node::LifeNews,
    pump::Pump,
    survive::{panic_text, survive},
};

/// How an actor is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Not at all.
    Stay,
    /// After the messages in hand, at most `grace` from now; what waits in the mailbox is kept.
    Finish,
    /// After all that is in the mailbox, at most this long from now; nothing more is taken.
    Empty(Duration),
    /// Now; messages in hand are answered `Crashed`.
    Kill,
}

/// How an actor ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Its code panicked: with this message.
    Panicked(String),
    /// It stopped itself.
    Stopped,
    /// It was asked to.
    Asked,
}

/// What a life needs.
pub(crate) struct Birth<A: Actor> {
    pub(crate) mailbox: Arc<Mailbox<A>>,
    pub(crate) news: mpsc::UnboundedSender<LifeNews>,
    pub(crate) manner: watch::Receiver<Manner>,
    pub(crate) grace: Duration,
}

/// Lives one life of the actor that `make` makes, and tells how it ended. No panic of the actor's code leaves here.
pub(crate) async fn live<A>(make: impl FnOnce() -> A, birth: Birth<A>) -> Exit
where
    A: Actor<Context = Context<A>>,
{
    let Birth {
        mailbox,
        news,
        mut manner,
        grace,
    } = birth;
    let actor = match survive(make) {
        Ok(actor) => actor,
        Err(panic) => return Exit::Panicked(format!("while its value was made: {panic}")),
    };
    let mut ctx = Context::new();
    ctx.spawn(Pump::new(Arc::clone(&mailbox), Some(news)));
    let mut life = ctx.into_future(actor);
    mailbox.open();
    let lived = AssertUnwindSafe(live_until_told(&mut life, &mailbox, &mut manner, grace))
        .catch_unwind()
        .await;
    mailbox.hold();
    let exit = match lived {
        Ok(exit) => exit,
        Err(panic) => {
            // A torn value is not asked for its `stopping()`.
            life.ctx().terminate();
            let during = mailbox
                .activity
                .message
                .lock()
                .take()
                .unwrap_or("its start or a future of its own");
            Exit::Panicked(format!("during {during}: {}", panic_text(&*panic)))
        }
    };
    // For an actor that was asked to end this runs `stopping()` and `stopped()`.
    match survive(|| drop(life)) {
        Ok(()) => exit,
        Err(panic) => Exit::Panicked(format!("while it ended: {panic}")),
    }
}

async fn live_until_told<A>(
    life: &mut ContextFut<A, Context<A>>,
    mailbox: &Mailbox<A>,
    manner: &mut watch::Receiver<Manner>,
    grace: Duration,
) -> Exit
where
    A: Actor<Context = Context<A>>,
{
    let told = tokio::select! {
        biased;
        told = told(manner) => told,
        () = inside(life, mailbox) => return Exit::Stopped,
    };
    match told {
        Manner::Finish => {
            mailbox.hold();
            last_words(life, mailbox, manner, grace, mailbox.in_hand.finished()).await;
        }
        Manner::Empty(within) => last_words(life, mailbox, manner, within, mailbox.empty()).await,
        Manner::Stay | Manner::Kill => (),
    }
    Exit::Asked
}

/// Lets the actor live until `done`, its own end, a kill, or `within` has passed.
async fn last_words<A>(
    life: &mut ContextFut<A, Context<A>>,
    mailbox: &Mailbox<A>,
    manner: &mut watch::Receiver<Manner>,
    within: Duration,
    done: impl Future<Output = ()>,
) where
    A: Actor<Context = Context<A>>,
{
    let killed = async { while told(manner).await != Manner::Kill {} };
    let words = async {
        tokio::select! {
            biased;
            () = killed => (),
            () = inside(life, mailbox) => (),
            () = done => (),
        }
    };
    // Whether it finished or its time is over, it ends.
    let _ = timeout(within, words).await;
}

/// Waits for the next order. A supervisor that is gone orders the end.
async fn told(manner: &mut watch::Receiver<Manner>) -> Manner {
    match manner.changed().await {
        Ok(()) => *manner.borrow_and_update(),
        Err(_) => Manner::Kill,
    }
}

/// Polls the actor, and marks when the thread is inside its code.
async fn inside<A>(life: &mut ContextFut<A, Context<A>>, mailbox: &Mailbox<A>)
where
    A: Actor<Context = Context<A>>,
{
    let inside = &mailbox.activity.inside;
    poll_fn(|task| {
        inside.store(true, Ordering::SeqCst);
        let polled: Poll<()> = Pin::new(&mut *life).poll(task);
        inside.store(false, Ordering::SeqCst);
        polled
    })
    .await;
}
