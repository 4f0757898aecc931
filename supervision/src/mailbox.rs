//! The mailbox of a supervised actor.
//!
//! It is ours, not actix's, because it has to outlive the actor's value, to be bounded for every sender alike, to
//! tell its depth, and to be emptied from another thread when the actor's own thread is frozen.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

use actix::Actor;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

#[cfg(feature = "chaos")]
use crate::chaos::Mischief;
use crate::{
    envelope::{InHand, Letter},
    survive::survive,
};

/// Why a letter was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Down,
    Full,
}

/// What a mailbox does with letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Takes letters and hands them out.
    Open,
    /// Takes letters and keeps them for the actor's next value.
    Held,
    /// Takes no more, and hands out what it has.
    Emptying,
    /// Does neither.
    Closed,
}

/// What its reader finds in a mailbox.
pub(crate) enum Next<A> {
    Letter(Box<dyn Letter<A>>),
    Closed,
}

/// The letters that wait for one actor.
pub(crate) struct Mailbox<A: Actor> {
    capacity: usize,
    letters: Mutex<Letters<A>>,
    abandoned: AtomicBool,
    abandonment: Notify,
    emptied: Notify,
    /// Messages that this mailbox handed out and that are still being worked on.
    pub(crate) in_hand: Arc<InHand>,
    /// What the actor is doing right now.
    pub(crate) activity: Activity,
    #[cfg(feature = "chaos")]
    pub(crate) mischief: Arc<Mischief>,
}

struct Letters<A> {
    gate: Gate,
    queue: VecDeque<Box<dyn Letter<A>>>,
    reader: Option<Waker>,
}

/// What an actor's thread is doing for it at this moment.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Whether the thread is inside the actor's code.
    pub(crate) inside: AtomicBool,
    /// The message that was handed to it last.
    pub(crate) message: Mutex<Option<&'static str>>,
}

impl Activity {
    /// What the thread is or was doing, in words; forgotten with this.
    pub(crate) fn end(&self) -> &'static str {
        self.message.lock().take().unwrap_or("its start or a future of its own")
    }
}

impl<A: Actor> Mailbox<A> {
    pub(crate) fn new(capacity: usize, #[cfg(feature = "chaos")] mischief: Arc<Mischief>) -> Self {
        Self {
            #[cfg(feature = "chaos")]
            mischief,
            capacity,
            letters: Mutex::new(Letters {
                gate: Gate::Open,
                queue: VecDeque::new(),
                reader: None,
            }),
            abandoned: AtomicBool::new(false),
            abandonment: Notify::new(),
            emptied: Notify::new(),
            in_hand: Arc::default(),
            activity: Activity::default(),
        }
    }

    /// How many letters wait.
    pub(crate) fn depth(&self) -> usize {
        self.letters.lock().queue.len()
    }

    /// Puts a letter at the end of the queue.
    pub(crate) fn post(&self, letter: Box<dyn Letter<A>>) -> Result<(), Refused> {
        let mut letters = self.letters.lock();
        if matches!(letters.gate, Gate::Emptying | Gate::Closed) {
            return Err(Refused::Down);
        }
        if letters.queue.len() >= self.capacity {
            return Err(Refused::Full);
        }
        letters.queue.push_back(letter);
        wake(letters);
        Ok(())
    }

    /// Puts a letter before all others, whether or not there is room, and takes no more after it.
    pub(crate) fn post_last_and_first(&self, letter: Box<dyn Letter<A>>) {
        let mut letters = self.letters.lock();
        if letters.gate == Gate::Closed {
            return;
        }
        letters.gate = Gate::Emptying;
        letters.queue.push_front(letter);
        wake(letters);
    }

    /// The next letter; without one the reader is woken when that changes.
    pub(crate) fn poll_next(&self, reader: &Waker) -> Poll<Next<A>> {
        let mut letters = self.letters.lock();
        let letter = match letters.gate {
            Gate::Closed => return Poll::Ready(Next::Closed),
            Gate::Held => None,
            Gate::Open | Gate::Emptying => letters.queue.pop_front(),
        };
        if let Some(letter) = letter {
            return Poll::Ready(Next::Letter(letter));
        }
        letters.reader = Some(reader.clone());
        if letters.gate == Gate::Emptying {
            self.emptied.notify_waiters();
        }
        Poll::Pending
    }

    /// Hands out letters again, after [`Mailbox::hold`].
    pub(crate) fn open(&self) {
        self.turn(Gate::Open);
    }

