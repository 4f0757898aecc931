//! The rules, without actor, SQL, HTTP or clock: values come in, values go out, time is an argument.
//!
//! - [`edge_time`]: when an edge's event took place
//! - [`intake`]: what the server makes of an event's identity: stored, duplicate, conflict or gap
//! - [`outbox`]: what must reach others
//! - [`overload`]: whether a load is legal
//! - [`slip`]: slip numbers and the local day
//! - [`weighing`]: what an event does to calls, records and captures

pub mod edge_time;
pub mod intake;
pub mod outbox;
pub mod overload;
pub mod slip;
pub mod weighing;
