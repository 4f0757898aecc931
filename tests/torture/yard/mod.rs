//! The site under fire.
//!
//! - [`world`]: server, PostgreSQL, edge, stations and trucks
//! - [`linked`]: whether the edge is linked
//! - [`process`]: a program that is killed, stopped and started again
//! - [`calls`]: trucks that check in, are called, and get a slip
//! - [`twin`]: a clone of the edge
//! - [`namespace`]: a network of its own for the edge
//! - [`proxy`]: what stands between edge and server, and is as bad as networks are
//! - [`judgement`]: whether the server has what the yard saw and the edge promised

pub mod calls;
pub mod judgement;
pub mod linked;
pub mod namespace;
pub mod process;
pub mod proxy;
pub mod twin;
pub mod world;
