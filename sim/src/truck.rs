//! The trucks of a yard: plates, drivers, axles and true weights, all from the seed.

use weighbridge_protocol::Kilograms;

use crate::{
    chance::Chance,
    curve::Axle,
    load::{exact, physical},
};

/// How a truck is weighed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Habit {
    /// Its tare is registered: one weighing completes a record.
    #[default]
    OnePass,
    /// It comes empty, loads, and comes again.
    LoadsHere,
    /// It comes loaded, unloads, and comes again.
    UnloadsHere,
    /// Nobody knows it: it drives onto a free deck without a call.
    Stranger,
}

/// One truck, the same for the same seed and number.
#[derive(Clone, Debug)]
pub struct Truck {
    /// From 1.
    pub number: u32,
    pub plate: String,
    pub driver: String,
    pub phone: String,
    pub habit: Habit,
    /// Its true weight without a load.
    pub empty: Kilograms,
    build: &'static Build,
    chance: Chance,
}

/// The share of trucks with each habit; the rest is weighed in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    pub two_pass: f64,
    pub strangers: f64,
}

#[derive(Debug)]
struct Build {
    kind: &'static str,
    /// Metres behind the front axle, share of the empty weight, share of the payload.
    axles: &'static [(f64, f64, f64)],
    empty: (f64, f64),
    payload: f64,
}

// Ordinary trucks of Korean roads, loaded to less than the legal 40 t.
const BUILDS: [Build; 5] = [
    Build {
        kind: "5톤 카고",
        axles: &[(0.0, 0.55, 0.2), (5.2, 0.45, 0.8)],
        empty: (5500.0, 6800.0),
        payload: 6500.0,
    },
    Build {
        kind: "11톤 카고",
        axles: &[(0.0, 0.45, 0.15), (5.0, 0.3, 0.45), (6.3, 0.25, 0.4)],
        empty: (9000.0, 11000.0),
        payload: 12000.0,
    },
    Build {
        kind: "덤프트럭",
        axles: &[
            (0.0, 0.3, 0.15),
            (1.8, 0.25, 0.15),
            (4.9, 0.23, 0.35),
            (6.2, 0.22, 0.35),
        ],
        empty: (13000.0, 15000.0),
        payload: 24000.0,
    },
    Build {
        kind: "믹서트럭",
        axles: &[
            (0.0, 0.28, 0.18),
            (1.8, 0.26, 0.2),
            (4.6, 0.24, 0.31),
            (5.9, 0.22, 0.31),
        ],
        empty: (12500.0, 14000.0),
        payload: 13500.0,
    },
    Build {
        kind: "트레일러",
        axles: &[
            (0.0, 0.35, 0.08),
            (3.2, 0.2, 0.22),
            (4.5, 0.17, 0.22),
            (9.5, 0.14, 0.24),
            (10.8, 0.14, 0.24),
        ],
        empty: (13500.0, 15500.0),
        payload: 23500.0,
    },
];

const REGIONS: [&str; 9] = ["서울", "부산", "인천", "경기", "강원", "충북", "충남", "전북", "경남"];
const COMMERCIAL: [&str; 4] = ["바", "사", "아", "자"];
const SURNAMES: [&str; 10] = ["김", "이", "박", "최", "정", "강", "조", "윤", "장", "임"];
const GIVEN: [&str; 12] = [
    "철수", "영호", "민준", "성훈", "정우", "상철", "동현", "재석", "기태", "순자", "미경", "현주",
];

impl Truck {
    /// The truck of this number in the yard of this seed.
    pub fn new(yard: Chance, number: u32, habits: Habits) -> Self {
        let mut chance = yard.branch(u64::from(number));
        // 37 shares no factor with 9000: no serial comes twice among the first 9000 trucks.
        let offset = yard.branch(0).bits() % 9000;
        let serial = 1000 + (offset + u64::from(number) * 37) % 9000;
        let class = 80 + chance.below(18);
        let plate = format!(
            "{}{class}{}{serial}",
            chance.one_of(&REGIONS),
            chance.one_of(&COMMERCIAL)
        );
        let driver = format!("{}{}", chance.one_of(&SURNAMES), chance.one_of(&GIVEN));
        let phone = format!("010-{:04}-{serial}", 2000 + chance.below(7999));
        let habit = habits.draw(&mut chance);
        let build = usize::try_from(chance.below(5))
            .ok()
            .and_then(|index| BUILDS.get(index))
            .unwrap_or(&BUILDS[0]);
        let empty = exact(chance.between(build.empty.0, build.empty.1).round());
        Self {
            number,
            plate,
            driver,
            phone,
            habit,
            empty,
            build,
            chance,
        }
    }

