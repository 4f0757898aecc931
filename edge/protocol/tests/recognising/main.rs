//! What an unknown indicator speaks is found out from its bytes alone: which shipped protocol, or how it would be declared.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic, in its helpers too"
)]

mod detecting;
mod learning;
mod streams;
