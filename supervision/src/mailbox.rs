//! The mailbox of a supervised actor, and the letters in it.
//!
//! It is ours, not actix's, because it has to outlive the actor's value, to be bounded for every sender alike, to
//! tell its depth, and to be emptied from another thread when the actor's own thread is frozen.

use std::{
    any::type_name,
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use actix::{Actor, Handler, Message, dev::MessageResponse};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

#[cfg(feature = "chaos")]
use crate::chaos::Mischief;
use crate::survive::survive;

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
