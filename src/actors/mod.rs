//! The actors: who stands for what, and who tells and asks whom.
//!
//! - [`repository`]: the way to the database, asked by all
pub mod repository;
