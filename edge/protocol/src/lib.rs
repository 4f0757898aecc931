//! What an edge and the server must agree on. No clock, no chance, no I/O: bytes and times come in, values go out.
//!
//! - [`kilograms`]: the one weight type
//! - [`identity`]: epochs, cycles and link sessions
//! - [`indicators`]: how each maker writes them, declared
//! - [`reading`]: what one frame of an indicator says
//! - [`recognition`]: what an unknown indicator speaks
//! - [`scale`]: when a vehicle has been weighed
//! - [`link`]: what edge and server say to each other

mod frame;
pub mod identity;
pub mod indicators;
pub mod kilograms;
pub mod link;
pub mod reading;
pub mod recognition;
pub mod scale;

pub use identity::{CycleId, Epoch, LinkSession};
pub use kilograms::Kilograms;
