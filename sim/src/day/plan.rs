//! Who comes when and how he behaves, and when stations are closed: a pure function of the seed.

use std::{fmt, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    chance::Chance,
    traffic::itinerary::{Closure, Conduct, Itinerary, TrafficSpec},
    truck::{Habits, Truck},
};

/// A day before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub traffic: TrafficSpec,
    /// How many trucks are weighed twice.
    two_pass: usize,
    fingerprint: u32,
}

/// A third of the trucks is weighed empty and loaded; all are known.
pub const HABITS: Habits = Habits {
    two_pass: 1.0 / 3.0,
    strangers: 0.0,
};
/// How many trucks come in each eighth of the day: a rush in the morning, one after lunch.
const RUSH: [u64; 8] = [5, 5, 3, 2, 2, 4, 4, 2];
const MISS_A_CALL: f64 = 0.04;
const NEVER_COME: f64 = 0.01;
const GIVE_UP: f64 = 0.03;
/// Apart from the numbers by which trucks and stations draw their chance.
const PLAN: u64 = 2_000_000;

impl Plan {
    /// The day of this seed; `lasts` is how long trucks come, in life's pace.
    pub fn draw(seed: u64, trucks: u32, lasts: Duration, stations: usize) -> Self {
        let yard = Chance::of_seed(seed);
        let mut chance = yard.branch(PLAN);
        let mut arrivals: Vec<Duration> = (0..trucks).map(|_| arrival(&mut chance, lasts)).collect();
        arrivals.sort_unstable();
        let itinerary = |comes_after| Itinerary {
            comes_after,
            visits: Some(1),
            conduct: conduct(&mut chance),
        };
        let itineraries = arrivals.into_iter().map(itinerary).collect();
        let slot = lasts.div_f64(f64::from(u32::try_from(stations).unwrap_or(u32::MAX)) + 1.0);
        let closures = (0..stations).map(|station| closure(&mut chance, station, slot));
        let traffic = TrafficSpec {
            closures: closures.collect(),
            trucks: itineraries,
            away: Duration::ZERO,
        };
        let weighed: Vec<Truck> = (1..=trucks).map(|number| Truck::new(yard, number, HABITS)).collect();
        let mut hash = Sha256::new();
        hash.update(format!("{traffic:?}"));
        for truck in &weighed {
            hash.update(format!("{}{:?}{}", truck.plate, truck.habit, truck.weight(0, 1)));
        }
        Self {
            traffic,
            two_pass: weighed.iter().filter(|truck| truck.passes() == 2).count(),
            fingerprint: hash
                .finalize()
                .first_chunk()
                .map_or(0, |bytes| u32::from_be_bytes(*bytes)),
        }
    }

    fn count(&self, is_so: fn(Conduct) -> bool) -> usize {
        self.traffic.trucks.iter().filter(|truck| is_so(truck.conduct)).count()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} trucks, {} of them weighed twice; {} miss a call, {} never come, {} give up when it takes long; {} closures; plan {:08x}",
            self.traffic.trucks.len(),
            self.two_pass,
            self.count(|conduct| conduct == Conduct::MissesACall),
            self.count(|conduct| conduct == Conduct::NeverComes),
            self.count(|conduct| matches!(conduct, Conduct::GivesUp(_))),
            self.traffic.closures.len(),
            self.fingerprint,
        )
    }
}

fn arrival(chance: &mut Chance, lasts: Duration) -> Duration {
    let mut drawn = chance.below(RUSH.iter().sum());
    let mut eighth = 0;
    for share in RUSH {
        if drawn < share {
            break;
        }
        drawn -= share;
        eighth += 1;
    }
    lasts.mul_f64((f64::from(eighth) + chance.between(0.0, 1.0)) / 8.0)
}

fn conduct(chance: &mut Chance) -> Conduct {
    let drawn = chance.between(0.0, 1.0);
    if drawn < MISS_A_CALL {
        Conduct::MissesACall
    } else if drawn < MISS_A_CALL + NEVER_COME {
        Conduct::NeverComes
    } else if drawn < MISS_A_CALL + NEVER_COME + GIVE_UP {
        Conduct::GivesUp(Duration::from_secs_f64(chance.between(300.0, 1800.0)))
    } else {
        Conduct::Obeys
    }
}

/// Each station once, one after the other, for a quarter of its slot of the day at most.
fn closure(chance: &mut Chance, station: usize, slot: Duration) -> Closure {
    let slots_before = u32::try_from(station).unwrap_or(u32::MAX);
    Closure {
        station,
        after: slot.mul_f64(f64::from(slots_before) + chance.between(0.5, 1.0)),
        lasts: slot.mul_f64(chance.between(0.125, 0.25)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::draw(seed, 500, Duration::from_hours(8), 3)
    }

    #[test]
    fn the_same_seed_is_the_same_day_and_another_one_is_not() {
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7).fingerprint, plan(8).fingerprint);
    }

    #[test]
    fn a_third_is_weighed_twice_and_some_do_not_follow_their_call() {
        let plan = plan(1);
        assert!((140..195).contains(&plan.two_pass), "{plan}");
        assert!(plan.count(|conduct| conduct == Conduct::MissesACall) > 8, "{plan}");
        assert!(plan.count(|conduct| conduct == Conduct::NeverComes) > 0, "{plan}");
        assert!(
            plan.count(|conduct| matches!(conduct, Conduct::GivesUp(_))) > 5,
            "{plan}"
        );
        assert_eq!(plan.traffic.closures.len(), 3);
    }

    #[test]
    fn trucks_come_in_order_and_while_the_gates_are_open() {
        let comes: Vec<Duration> = plan(3).traffic.trucks.iter().map(|truck| truck.comes_after).collect();
        assert!(comes.is_sorted());
        assert!(comes.last().unwrap() < &Duration::from_hours(8));
    }
}
