//! The gateway beside the scales: bytes of an indicator become weighings that are on disk before anybody is told.
//!
//! [`port`] → [`indicator`] → [`scale`] → [`buffer`] ⇒ [`link`]; beside them [`board`], [`lamp`] and [`status`]. [`run`] wires them.
//! [`lines`] is what boards say, in the languages of [`words`]; [`notify`] what systemd is told; [`cli`], [`config`], [`exit`],
//! [`clock`] and [`telemetry`] are the process around them.
//! [`technician`] has the tools with which a port is looked at before it weighs.

pub mod board;
pub mod buffer;
pub mod cli;
pub mod clock;
pub mod config;
pub mod exit;
pub mod indicator;
pub mod lamp;
pub mod lines;
pub mod link;
pub mod notify;
pub mod port;
pub mod run;
pub mod scale;
pub mod status;
pub mod technician;
pub mod telemetry;
pub mod words;
