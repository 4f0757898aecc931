//! One life of a supervised actor, from the making of its value to its end, on the actor's own arbiter.

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, dev::ContextFut};
use futures_util::FutureExt;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    mailbox::Mailbox,
    orders::{Manner, Orders},
    pump::Pump,
    survive::{panic_text, survive},
};

/// What is heard of a life. When nothing more comes without an `Ended`, its arbiter is gone.
#[derive(Debug)]
pub(crate) enum LifeNews {
    /// It is through its `started()`.
    Up,
    /// It is over.
    Ended(Exit),
}

/// How an actor ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Its code panicked: when, and with what words.
    Panicked(String),
    /// It stopped itself.
    Stopped,
    /// It was asked to.
    Asked,
}

/// What a life needs.
pub(crate) struct Birth<A: Actor> {
    pub(crate) mailbox: Arc<Mailbox<A>>,
    pub(crate) orders: Arc<Orders>,
    /// Who hears that it is up.
    pub(crate) news: Option<mpsc::UnboundedSender<LifeNews>>,
}

/// Lives one life of the actor that `make` makes, and tells how it ended. No panic of the actor's code leaves here.
pub(crate) fn live<A>(make: impl FnOnce() -> A, birth: Birth<A>) -> impl Future<Output = Exit>
where
    A: Actor<Context = Context<A>>,
{
    let Birth { mailbox, orders, news } = birth;
    let born = survive(make).map(|actor| {
        let mut ctx = Context::new();
        ctx.spawn(Pump::new(Arc::clone(&mailbox), news));
        // Boxed, or the futures around it would keep room for it several times over.
        Box::new(ctx.into_future(actor))
    });
    async move {
        match born {
            Ok(life) => live_and_end(life, &mailbox, &orders).await,
            Err(panic) => Exit::Panicked(format!("while its value was made: {panic}")),
        }
    }
}

async fn live_and_end<A>(mut life: Box<ContextFut<A, Context<A>>>, mailbox: &Mailbox<A>, orders: &Orders) -> Exit
where
    A: Actor<Context = Context<A>>,
{
    mailbox.open();
    let lived = AssertUnwindSafe(live_until_told(&mut life, mailbox, orders))
        .catch_unwind()
        .await;
    mailbox.hold();
    let exit = match lived {
        Ok(exit) => exit,
        Err(panic) => {
            // A torn value is not asked for its `stopping()`.
            life.ctx().terminate();
            Exit::Panicked(format!("during {}: {}", mailbox.activity.end(), panic_text(&*panic)))
        }
    };
    // For an actor that was asked to end this runs `stopping()` and `stopped()`.
    match survive(|| drop(life)) {
        Ok(()) => exit,
        Err(panic) => Exit::Panicked(format!("while it ended: {panic}")),
    }
}

async fn live_until_told<A>(life: &mut ContextFut<A, Context<A>>, mailbox: &Mailbox<A>, orders: &Orders) -> Exit
where
    A: Actor<Context = Context<A>>,
{
    let manner = tokio::select! {
        biased;
        manner = orders.next() => manner,
        () = inside(life, mailbox) => return Exit::Stopped,
    };
    // The last words are boxed: they are few, and thousands of living actors would keep room for them.
    match manner {
        Manner::Finish(within) => {
            mailbox.hold();
            Box::pin(last_words(life, mailbox, orders, within, mailbox.in_hand.finished())).await;
        }
        Manner::Empty(within) => Box::pin(last_words(life, mailbox, orders, within, mailbox.empty())).await,
        Manner::Kill => (),
    }
    Exit::Asked
}

/// Lets the actor live until `done`, its own end, a kill, or `within` has passed.
async fn last_words<A>(
    life: &mut ContextFut<A, Context<A>>,
    mailbox: &Mailbox<A>,
    orders: &Orders,
    within: Duration,
    done: impl Future<Output = ()>,
) where
    A: Actor<Context = Context<A>>,
{
    let killed = async { while orders.next().await != Manner::Kill {} };
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

/// Polls the actor, and marks when the thread is inside its code.
async fn inside<A>(life: &mut ContextFut<A, Context<A>>, mailbox: &Mailbox<A>)
where
    A: Actor<Context = Context<A>>,
{
    let inside = &mailbox.activity.inside;
    poll_fn(|task| {
        inside.store(true, Ordering::SeqCst);
        let polled = Pin::new(&mut *life).poll(task);
        inside.store(false, Ordering::SeqCst);
        polled
    })
    .await;
}
