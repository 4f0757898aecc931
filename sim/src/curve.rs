//! The load on a deck while a truck drives on, stands and drives off: a pure function of time.
//!
//! Axle after axle rolls over the edge; the body sways while it rolls, pitches when it brakes, and rings down; the engine
//! shakes it while it stands; the load cells creep. Lengths and periods are those of ordinary trucks on an 18 m deck.

use std::{f64::consts::TAU, time::Duration};

use crate::chance::{Chance, ripple};

/// Where an axle is and what it carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axle {
    /// Metres behind the front axle.
    pub behind_front: f64,
    /// Kilograms.
    pub load: f64,
}

/// One truck's stay on a deck. Everything but the moment of leaving is settled from the start.
#[derive(Clone, Debug)]
pub struct Curve {
    axles: Vec<Axle>,
    total: f64,
    /// Metres from the first axle to the last.
    length: f64,
    /// Metres that the front axle stands behind the deck's edge.
    stop: f64,
    /// How many times faster than life this truck rolls and calms down.
    haste: f64,
    chance: Chance,
}

const DECK_METRES: f64 = 18.0;
/// A wheel passes the gap at the deck's edge within this distance.
const EDGE_METRES: f64 = 0.3;
const ROLLING_METRES_PER_SECOND: f64 = 1.5;
/// A loaded truck's pitching after it brakes.
const ROCKING_HERTZ: f64 = 1.5;
const ROCKING_SECONDS: f64 = 0.6;
/// Nothing sways faster than this, however hasty, or an indicator would see it as standing still.
const FASTEST_HERTZ: f64 = 17.0;
const CREEP_SHARE: f64 = 0.0002;
const CREEP_SECONDS: f64 = 60.0;

impl Curve {
    /// A truck with these axles. `haste` 1 is life; 10 makes everything but the indicator ten times faster.
    pub fn new(axles: Vec<Axle>, haste: f64, chance: Chance) -> Self {
        let total = axles.iter().map(|axle| axle.load).sum();
        let length = axles.iter().fold(0.0_f64, |length, axle| length.max(axle.behind_front));
        let stop = length + ((DECK_METRES - length) / 2.0).max(1.0);
        let haste = haste.max(0.1);
        Self {
            axles,
            total,
            length,
            stop,
            haste,
            chance,
        }
    }

    /// What the truck weighs, in kilograms.
    pub const fn total(&self) -> f64 {
        self.total
    }

    /// From the first axle on the deck until the truck stands wholly on it.
    pub fn driving_on(&self) -> Duration {
        Duration::from_secs_f64(self.stop / self.metres_per_second())
    }

    /// From the wheels' first turn until the last axle has left.
    pub fn driving_off(&self) -> Duration {
        let last_axle = self.stop - self.length;
        Duration::from_secs_f64((DECK_METRES + EDGE_METRES - last_axle) / self.metres_per_second())
    }

    /// Kilograms on the deck, `since_on` after the first axle came, and `since_off` after the truck set off again.
    pub fn load(&self, since_on: Duration, since_off: Option<Duration>) -> f64 {
        let resting = self.resting(since_on, since_off);
        if resting <= 0.0 {
            return 0.0;
        }
        let standing_since = since_on.checked_sub(self.driving_on());
        match (standing_since, since_off) {
            (Some(standing), None) => resting + self.rocking(standing) + self.shaking(since_on) + self.creep(standing),
            _ => (resting + self.swaying(since_on, resting)).max(0.0),
        }
    }

    /// What the axles now on the deck weigh, without any motion.
    fn resting(&self, since_on: Duration, since_off: Option<Duration>) -> f64 {
        let driven = (since_on.as_secs_f64() * self.metres_per_second()).min(self.stop);
        let front = driven + since_off.map_or(0.0, |off| off.as_secs_f64() * self.metres_per_second());
        let on_deck = |axle: &Axle| {
            let place = front - axle.behind_front;
            axle.load * over_edge(place) * (1.0 - over_edge(place - DECK_METRES))
        };
        self.axles.iter().map(on_deck).sum()
    }

