//! What lies on a deck now: at most one truck, and whatever else was laid there.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    SimError,
    chance::{Chance, ripple},
    curve::Curve,
};

/// The deck of one station, shared by the truck on it and the indicator under it.
#[derive(Debug)]
pub struct Deck {
    on_it: Mutex<OnIt>,
    chance: Chance,
    since: Instant,
}

#[derive(Debug, Default)]
struct OnIt {
    truck: Option<(Curve, Instant, Option<Instant>)>,
    /// Debris, or a weight set by hand, in kilograms.
    lying: f64,
}

impl Deck {
    /// An empty deck. Its zero drifts by a few kilograms, as `chance` will have it.
    pub fn new(chance: Chance) -> Self {
        Self {
            on_it: Mutex::default(),
            chance,
            since: Instant::now(),
        }
    }

    /// Kilograms on the load cells.
    pub fn load(&self, now: Instant) -> f64 {
        let mut on_it = self.on_it.lock();
        let lying = on_it.lying + 5.0 * ripple(self.chance, now - self.since, Duration::from_secs(40));
        let Some((curve, on, off)) = &on_it.truck else {
            return lying;
        };
        let gone_for = off.map(|off| now.saturating_duration_since(off));
        let load = curve.load(now.saturating_duration_since(*on), gone_for);
        if gone_for.is_some_and(|gone| gone > curve.driving_off()) {
            on_it.truck = None;
        }
        load + lying
    }

    /// The truck's front axle rolls over the edge now. Answers how long it takes until it stands.
    ///
    /// # Errors
    /// Where another truck is still there.
    pub fn drive_on(&self, curve: Curve) -> Result<Duration, SimError> {
        let mut on_it = self.on_it.lock();
        let now = Instant::now();
        if let Some((there, _, off)) = &on_it.truck
            && off.is_none_or(|off| now.saturating_duration_since(off) < there.driving_off())
        {
            return Err(SimError::Usage("a truck stands on the deck".to_owned()));
        }
        let takes = curve.driving_on();
        on_it.truck = Some((curve, now, None));
        Ok(takes)
    }

    /// The truck sets off now. Answers how long it takes until the deck is clear: no time where none stands there.
    pub fn drive_off(&self) -> Duration {
        let mut on_it = self.on_it.lock();
        let Some((curve, _, off)) = &mut on_it.truck else {
            return Duration::ZERO;
        };
        off.get_or_insert_with(Instant::now);
        curve.driving_off()
    }

    /// Lays so many kilograms on the deck in place of what was laid there before; 0 sweeps it.
    pub fn lay(&self, kilograms: f64) {
        self.on_it.lock().lying = kilograms;
    }
}