    pub const fn kind(&self) -> &'static str {
        self.build.kind
    }

    /// What it may carry.
    pub fn max_load(&self) -> Kilograms {
        exact(self.build.payload)
    }

    /// The tare that is registered for it; none where it is weighed in two passes or unknown.
    pub fn tare(&self) -> Option<Kilograms> {
        (self.habit == Habit::OnePass).then_some(self.empty)
    }

    /// Its load on its visit of this number, 0 for the first.
    pub fn load(&self, visit: u32) -> Kilograms {
        let share = self.chance.branch(1000 + u64::from(visit)).between(0.4, 1.0);
        exact((self.build.payload * share).round())
    }

    /// Its true weight when it drives on for this pass (0 or 1) of this visit.
    pub fn weight(&self, visit: u32, pass: u32) -> Kilograms {
        let loaded = match self.habit {
            Habit::OnePass | Habit::Stranger => true,
            Habit::LoadsHere => pass == 1,
            Habit::UnloadsHere => pass == 0,
        };
        if loaded {
            self.empty + self.load(visit)
        } else {
            self.empty
        }
    }

    /// How many weighings one visit takes.
    pub const fn passes(&self) -> u32 {
        match self.habit {
            Habit::OnePass | Habit::Stranger => 1,
            Habit::LoadsHere | Habit::UnloadsHere => 2,
        }
    }

    /// Its axles when it weighs `weight`.
    pub fn axles(&self, weight: Kilograms) -> Vec<Axle> {
        let (empty, payload) = (physical(self.empty), physical(weight - self.empty));
        let axle = |&(behind_front, of_empty, of_payload): &(f64, f64, f64)| Axle {
            behind_front,
            load: empty * of_empty + payload * of_payload,
        };
        self.build.axles.iter().map(axle).collect()
    }

    /// Chance of its own for one visit, apart from its weights.
    pub const fn luck(&self, visit: u32) -> Chance {
        self.chance.branch(5000 + visit as u64)
    }
}

impl Habits {
    fn draw(self, chance: &mut Chance) -> Habit {
        if chance.happens(self.strangers) {
            Habit::Stranger
        } else if chance.happens(self.two_pass) {
            chance.one_of(&[Habit::LoadsHere, Habit::UnloadsHere])
        } else {
            Habit::OnePass
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn trucks() -> Vec<Truck> {
        let habits = Habits {
            two_pass: 0.3,
            strangers: 0.1,
        };
        (1..=500)
            .map(|number| Truck::new(Chance::of_seed(42), number, habits))
            .collect()
    }

    #[test]
    fn the_axles_carry_exactly_the_truck() {
        for truck in trucks() {
            let weight = truck.weight(3, 1);
            let carried = truck.axles(weight).iter().map(|axle| axle.load).sum::<f64>();
            assert_eq!(exact(carried), weight, "{}", truck.plate);
        }
    }

    #[test]
    fn no_plate_comes_twice_and_no_truck_is_too_heavy() {
        let plates: HashSet<String> = trucks().into_iter().map(|truck| truck.plate).collect();
        assert_eq!(plates.len(), 500);
        assert!(
            trucks()
                .iter()
                .all(|truck| truck.weight(0, 0) < Kilograms::from_whole(40_000))
        );
    }

    #[test]
    fn the_shares_of_habits_are_kept() {
        let of = |habit| trucks().iter().filter(|truck| truck.habit == habit).count();
        assert!((30..80).contains(&of(Habit::Stranger)), "{}", of(Habit::Stranger));
        assert!((90..180).contains(&(of(Habit::LoadsHere) + of(Habit::UnloadsHere))));
    }

    #[test]
    fn the_same_seed_gives_the_same_truck() {
        let again = trucks();
        for (one, other) in trucks().iter().zip(&again) {
            assert_eq!((&one.plate, one.weight(5, 0)), (&other.plate, other.weight(5, 0)));
        }
    }
}
