//! The server's HTTP interface.

pub mod code;
pub mod envelope;
pub mod error;
pub mod limit;
pub mod read;
pub mod rules;
pub mod tokens;
