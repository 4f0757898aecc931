//! The waiting line of a site.
//!
//! - [`check_in`]: a truck joins the line
//! - [`call`]: the next truck, or a certain one, is called to a station, or called again
//! - [`acknowledge`]: a driver says that he comes
//! - [`leave`]: an entry ends without a weighing
//! - [`back`]: an entry comes back to the head of the line, or lets the next one go first
//! - [`order`]: an entry is moved within the line
//! - [`line`]: the line as people see it; [`estimate`]: how long it takes yet
//! - [`stands`]: whether a driver is called again
//! - [`held`]: an entry under its lock, and what comes of changing it; [`news`]: what drivers are told
//!
//! Locks are taken in the order of every transaction: see [`db`](super).

pub mod acknowledge;
pub mod back;
pub mod call;
pub mod check_in;
mod estimate;
mod held;
pub mod leave;
pub mod line;
mod news;
pub mod order;
pub mod stands;

pub use acknowledge::Acknowledge;
pub(super) use back::to_head;
pub use back::{Return, Skip};
pub use call::{CallNext, CallStands, Called, Recall};
pub(super) use check_in::leave_out;
pub use check_in::{CheckIn, Joined, NotJoined};
pub use held::{Changed, Done, Refusal};
pub(super) use held::{open_record, or_already_queued, vehicle_is_queued};
pub(super) use leave::withdraw_from;
pub use leave::{Cancel, ExpireCalls, PauseDeadlines, Sight};
pub use line::{Entry, EntryById, EntryOf, Line, Lines};
pub(super) use news::withdraw;
pub use order::Move;
pub use stands::CalledAgain;
