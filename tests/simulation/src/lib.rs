//! Edge and server without I/O, threads or clock: trucks drive over decks, and all that may go wrong goes wrong, as a seed
//! draws it. Both sides are the real rules: `weighbridge-protocol` for the edge, `src/domain` for the server.
//!
//! - [`world`]: all there is, and the steps that it takes; [`yard`] are its trucks and decks
//! - [`edge`]: an edge's process, file and machine; [`file`] its buffer as the sender sees it; [`socket`] what lies between
//! - [`server`]: nodes and what they do with a hello, with events and with readings; [`database`] what they share
//! - [`faults`]: what goes wrong
//! - [`schedule`]: which steps a seed draws; [`run`] takes them, heals, drains and shrinks; [`check`] says what must hold
//! - [`breaks`]: bugs that can be planted and rules that can be left out, to prove that the simulation would find them

pub mod breaks;
pub mod chance;
pub mod check;
pub mod database;
pub mod domain;
pub mod edge;
pub mod faults;
pub mod file;
pub mod gateway;
pub mod run;
pub mod schedule;
pub mod server;
pub mod socket;
pub mod world;
pub mod yard;
