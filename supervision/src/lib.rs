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

#[cfg(feature = "chaos")]
mod chaos;
mod child;
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
pub use temporary::{Ending, Enlisted, Temporary};
pub use tree::Tree;
