//! What tests stand on.
//!
//! - [`database`]: a database of its own for each test
//! - [`folder`]: a folder of its own, which others may enter

pub mod database;
pub mod folder;
