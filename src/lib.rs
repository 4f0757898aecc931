//! Runs truck weighbridges.

pub mod domain;
