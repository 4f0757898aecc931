//! The yard's own record of the truth: which truck stood on which deck, what it weighed, and what the board told it.
//!
//! - [`stay`]: one stay on a deck, from zero to zero
//! - [`history`]: the file that they are written to, a JSON object a line
//! - [`compare`]: what the server made of them: nothing lost, nothing twice, nothing altered
//! - [`server`]: what the server has, read from its database

pub mod compare;
mod findings;
pub mod history;
pub mod server;
pub mod stay;

pub use compare::compare;
pub use findings::{Finding, Verdict};
pub use history::{History, Outcome};
pub use server::ServerSide;
pub use stay::{Pass, Stay};
