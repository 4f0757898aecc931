//! Trucks, their lines and the decks that they stand on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use weighbridge_protocol::{Kilograms, link::messages::DeckState};

use crate::{
    breaks::Break,
    chance::Chance,
    database::mutable,
    domain::weighing::ledger::{StationStatus, Vehicle},
    world::World,
};

/// Trucks take longer than `gap_same_ms` to change places.
const SWAP_MS: i64 = 35_000;
/// So many readings in a row say that a truck has left, and that one has come.
const LOOKS_EMPTY: usize = 6;
const LOOKS_LOADED: usize = 2;

/// A truck's one stay on a deck.
#[derive(Clone, Copy, Debug)]
pub struct Stay {
    pub id: usize,
    pub vehicle_id: i64,
    pub kg: i32,
    /// It comes again for its second pass.
    pub returns: bool,
}

/// A truck that is to come.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    vehicle_id: i64,
    kg: i32,
    returns: bool,
    /// It drives on by a call that was made since.
    ready_at: i64,
}

#[derive(Debug, Default)]
pub struct Yard {
    pub decks: BTreeMap<i64, Option<Stay>>,
    lines: BTreeMap<i64, VecDeque<Visit>>,
    /// Whether the link was up at some time since the last truck left.
    pub linked_since_left: BTreeMap<i64, bool>,
    /// Which vehicle a stay was.
    pub vehicles: Vec<i64>,
    /// Stays whose driver has seen 저장.
    pub told: BTreeSet<usize>,
    next_vehicle: i64,
}

impl Yard {
    pub fn stands(&self, station: i64) -> Option<Stay> {
        self.decks.get(&station).copied().flatten()
    }
}

impl World {
    pub fn add_deck(&mut self, station: i64) {
        self.yard.decks.insert(station, None);
        self.yard.lines.insert(station, VecDeque::new());
        self.yard.linked_since_left.insert(station, true);
    }

    /// Who comes next to a station; a new truck where nobody waits. Every third has no tare and comes twice.
    fn next_visit(&mut self, station: i64) -> Option<Visit> {
        let line = self.yard.lines.get_mut(&station)?;
        if line.is_empty() {
            self.yard.next_vehicle += 1;
            let vehicle_id = self.yard.next_vehicle;
            let returns = vehicle_id % 3 == 1;
            let vehicle = Vehicle {
                plate: String::new(),
                tare: (!returns).then(|| Kilograms::from_whole(10_000)),
                tare_valid_until: None,
                max_load: None,
            };
            mutable(&mut self.db.vehicles).insert(vehicle_id, vehicle);
            let kg = [18_000, 18_020, 25_000][usize::try_from(self.fresh_bits() % 3).unwrap_or(0)];
            line_push(
                &mut self.yard.lines,
                station,
                Visit {
                    vehicle_id,
                    kg,
                    returns,
                    ready_at: 0,
                },
            );
        }
        self.yard.lines.get(&station)?.front().copied()
    }

    fn some_station(&self, chance: &mut Chance) -> i64 {
        let stations: Vec<i64> = self.yard.decks.keys().copied().collect();
        chance.pick(&stations).unwrap_or(1)
    }

    /// The next truck drives on, if it may: while the link is up only the one that is called.
    pub fn arrive(&mut self, chance: &mut Chance) {
        let station = self.some_station(chance);
        self.arrive_at(station);
    }

    fn arrive_at(&mut self, station: i64) {
        if self.yard.stands(station).is_some() {
            return;
        }
        let Some(visit) = self.next_visit(station) else { return };
        let called = self.db.called(station).is_some_and(|(entry, vehicle)| {
            let called_at = self.db.entries.get(&entry).and_then(|entry| entry.called_at);
            vehicle == visit.vehicle_id && called_at >= Some(World::moment(visit.ready_at))
        });
        let linked = self.link_up(station) || self.yard.linked_since_left.get(&station) == Some(&true);
        if !called && linked {
            return;
        }
        if let Some(line) = self.yard.lines.get_mut(&station) {
            line.pop_front();
        }
        // Whoever reads the deck saw it empty.
        self.everybody_looks(station, LOOKS_EMPTY);
        for _ in 0..4 {
            self.gateway_sees(station, 0);
            self.now += SWAP_MS / 4;
        }
        let stay = Stay {
            id: self.yard.vehicles.len(),
            vehicle_id: visit.vehicle_id,
            kg: visit.kg,
            returns: visit.returns,
        };
        self.yard.vehicles.push(visit.vehicle_id);
        self.yard.decks.insert(station, Some(stay));
        self.say(|| {
            format!(
                "truck {} of {} kg drives on station {station} ({}called)",
                stay.vehicle_id,
                stay.kg,
                if called { "" } else { "not " }
            )
        });
        for edge in 0..self.edges.len() {
            if self.edges[edge].station == station && self.edges[edge].has_looked() {
                self.look_at_deck(edge, LOOKS_LOADED, None);
            }
        }
        for _ in 0..LOOKS_LOADED {
            self.gateway_sees(station, stay.kg);
        }
    }

    fn everybody_looks(&mut self, station: i64, readings: usize) {
        for edge in 0..self.edges.len() {
            if self.edges[edge].station == station && self.edges[edge].process.is_some() {
                self.look_at_deck(edge, readings, None);
            }
        }
    }

