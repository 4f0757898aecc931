//! One simulated day: who comes when, who is called, and what each was told.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use weighbridge::domain::{
    wait_line::{Takes, Wish},
    wait_time::{InLine, Scale, by_the_mean, forecast},
};
use weighbridge_sim::chance::Chance;

/// A driver's wait, and what he was told of it, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub p50: u32,
    pub p80: u32,
    pub estimate: u32,
    pub waited: u32,
}

impl Told {
    pub(super) const fn within_p50(&self) -> bool {
        self.waited <= self.p50
    }

    pub(super) const fn within_p80(&self) -> bool {
        self.waited <= self.p80
    }

    pub(super) const fn within_estimate(&self) -> bool {
        self.waited <= self.estimate
    }
}

/// Seconds of a day that the gate is open.
const OPEN_FOR: u32 = 12 * 3600;
/// Mean and spread of a weighing, from call to leaving, in seconds and as the logarithm has it.
const MEAN_SERVICE: f64 = 180.0;
const SPREAD: f64 = 0.42;
/// Who does not follow his call keeps the scale for so long.
const NO_SHOW: u32 = 600;
/// As many as the server remembers.
const REMEMBERED: usize = 100;

#[derive(Clone, Debug)]
enum Event {
    CheckIn {
        direction: Option<&'static str>,
        again: bool,
    },
    GivesUp(i64),
    Freed(usize),
    Closes(usize),
    Opens(usize),
}

struct Deck {
    takes: Takes,
    open: bool,
    busy_since: Option<u32>,
}

/// One who waits, with what he was told.
struct Entry {
    id: i64,
    wish: Wish,
    came: u32,
    told: Option<Told>,
}

/// A site on one day.
pub(super) struct Yard {
    chance: Chance,
    now: u32,
    decks: Vec<Deck>,
    line: Vec<Entry>,
    services: VecDeque<u32>,
    /// By their second, and then in the order in which they were planned.
    events: BTreeMap<(u32, u64), Event>,
    numbers: u64,
    entries: i64,
    done: BTreeMap<i64, Told>,
}

impl Yard {
    /// What everybody was told who was called on this day.
    pub(super) fn day(seed: u64, day: u32, trucks: u32) -> Vec<Told> {
        let mut chance = Chance::of_seed(seed).branch(u64::from(day));
        let usual: VecDeque<u32> = (0..REMEMBERED).map(|_| service(&mut chance)).collect();
        let mut yard = Self {
            chance,
            now: 0,
            decks: vec![deck(&["IN", "OUT"]), deck(&["IN", "OUT"]), deck(&["IN"])],
            line: Vec::new(),
            services: usual,
            events: BTreeMap::new(),
            numbers: 0,
            entries: 0,
            done: BTreeMap::new(),
        };
        yard.plan(trucks);
        yard.play();
        yard.done.into_values().collect()
    }

    /// Half of the trucks come in two rushes, the others any time; one scale is closed for half an hour.
    fn plan(&mut self, trucks: u32) {
        for truck in 0..trucks {
            let at = match truck % 4 {
                0 => self.between(3600, 3 * 3600),
                1 => self.between(6 * 3600, 8 * 3600),
                _ => self.between(0, OPEN_FOR),
            };
            let direction = match self.chance.below(4) {
                0 => Some("OUT"),
                1 => Some("IN"),
                _ => None,
            };
            let again = truck.is_multiple_of(3);
            self.happens(at, Event::CheckIn { direction, again });
        }
        let closed = self.between(0, OPEN_FOR);
        let deck = usize::try_from(self.chance.below(3)).unwrap_or(0);
        self.happens(closed, Event::Closes(deck));
        self.happens(closed + 1800, Event::Opens(deck));
    }

