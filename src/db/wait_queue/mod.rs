//! The waiting line of a site.
//!
//! - [`check_in`]: a truck joins the line
//! - [`call`]: the next truck, or a certain one, is called to a station
//! - [`leave`]: an entry ends without a weighing
//! - [`line`]: the line as people see it

pub mod call;
pub mod check_in;
pub mod leave;
pub mod line;

pub use call::{CallNext, Called, Refusal};
pub use check_in::{CheckIn, Joined, NotJoined};
pub use leave::{Cancel, ExpireCalls};
pub use line::{Entry, EntryById, Line, Lines};