    /// Keeps what comes for the actor's next value.
    pub(crate) fn hold(&self) {
        self.turn(Gate::Held);
    }

    /// Refuses what comes, and waits until what is there has been handed out and finished.
    pub(crate) async fn empty(&self) {
        self.turn(Gate::Emptying);
        loop {
            let emptied = self.emptied.notified();
            if self.depth() == 0 {
                break;
            }
            emptied.await;
        }
        self.in_hand.finished().await;
    }

    fn turn(&self, gate: Gate) {
        let mut letters = self.letters.lock();
        letters.gate = match letters.gate {
            Gate::Closed => return,
            // Nobody comes after a value that emptied its mailbox: there is nothing to keep letters for.
            Gate::Emptying if gate == Gate::Held => Gate::Closed,
            Gate::Open | Gate::Held | Gate::Emptying => gate,
        };
        wake(letters);
    }

    /// Ends this mailbox: what waits in it is dropped, and whoever waits for an answer learns that none will come.
    pub(crate) fn abandon(&self) {
        let mut letters = self.letters.lock();
        letters.gate = Gate::Closed;
        let left = mem::take(&mut letters.queue);
        wake(letters);
        self.abandoned.store(true, Ordering::SeqCst);
        self.abandonment.notify_waiters();
        for letter in left {
            // The message is its author's code, whose drop may panic; whose thread this is has nothing to do with it.
            if let Err(panic) = survive(|| drop(letter)) {
                tracing::warn!("a message panicked while it was dropped: {panic}");
            }
        }
    }

    /// Waits until this mailbox is abandoned.
    pub(crate) async fn abandoned(&self) {
        let abandonment = self.abandonment.notified();
        if !self.abandoned.load(Ordering::SeqCst) {
            abandonment.await;
        }
    }
}

/// Wakes the reader, once the letters are free for it.
fn wake<A>(mut letters: MutexGuard<'_, Letters<A>>) {
    let reader = letters.reader.take();
    drop(letters);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use actix::Context;
    use futures_util::FutureExt;

    use super::*;

    struct Nobody;

    impl Actor for Nobody {
        type Context = Context<Self>;
    }

    struct Blank;

    impl Letter<Nobody> for Blank {
        fn deliver(self: Box<Self>, _: &mut Nobody, _: &mut Context<Nobody>, _: &Arc<InHand>) {}

        fn name(&self) -> &'static str {
            "blank"
        }
    }

    fn mailbox() -> Mailbox<Nobody> {
        Mailbox::new(
            2,
            #[cfg(feature = "chaos")]
            Arc::default(),
        )
    }

    fn takes(mailbox: &Mailbox<Nobody>) -> Option<Box<dyn Letter<Nobody>>> {
        match mailbox.poll_next(Waker::noop()) {
            Poll::Ready(Next::Letter(letter)) => Some(letter),
            Poll::Ready(Next::Closed) | Poll::Pending => None,
        }
    }

    #[test]
    fn a_held_mailbox_keeps_letters_for_the_next_reader() {
        let mailbox = mailbox();
        mailbox.hold();
        assert_eq!(mailbox.post(Box::new(Blank)), Ok(()));
        assert!(takes(&mailbox).is_none());
        mailbox.open();
        assert!(takes(&mailbox).is_some());
    }

    #[test]
    fn a_mailbox_that_was_emptied_never_takes_a_letter_again() {
        let mailbox = mailbox();
        assert_eq!(mailbox.post(Box::new(Blank)), Ok(()));
        let mut emptied = Box::pin(mailbox.empty());
        assert_eq!(emptied.as_mut().now_or_never(), None);
        assert_eq!(mailbox.post(Box::new(Blank)), Err(Refused::Down));
        assert!(takes(&mailbox).is_some() && takes(&mailbox).is_none());
        assert_eq!(emptied.now_or_never(), Some(()));
        mailbox.hold();
        assert_eq!(mailbox.post(Box::new(Blank)), Err(Refused::Down));
    }

    #[test]
    fn an_abandoned_mailbox_drops_what_waits_and_says_so() {
        let mailbox = mailbox();
        assert_eq!(mailbox.post(Box::new(Blank)), Ok(()));
        assert_eq!(mailbox.abandoned().now_or_never(), None);
        mailbox.abandon();
        assert_eq!((mailbox.depth(), mailbox.abandoned().now_or_never()), (0, Some(())));
        mailbox.open();
        assert_eq!(mailbox.post(Box::new(Blank)), Err(Refused::Down));
    }
}
