//! What an event of an edge does to calls, records and captures.
//!
//! - [`ledger`]: the rows that are locked for a group of events, and what has changed on them
//! - [`apply`]: one event folded into the ledger
//! - [`belonging`]: which call a capture belongs to, if any
//! - [`examine`]: whether its text can be understood
//! - [`legible`]: what can be read of it whatever else is wrong
//! - [`passes`]: what a weight makes of a record: first pass, or complete
//! - [`review`]: why staff should look at a record
//! - [`deck`]: whether a vehicle stands on a station's deck
//! - [`leaving`]: how a call ends
//! - [`completed`]: a completed record's slip number and messages
//! - [`correct`]: what staff put right on a completed record
//! - [`wanted`]: what must be locked before
//! - [`receipt`]: what an edge is told of a capture, and what of that is believed
//! - [`restored`]: what a receipt brings back after a database was restored
//!
//! All of it runs inside the transaction, on rows locked there; no actor's memory is an input.

pub mod apply;
pub mod belonging;
pub mod completed;
pub mod correct;
pub mod deck;
pub mod examine;
pub mod leaving;
pub mod ledger;
pub mod legible;
pub mod passes;
mod receipt;
pub mod restored;
pub mod review;
#[cfg(test)]
mod scenarios;
pub mod wanted;

pub use apply::{Arrival, Fate, apply};
pub use examine::{Examined, HEAVIEST, Reason, examine};
pub use ledger::Ledger;
pub use legible::{Legible, legible};
pub use restored::last_record_id;
pub use wanted::Wanted;