    fn play(&mut self) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            match event {
                Event::CheckIn { direction, again } => self.check_in(direction, again),
                Event::GivesUp(id) => self.line.retain(|entry| entry.id != id),
                Event::Freed(deck) => self.freed(deck),
                Event::Closes(deck) => self.open(deck, false),
                Event::Opens(deck) => self.open(deck, true),
            }
            self.call();
        }
    }

    fn check_in(&mut self, direction: Option<&'static str>, again: bool) {
        self.entries += 1;
        let id = self.entries;
        let wish = Wish {
            direction: direction.map(str::to_owned),
            product_id: None,
        };
        self.line.push(Entry {
            id,
            wish,
            came: self.now,
            told: None,
        });
        let told = self.tell();
        if let Some(entry) = self.line.last_mut() {
            entry.told = told;
        }
        if self.chance.happens(0.02) {
            let at = self.now + self.between(60, 1200);
            self.happens(at, Event::GivesUp(id));
        }
        if again {
            let at = self.now + self.between(1500, 4500);
            self.happens(
                at,
                Event::CheckIn {
                    direction,
                    again: false,
                },
            );
        }
    }

    /// What the newest of the line is told.
    fn tell(&self) -> Option<Told> {
        let scales: Vec<Scale> = (self.decks.iter().filter(|deck| deck.open))
            .map(|deck| Scale {
                takes: deck.takes.clone(),
                busy_for: deck.busy_since.map(|since| self.now - since),
            })
            .collect();
        let in_line = |entry: &Entry| InLine {
            id: entry.id,
            wish: entry.wish.clone(),
        };
        let line: Vec<InLine> = self.line.iter().map(in_line).collect();
        let services: Vec<u32> = self.services.iter().copied().collect();
        let told = forecast(&scales, &line, &services).pop().flatten()?;
        let ahead = u64::try_from(line.len()).unwrap_or(1).saturating_sub(1);
        let open = u64::try_from(scales.len()).unwrap_or(1);
        let estimate = by_the_mean(ahead, &services, open);
        Some(Told {
            p50: told.p50,
            p80: told.p80,
            estimate: u32::try_from(estimate).unwrap_or(0) * 60,
            waited: 0,
        })
    }

    fn call(&mut self) {
        for number in 0..self.decks.len() {
            let Some(deck) = self
                .decks
                .get_mut(number)
                .filter(|deck| deck.open && deck.busy_since.is_none())
            else {
                continue;
            };
            let Some(at) = self.line.iter().position(|entry| deck.takes.takes(&entry.wish)) else {
                continue;
            };
            deck.busy_since = Some(self.now);
            let entry = self.line.remove(at);
            if let Some(told) = entry.told {
                let waited = self.now - entry.came;
                self.done.insert(entry.id, Told { waited, ..told });
            }
            let stays = if self.chance.happens(0.02) {
                NO_SHOW
            } else {
                service(&mut self.chance)
            };
            self.happens(self.now + stays, Event::Freed(number));
        }
    }

    fn freed(&mut self, deck: usize) {
        let since = self.decks.get_mut(deck).and_then(|deck| deck.busy_since.take());
        if let Some(since) = since {
            self.services.push_back(self.now - since);
            self.services.pop_front();
        }
    }

    fn open(&mut self, deck: usize, open: bool) {
        if let Some(deck) = self.decks.get_mut(deck) {
            deck.open = open;
        }
    }

    fn happens(&mut self, at: u32, event: Event) {
        self.numbers += 1;
        self.events.insert((at, self.numbers), event);
    }

    fn between(&mut self, low: u32, high: u32) -> u32 {
        let below = self.chance.below(u64::from(high - low));
        low + u32::try_from(below).unwrap_or(0)
    }
}

fn deck(directions: &[&str]) -> Deck {
    Deck {
        takes: Takes {
            directions: directions.iter().map(|name| (*name).to_owned()).collect(),
            product_ids: Vec::new(),
        },
        open: true,
        busy_since: None,
    }
}

/// Log-normal, in whole seconds.
fn service(chance: &mut Chance) -> u32 {
    let (radius, turn) = (
        chance.between(f64::EPSILON, 1.0),
        chance.between(0.0, std::f64::consts::TAU),
    );
    let normal = (-2.0 * radius.ln()).sqrt() * turn.cos();
    let seconds = MEAN_SERVICE * (SPREAD * normal - SPREAD * SPREAD / 2.0).exp();
    let whole = Duration::from_secs_f64(seconds).as_secs();
    u32::try_from(whole).unwrap_or(u32::MAX).clamp(30, 3600)
}
