//! What supervision promises, tried with real arbiters; a file per capability.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod administrating;
mod asking;
#[cfg(feature = "chaos")]
mod breaking;
mod draining;
mod enduring;
mod failing;
mod following;
mod freezing;
mod lodging;
mod restarting;
mod support;
