//! Runs truck weighbridges.

pub mod actors;
pub mod clients;
pub mod config;
pub mod db;
pub mod domain;
pub mod http;
pub mod keys;
pub mod startup;
pub mod telemetry;
