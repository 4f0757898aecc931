//! The server's HTTP interface.

pub mod code;
pub mod envelope;
pub mod error;
pub mod hashing;
pub mod limit;
pub mod read;
pub mod refresh;
pub mod rules;
pub mod throttle;
pub mod tokens;
