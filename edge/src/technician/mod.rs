//! The technician's tools: they open a port for themselves, look and listen, and weigh nothing.
//!
//! - [`listening`]: a port read for a while, asked where asking is needed
//! - [`detect`]: which line setting and protocol an indicator speaks; [`report`] says it
//! - [`learn`]: a declaration from bytes and a few weights off the display
//! - [`monitor`]: what comes in, live
//! - [`rehearsal`]: the capture logic, where a settled weight counts as committed

pub mod detect;
pub mod learn;
pub mod listening;
pub mod monitor;
pub mod rehearsal;
pub mod report;
