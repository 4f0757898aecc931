//! `/mobile`: what the driver's app calls. Each driver sees what is the driver's own; the rest is not there.
//!
//! - [`queue`]: the place in the line
//! - [`records`]: weighings and slips
//! - [`share`]: a slip for somebody else
//! - [`notifications`]: what the driver was told, and the device that is told

pub mod notifications;
pub mod queue;
pub mod records;
pub mod share;
