//! The buffer: every event on disk before anybody is told of it, and until the server has it.
//!
//! One SQLite file a data directory, written by one connection. An event has its identity `(epoch, seq)` from birth and
//! for ever; where a cycle stands commits with its event, so a kill at any instant neither doubles nor loses a weighing.
//!
//! - [`lock`]: one process a directory
//! - [`file`]: opening, checking, epochs; `salvage` makes a new file of a damaged one
//! - [`keeper`]: the actor that owns the file
//! - [`commit`]: what a station commits; [`events`] are its rows
//! - `store`: the file as the link's sender sees it
//! - `room`, `ballast`, `log`, `retention`: what happens when the disk is full, and what is let go in time

mod ballast;
pub mod commit;
mod error;
pub mod events;
pub mod file;
pub mod keeper;
pub mod lock;
mod log;
mod retention;
mod room;
mod salvage;
mod schema;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use error::{BufferError, NoSpace};
pub use file::{BufferFile, EpochRow, Opened, Salvaged};
pub use keeper::Buffer;
pub use lock::DirectoryLock;
pub use weighbridge_protocol::link::{Committed, Draft};

/// The version of the SQLite library that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
