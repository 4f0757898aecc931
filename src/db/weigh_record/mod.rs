//! The weighings as people read them.
//!
//! - [`item`]: one record as it stands in a list
//! - [`list`]: records of some days, by plate, driver or status

pub mod item;
pub mod list;

pub use item::{Item, Items, Newest};
pub use list::{Filter, Page, RecordsBetween};
