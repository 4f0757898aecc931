//! The server's HTTP interface.

pub mod answer;
pub mod auth;
pub mod code;
pub mod envelope;
pub mod error;
pub mod gate;
pub mod hashing;
pub mod limit;
pub mod live;
pub mod read;
pub mod refresh;
pub mod rules;
pub mod sessions;
pub mod throttle;
pub mod tickets;
pub mod tokens;
pub mod upgrade;
