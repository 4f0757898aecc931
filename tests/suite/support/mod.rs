//! What tests stand on.
//!
//! - [`database`]: a database of its own for each test
//! - [`folder`]: a folder of its own, which others may enter
//! - [`server`]: a whole server, and a client that speaks to it

pub mod database;
pub mod folder;
pub mod server;