    fn swaying(&self, at: Duration, resting: f64) -> f64 {
        let height = (resting * 0.025).max(60.0);
        let seconds = at.as_secs_f64();
        let beat = |hertz: f64| (TAU * self.hertz(hertz) * seconds).sin();
        height
            * (0.6 * beat(2.7) + 0.4 * beat(4.3) + 0.2 * ripple(self.chance.branch(1), at, Duration::from_millis(90)))
    }

    fn rocking(&self, standing: Duration) -> f64 {
        let seconds = standing.as_secs_f64();
        let height = self.total * 0.03 * (-seconds * self.haste / ROCKING_SECONDS).exp();
        height * (TAU * self.hertz(ROCKING_HERTZ) * seconds).cos()
    }

    /// Up to 4 kg of engine and wind.
    fn shaking(&self, at: Duration) -> f64 {
        4.0 * ripple(self.chance.branch(2), at, Duration::from_millis(70))
    }

    fn creep(&self, standing: Duration) -> f64 {
        self.total * CREEP_SHARE * (1.0 - (-standing.as_secs_f64() / CREEP_SECONDS).exp())
    }

    fn metres_per_second(&self) -> f64 {
        ROLLING_METRES_PER_SECOND * self.haste
    }

    fn hertz(&self, in_life: f64) -> f64 {
        (in_life * self.haste).min(FASTEST_HERTZ)
    }
}

/// The share of a wheel's load that rests on the far side of an edge which it has passed by `metres`.
fn over_edge(metres: f64) -> f64 {
    let part = (metres / EDGE_METRES).clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::whole;

    fn truck(haste: f64) -> Curve {
        let axle = |behind_front, load| Axle { behind_front, load };
        Curve::new(
            vec![axle(0.0, 6000.0), axle(4.0, 9000.0), axle(5.3, 8000.0)],
            haste,
            Chance::of_seed(1),
        )
    }

    fn seconds(value: f64) -> Duration {
        Duration::from_secs_f64(value)
    }

    #[test]
    fn a_truck_comes_axle_by_axle_and_leaves_axle_by_axle() {
        let truck = truck(1.0);
        let rested = |on, off: Option<f64>| whole(truck.resting(seconds(on), off.map(seconds)));
        assert_eq!(rested(0.0, None), 0);
        assert_eq!(rested(1.0, None), 6000, "the front axle alone");
        assert_eq!(rested(3.2, None), 15000, "and the second");
        assert_eq!(rested(60.0, None), 23000, "all of it");
        let off = truck.driving_off().as_secs_f64();
        assert_eq!(rested(60.0, Some(off - 0.4)), 8000, "the last axle leaves last");
        assert_eq!(whole(truck.load(seconds(60.0), Some(truck.driving_off()))), 0);
    }

    #[test]
    fn a_standing_truck_calms_down_to_its_weight() {
        let truck = truck(1.0);
        let standing = truck.driving_on().as_secs_f64();
        let early = (0..60).map(|step| truck.load(seconds(standing + f64::from(step) / 100.0), None));
        assert!(early.fold(0.0_f64, |worst, load| worst.max((load - truck.total()).abs())) > 300.0);
        for step in 0..3000 {
            let load = truck.load(seconds(standing + 5.0 + f64::from(step) / 10.0), None);
            assert!((load - truck.total()).abs() < 10.0, "{load} kg after {step} tenths");
        }
    }

    proptest! {
        #[test]
        fn a_rolling_truck_never_looks_settled(
            seed: u64, haste in 1.0..20.0, front in 2500.0..8000.0, rear in 2500.0..12000.0, length in 2.5..7.0,
        ) {
            let axles = vec![Axle { behind_front: 0.0, load: front }, Axle { behind_front: length, load: rear }];
            let curve = Curve::new(axles, haste, Chance::of_seed(seed));
            let window: Vec<f64> = (0..).map(|ms| curve.load(Duration::from_millis(ms * 5), None))
                .take(usize::try_from(curve.driving_on().as_millis() / 5).unwrap())
                .skip_while(|load| *load < 500.0)
                .collect();
            // 300 ms is what an indicator needs at least to call a weight stable in real time.
            for stretch in window.windows(60) {
                let (low, high) = stretch.iter().fold((f64::MAX, 0.0_f64), |(low, high), load| (low.min(*load), high.max(*load)));
                prop_assert!(high - low > 20.0, "settled at {low} while rolling");
            }
        }
    }
}