    /// A truck leaves once its driver was told.
    pub fn leave(&mut self, chance: &mut Chance) {
        let station = self.some_station(chance);
        self.leave_from(station, false);
    }

    /// Or it gives up, while nothing answers.
    pub fn leave_untold(&mut self, chance: &mut Chance) {
        let station = self.some_station(chance);
        self.leave_from(station, true);
    }

    pub fn leave_from(&mut self, station: i64, untold: bool) {
        let Some(stay) = self.yard.stands(station) else { return };
        let told = self.yard.told.contains(&stay.id);
        let answers = self.is_read(station);
        if !told && (!untold || answers) {
            return;
        }
        for edge in 0..self.edges.len() {
            let at = &self.edges[edge];
            if at.station == station && at.process.is_some() && !at.has_looked() {
                self.look_at_deck(edge, LOOKS_LOADED, None);
            }
        }
        self.yard.decks.insert(station, None);
        let linked = self.link_up(station);
        self.yard.linked_since_left.insert(station, linked);
        self.say(|| format!("truck {} leaves station {station}", stay.vehicle_id));
        if stay.returns && told {
            let visit = Visit {
                vehicle_id: stay.vehicle_id,
                kg: stay.kg - 9_000,
                returns: false,
                ready_at: self.now,
            };
            let station = self.second_station(stay, station);
            line_push(&mut self.yard.lines, station, visit);
        }
    }

    /// Every other truck is weighed empty on another edge's scale, where there is one.
    fn second_station(&self, stay: Stay, station: i64) -> i64 {
        let mut others = self.edges.iter().map(|edge| edge.station);
        let other = others.find(|other| *other != station && stay.vehicle_id % 6 == 1);
        other.unwrap_or(station)
    }

    /// A truck had not stood wholly on the deck.
    pub fn shift(&mut self, chance: &mut Chance) {
        let station = self.some_station(chance);
        if let Some(Some(stay)) = self.yard.decks.get_mut(&station) {
            stay.kg += 1_000;
            let (vehicle, kg) = (stay.vehicle_id, stay.kg);
            self.say(|| format!("truck {vehicle} moves on to {kg} kg"));
        }
    }

    /// What is remembered of a deck is corrected by its readings, as an Indicator does it.
    pub fn correct_deck(&mut self, station: i64) {
        let known = self
            .db
            .stations
            .get(&station)
            .is_none_or(|row| row.is_empty() && row.status == StationStatus::Idle);
        if known || self.broken.contains(&Break::DeckUnseen) || !self.link_up(station) || self.is_busy(station) {
            return;
        }
        if self.shows(station) == Some(DeckState::Empty) {
            let mut db = self.db.clone();
            db.seen_empty(station, self.time());
            self.put_back(db);
            self.say(|| format!("station {station} is seen empty"));
        }
    }

    /// A vehicle whose driving on has been told, and its leaving not, is remembered: nobody else is called to its deck.
    fn check_deck(&mut self, station: i64) {
        let remembers = self.db.stations.get(&station).is_some_and(|row| !row.is_empty());
        let edge = self.edges.iter().find(|edge| edge.station == station);
        // Two files of one epoch tell two stories.
        let Some(edge) = edge.filter(|_| !self.truth.forked) else {
            return;
        };
        let open = edge.file.store.state(station).deck.open_cycle();
        if !remembers && open.is_some_and(|open| self.db.tells_of(open.cycle)) {
            self.fail("deck: a vehicle stands there, and the station has forgotten it");
        }
    }

    /// The server calls the next truck, or gives up on one that does not come.
    pub fn call(&mut self, chance: &mut Chance) {
        let station = self.some_station(chance);
        self.call_to(station, chance);
    }

    fn call_to(&mut self, station: i64, chance: &mut Chance) {
        self.check_deck(station);
        if !self.server_sees(station) {
            return;
        }
        let stands = self.yard.stands(station);
        if let Some((entry, vehicle)) = self.db.called(station) {
            let came = stands.is_some_and(|stay| stay.vehicle_id == vehicle);
            if !came && chance.one_in(2) && self.link_up(station) && !self.is_busy(station) {
                let mut db = self.db.clone();
                if db.expire(entry) {
                    self.db = db;
                    self.say(|| format!("truck {vehicle} did not come"));
                }
            }
        } else if stands.is_none()
            && let Some(visit) = self.next_visit(station)
        {
            let mut db = self.db.clone();
            let entry = db.is_queued(visit.vehicle_id);
            if entry.is_some_and(|entry| !db.waits_at(entry, station)) {
                return;
            }
            let entry = entry.unwrap_or_else(|| db.check_in(visit.vehicle_id, station));
            db.call(entry, self.time());
            self.db = db;
            self.say(|| format!("truck {} is called to station {station}", visit.vehicle_id));
        }
    }

    /// The one on the deck leaves if it may, the next is called if it may be, and drives on if it may.
    pub fn next_truck(&mut self, chance: &mut Chance) {
        let station = self.some_station(chance);
        self.leave_from(station, false);
        self.call_to(station, chance);
        self.arrive_at(station);
    }
}

fn line_push(lines: &mut BTreeMap<i64, VecDeque<Visit>>, station: i64, visit: Visit) {
    lines.entry(station).or_default().push_back(visit);
}
