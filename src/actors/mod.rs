//! The actors: who stands for what, and who tells and asks whom.
//!
//! ```text
//!  edge ══ws══▶ EdgeLink ─(events)──▶ Repository ─▶ database
//!                 │  └─(about to be stored)─▶ Indicator
//!                 ├─(readings)─▶ Indicator ─(weights, states, records)─▶ Live ─▶ every watching Session
//!                 └─(line moved)─▶ Queue ──(calls, board texts)──▶ EdgeLink
//!  Queue, EdgeLink, HTTP, Housekeeping ─(owed)─▶ Courier ─▶ ErpSync, Push, Messenger ─▶ others
//! ```
//!
//! - [`courier`]: what is owed to others, on its way
//! - [`erp_sync`]: takes what is owed to the ERP there
//! - [`directory`]: finds an actor by what it stands for
//! - [`edge_link`]: one connected edge
//! - [`housekeeping`]: partitions ahead of time, and what has outlived its use
//! - [`indicator`]: one station
//! - [`live`]: the topics of the live stream, written into every watching socket
//! - [`messenger`]: takes messages to people
//! - [`position`]: what a driver sees of the line
//! - [`push`]: takes pushes to drivers' phones
//! - [`queue`]: the waiting line of one site
//! - [`repository`]: the way to the database, asked by all
//! - [`screen`]: what a screen shows of all this
//! - [`session`]: one watching socket, and what its client asks for
//! - [`stations`]: starts what stands for stations and sites
//! - [`topics`]: where Live looks its topics up

#[cfg(feature = "chaos")]
pub mod chaos;
pub mod courier;
pub mod directory;
pub mod edge_link;
pub mod erp_sync;
pub mod housekeeping;
pub mod indicator;
pub mod live;
pub mod messenger;
pub mod position;
pub mod push;
pub mod queue;
pub mod repository;
pub mod screen;
pub mod session;
pub mod stations;
pub mod topics;
