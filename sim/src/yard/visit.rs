//! A truck that is about to drive onto a deck, and why.

use chrono::Utc;
use weighbridge_protocol::Kilograms;

use crate::{
    truck::{Habit, Truck},
    truth::{Pass, Stay},
};

/// One truck's way to one deck.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    pub truck: &'a Truck,
    pub station_id: i64,
    /// Its visit to the yard, from 0.
    pub number: u32,
    pub pass: Pass,
    /// What it weighs in truth.
    pub weight: Kilograms,
    /// None where it comes uncalled.
    pub call: Option<Call>,
}

/// Under which of the server's rows it was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub vehicle_id: i64,
    pub driver_id: i64,
    pub queue_id: i64,
    pub queue_number: i64,
}

impl<'a> Visit<'a> {
    /// A truck that nobody called.
    pub fn stranger(truck: &'a Truck, station_id: i64, number: u32) -> Self {
        Self {
            truck,
            station_id,
            number,
            pass: Pass::Stranger,
            weight: truck.weight(number, 0),
            call: None,
        }
    }

    /// A truck that obeys its call, for weighing `pass` (0 or 1) of its visit.
    pub fn called(truck: &'a Truck, station_id: i64, number: u32, pass: u32, call: Call) -> Self {
        let kind = match (truck.habit, pass) {
            (Habit::OnePass | Habit::Stranger, _) => Pass::One,
            (_, 0) => Pass::First,
            _ => Pass::Second,
        };
        Self {
            truck,
            station_id,
            number,
            pass: kind,
            weight: truck.weight(number, pass),
            call: Some(call),
        }
    }

    /// The stay as it begins now.
    pub(super) fn stay(&self) -> Stay {
        Stay {
            id: 0,
            station_id: self.station_id,
            plate: self.truck.plate.clone(),
            vehicle_id: self.call.map(|call| call.vehicle_id),
            driver_id: self.call.map(|call| call.driver_id),
            queue_id: self.call.map(|call| call.queue_id),
            queue_number: self.call.map(|call| call.queue_number),
            pass: self.pass,
            weight: self.weight,
            on_at: Utc::now(),
            stood_at: None,
            confirmed_at: None,
            clear_at: None,
        }
    }
}
