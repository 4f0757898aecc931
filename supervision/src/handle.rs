//! What others hold of a supervised actor.

use std::{any::type_name, fmt, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Handler, Message};
use arc_swap::ArcSwapOption;
use thiserror::Error;
use tokio::time::sleep;

#[cfg(feature = "chaos")]
use crate::chaos::Mischief;
use crate::{
    Listener,
    envelope::Envelope,
    fence,
    mailbox::{Mailbox, Refused},
};

/// Why an ask has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AskError {
    /// The actor has failed or ended, or the asker's own thread was given up; the message was not taken.
    #[error("the actor is down")]
    Down,
    /// The actor's mailbox is full; the message was not taken.
    #[error("the actor's mailbox is full")]
    Full,
    /// The actor ended before it answered. What the message was to do may have happened or not.
    #[error("the actor ended before it answered")]
    Crashed,
    /// No answer came within the time given. What the message was to do may have happened, may happen yet, or not.
    #[error("the actor did not answer in time")]
    TimedOut,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TellError {
    /// The actor has failed or ended, or the teller's own thread was given up.
    #[error("the actor is down")]
    Down,
    /// The actor's mailbox is full.
    #[error("the actor's mailbox is full")]
    Full,
}

/// A stable address: it stays valid through every restart of its actor, and always answers.
pub struct Handle<A: Actor> {
    slot: Arc<Slot<A>>,
}

/// Where an actor's mailbox stands; empty while the actor is down.
pub(crate) struct Slot<A: Actor> {
    pub(crate) name: Arc<str>,
    pub(crate) mailbox: ArcSwapOption<Mailbox<A>>,
    #[cfg(feature = "chaos")]
    pub(crate) mischief: Arc<Mischief>,
}

impl<A: Actor> Slot<A> {
    /// The slot of the actor of this name, without a mailbox.
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            mailbox: ArcSwapOption::empty(),
            #[cfg(feature = "chaos")]
            mischief: Arc::default(),
        }
    }

    /// Gives the actor an empty mailbox; one it had before is abandoned.
    pub(crate) fn new_mailbox(&self, capacity: usize) -> Arc<Mailbox<A>> {
        let mailbox = Arc::new(Mailbox::new(
            capacity,
            #[cfg(feature = "chaos")]
            Arc::clone(&self.mischief),
        ));
        if let Some(old) = self.mailbox.swap(Some(Arc::clone(&mailbox))) {
            old.abandon();
        }
        mailbox
    }

    /// From now on handles answer `Down`, and whoever still waits for an answer learns that none will come.
    pub(crate) fn close(&self) {
        if let Some(mailbox) = self.mailbox.swap(None) {
            mailbox.abandon();
        }
    }
}

impl<A> Handle<A>
where
    A: Actor,
    A::Context: AsyncContext<A>,
{
    pub(crate) fn new(slot: Arc<Slot<A>>) -> Self {
        Self { slot }
    }

    /// Sends `message` and waits for its answer, at most `within`.
    pub async fn ask<M>(&self, message: M, within: Duration) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let mailbox = self.mailbox().ok_or(AskError::Down)?;
        let (envelope, answer) = Envelope::asked(message);
        mailbox.post(Box::new(envelope)).map_err(|refused| match refused {
            Refused::Down => AskError::Down,
            Refused::Full => AskError::Full,
        })?;
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| AskError::Crashed),
            () = mailbox.abandoned() => Err(AskError::Crashed),
            () = sleep(within) => Err(AskError::TimedOut),
        }
    }

    /// Sends `message` without waiting for anything.
    pub fn tell<M>(&self, message: M) -> Result<(), TellError>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let mailbox = self.mailbox().ok_or(TellError::Down)?;
        mailbox
            .post(Box::new(Envelope::told(message)))
            .map_err(|refused| match refused {
                Refused::Down => TellError::Down,
                Refused::Full => TellError::Full,
            })
    }

    /// This handle, narrowed to one message to announce.
    pub fn listener<M>(&self) -> Listener<M>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let handle = self.clone();
        Listener::new(self.name(), move |message| handle.tell(message))
    }

    /// The actor's name in the tree.
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// How many messages wait for it.
    pub fn depth(&self) -> usize {
        self.slot.mailbox.load().as_ref().map_or(0, |mailbox| mailbox.depth())
    }

    pub(crate) fn slot(&self) -> &Slot<A> {
        &self.slot
    }

    /// The mailbox, unless the actor is down or this thread may no longer speak.
    fn mailbox(&self) -> Option<Arc<Mailbox<A>>> {
        if fence::refuses() {
            None
        } else {
            self.slot.mailbox.load_full()
        }
    }
}

impl<A: Actor> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self {
            slot: Arc::clone(&self.slot),
        }
    }
}

impl<A: Actor> fmt::Debug for Handle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("actor", &type_name::<A>())
            .field("name", &self.slot.name)
            .finish()
    }
}
