//! The weighings as people read them.
//!
//! - [`item`]: one record as it stands in a list
//! - [`detail`]: one record with its story
//! - [`list`]: records of some days, by plate, driver or status

pub mod detail;
pub mod item;
pub mod list;

pub use detail::{Detail, DetailOf};
pub use item::{Item, Items, Newest};
pub use list::{Filter, RecordsBetween};
