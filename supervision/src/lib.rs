//! Supervised actix actors: a stable address, a bounded mailbox, and a fresh value after every fall.
//!
//! ```
//! use std::time::Duration;
//! use actix::{Actor, Context, Handler, Message};
//! use weighbridge_supervision::{AskError, Policy, Spec, Tree};
//!
//! #[derive(Message)]
//! #[rtype(result = "u32")]
//! struct Add(u32);
//!
//! /// Counts, and cannot stand thirteen.
//! struct Counter {
//!     total: u32,
//! }
//!
//! impl Actor for Counter {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<Add> for Counter {
//!     type Result = u32;
//!
//!     fn handle(&mut self, Add(number): Add, _: &mut Context<Self>) -> u32 {
//!         assert_ne!(number, 13);
//!         self.total += number;
//!         self.total
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! actix_rt::System::new().block_on(async {
//!     let tree = Tree::new(Policy::default(), |why| panic!("{why}"))?;
//!     let counter = tree.start(Spec::new("counter", "counter-1"), || Counter { total: 0 })?;
//!     let soon = Duration::from_secs(5);
//!
//!     assert_eq!(counter.ask(Add(2), soon).await, Ok(2));
//!     assert_eq!(counter.ask(Add(13), soon).await, Err(AskError::Crashed));
//!     assert_eq!(counter.ask(Add(4), soon).await, Ok(4), "a fresh value behind the same handle");
//!     # Ok(())
//! })
//! # }
//! ```
//!
//! # What is promised
//! - **A handle always answers.** The message was not taken (`Down`, `Full`), or it was answered, or its actor ended
//!   first (`Crashed`), or time ran out (`TimedOut`). A mailbox takes so many messages and no more, asked or told.
//! - **A fall is one message's trouble.** A panic crashes the message in hand and what the actor spawned. Its value is
//!   made anew by its factory and reads the same mailbox, after 50 ms, 100 ms, 200 ms … (± 20 %). The sixth fall within
//!   30 s is FAILED: `Down`, and tried again after 1, 2, 4 … 60 s until it has been up for 30 s.
//! - **No message is handed over twice.** A panic may come after its effect, so the tree never repeats a message. Who
//!   needs it again asks again under a key of its own, by which the receiver knows what it has done already, and after
//!   the third `Crashed` sets it aside: it is poison. Between the attempts other messages have their turn.
//! - **A frozen thread is replaced.** Its actors start anew on another arbiter with empty mailboxes; who waits for an
//!   answer from the old ones learns `Crashed`. What wakes late on the old thread finds every handle `Down`. Only the
//!   actor that froze it has failed. Work given to a pool of blocking threads is not covered: it needs a time limit.
//! - **An administrator's restart** costs callers a delay and nothing else. It finishes what is in hand: a message
//!   whose answer is still being worked on, in whatever kind of future. What an actor spawned beside its answers is not
//!   waited for.
//! - **Temporary children** hold a socket and are not restarted; when one ends, for whatever reason, its socket is told.
//!
//! Two panics at once (a destructor that panics while a panic unwinds) end the process, as everywhere in Rust.
//!
//! # What is not mended
//! A supervisor fails when the keeper of one of its children panics, which is a mistake in
//! this crate, or, for `root`, when the system refuses the thread for a new arbiter. Three times in a minute is an
//! [`Escalation`], and so is an arbiter that holds sockets and is silent for 15 s: the process has to end, and does so
//! with exit code 70.
//!
//! # Where to find what
//! | file | holds |
//! |---|---|
//! | `tree`, `spec`, `registry`, `snapshot` | starting, finding, listing and ending children |
//! | `handle`, `listener` | what others hold of an actor |
//! | `envelope`, `mailbox`, `pump` | letters, where they wait, and what carries them into the actor's context |
//! | `child`, `incarnation`, `orders` | one life of an actor, on its own arbiter |
//! | `node`, `keeper`, `policy` | what is known of a permanent child, and what is decided about it, on the tree's arbiter |
//! | `restart` | restarts by an administrator |
//! | `temporary`, `guest` | children that come and go with a socket |
//! | `place`, `watch`, `fence` | arbiters, their signs of life, and keeping out what wakes late |
//! | `supervisor`, `escalation` | what supervision itself cannot mend |

#[cfg(feature = "chaos")]
mod chaos;
mod child;
mod envelope;
mod escalation;
mod fence;
mod guest;
mod handle;
mod incarnation;
mod keeper;
mod listener;
mod mailbox;
mod node;
mod orders;
mod place;
mod policy;
mod pump;
mod registry;
mod restart;
mod snapshot;
mod spec;
mod supervisor;
mod survive;
mod temporary;
mod tree;
mod watch;

#[cfg(feature = "chaos")]
pub use chaos::Moment;
pub use escalation::Escalation;
pub use fence::retired;
pub use handle::{AskError, Handle, TellError};
pub use listener::Listener;
pub use node::{State, Status};
pub use policy::Policy;
pub use restart::{Mode, RestartError, RestartId, Restarted};
pub use snapshot::ActorRow;
pub use spec::{Spec, StartError};
pub use temporary::{Ending, Enlisted, Guard, Temporary};
pub use tree::Tree;
