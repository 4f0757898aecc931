//! Measures the product from outside: the release binaries, started as anybody would start them, on real ptys and sockets.
//!
//! ```text
//! latency    a weight's way from an indicator's cable to a screen, and a weighing's
//! calls      a call's way to a screen, to the board and to a phone, and pushes over one connection
//! weighing   how many weighings a server completes, and what one costs
//! backlog    how fast an edge that was cut off delivers what it kept
//! day        how well drivers are told how long they will wait, on simulated days without a server
//! decode     frames a core decodes, and readings the capture logic takes
//! ```
//! Each measurement is a module with a `measure` that answers [`figures::Measurement`]s; a further one is a further module.
//! They share:
//!
//! - [`stage`]: the folder and the processes of a run, all of which end with it
//! - [`site`]: a server with what it needs to know
//! - [`dashboard`]: a screen that notes what it is shown, and when
//! - [`edge`], [`link`], [`story`]: an edge that the bench itself is, its side of the link, and the events it tells
//! - [`cpu`], [`queries`], [`times`], [`figures`], [`machine`]: what is noted

pub mod backlog;
pub mod cpu;
pub mod dashboard;
pub mod day;
pub mod decode;
pub mod edge;
mod error;
pub mod figures;
pub mod latency;
pub mod link;
pub mod machine;
pub mod queries;
pub mod site;
pub mod stage;
pub mod story;
pub mod times;
pub mod weighing;

pub use error::{Incomplete, exit_code};
