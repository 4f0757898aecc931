//! When a vehicle has been weighed: readings go in with their times, events come out, and nothing else is looked at,
//! so that edge, server and a replay of the same readings give the same answer.
//!
//! One cycle from zero to zero is one weighing. A vehicle drives on when two readings in a row show
//! `min_weight_kg`; its weight settles when all
//! readings of `dwell_ms` lie within `tolerance_kg` and none of them says that it moves; the caller commits that; and
//! nothing is captured again until the deck was seen below `rearm_below_kg` for `leave_ms`, or staff said so ([`Scale::rearm`]).
//!
//! - [`Scale`]: the logic; [`ScaleEvent`] is what it tells
//! - [`CycleState`]: what of it must outlive the process
//! - [`settings`]: what a site may set
//! - [`Unfit`]: what of the server's wishes does not fit a station

mod absence;
mod capturing;
mod curve;
mod cycle_state;
mod deck;
mod events;
mod fitting;
pub mod settings;
mod window;

pub use capturing::{Scale, ScaleError};
pub use cycle_state::{CycleState, Deck, Moment, OpenCycle, Outage};
pub use events::{ScaleEvent, Settled};
pub use fitting::Unfit;
pub use settings::{CaptureOverrides, CaptureSettings, SettingsError};
