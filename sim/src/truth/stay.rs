//! One stay of one truck on a deck, from zero to zero. It is to become exactly one weighing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use weighbridge_protocol::Kilograms;

/// What the yard knows about a stay. Times are the wall clock of the yard's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// Unique within its history; counts from 1.
    pub id: u64,
    pub station_id: i64,
    pub plate: String,
    /// The server's ids, where the truck was called.
    pub vehicle_id: Option<i64>,
    pub driver_id: Option<i64>,
    pub queue_id: Option<i64>,
    pub queue_number: Option<i64>,
    pub pass: Pass,
    /// What the truck weighs in truth.
    pub weight: Kilograms,
    /// The first axle rolled on.
    pub on_at: DateTime<Utc>,
    /// It stood.
    pub stood_at: Option<DateTime<Utc>>,
    /// The board said "저장". None where the truck gave up waiting, and while it waits.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The last axle was off.
    pub clear_at: Option<DateTime<Utc>>,
}

/// Which weighing of its visit this is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// The only one: its tare is registered.
    #[default]
    One,
    First,
    Second,
    /// Nobody called it.
    Stranger,
}

impl Stay {
    /// Whether the board told the driver that it was stored: from then on it may not be lost.
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed_at.is_some()
    }
}
