//! The weighings as people read them.
//!
//! - [`item`]: one record as it stands in a list
//! - [`detail`]: one record with its story
//! - [`list`]: records of some days, by plate, driver or status
//! - [`held`]: a record under its lock, with all that hangs on it
//! - [`void`]: a record does not count any more
//! - [`correct`]: another one takes its place
//! - [`slip`]: a slip as its driver sees it

pub mod correct;
pub mod detail;
mod held;
pub mod item;
pub mod list;
pub mod slip;
pub mod void;

pub use correct::{CorrectRecord, Corrected};
pub use detail::{Detail, DetailOf};
pub use item::{Item, Items, Newest};
pub use list::{Filter, RecordsBetween};
pub use slip::{Issuer, OwnSlip, SlipOf};
pub use void::VoidRecord;
