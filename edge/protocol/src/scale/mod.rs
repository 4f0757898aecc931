//! When a vehicle has been weighed.

pub mod settings;

pub use settings::{CaptureOverrides, CaptureSettings};
