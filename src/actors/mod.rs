//! The actors: who stands for what, and who tells and asks whom.
//!
//! - [`live`]: the topics of the live stream, written into every watching socket; told by all who change something
//! - [`repository`]: the way to the database, asked by all
//! - [`session`]: one watching socket and what its client asks for; writes nothing of its own, Live does

pub mod live;
pub mod repository;
pub mod session;
