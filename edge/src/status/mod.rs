//! How the edge is, for whoever asks: by the socket in its data directory, and by a page of its own. Both work with the
//! server away, and neither changes anything.
//!
//! - [`report`]: what is told, gathered from all parts
//! - [`alarms`]: what of it needs a person
//! - [`socket`]: `weighbridge-edge status`
//! - [`page`]: the page for a browser

pub mod alarms;
pub mod page;
pub mod report;
pub mod socket;

pub use page::Page;
pub use report::{BoardSource, LampSource, Sources, StationSource};
pub use socket::{StatusSocket, ask};
