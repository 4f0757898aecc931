//! The rows of a weighing as the domain's [`Ledger`], and back: locked, changed by the rules, written.
//!
//! - [`load`]: reads and locks, in the order that [`db`](super) explains
//! - [`names`]: names and codes, for who is told of a completed weighing
//! - [`parties`]: who and what the rows name
//! - [`save`]: what has changed; slip numbers come last, since their counter is what everyone waits for

pub(super) mod load;
pub(super) mod names;
mod parties;
pub mod save;
pub(super) mod slips;

pub use load::load;
pub use save::{Changes, save};

use crate::domain::weighing::Ledger;
pub use crate::domain::weighing::Wanted;

/// A ledger with what is needed to write it back.
#[derive(Debug)]
pub struct Loaded {
    pub ledger: Ledger,
    /// Each record's `weighed_at` as stored: the key of its partition.
    weighed_at: std::collections::BTreeMap<i64, chrono::DateTime<chrono::Utc>>,
}
