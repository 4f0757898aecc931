//! A gateway that posts its readings by HTTP, each until it is answered.

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;
use weighbridge_protocol::reading::Unit;

use crate::{
    chance::Chance,
    domain::feed::{FeedReading, Posted, station::Outcome},
    edge::{Death, READING_MS, fresh, settings},
    world::{CycleTruth, World},
};

/// The station and the key of the gateway.
pub const FED: i64 = 9;

/// A reading that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: Uuid,
    kg: i32,
    at: i64,
}

#[derive(Debug, Default)]
pub struct Gateway {
    waiting: VecDeque<Waiting>,
    /// Who stood on the deck when a reading was made.
    stays: BTreeMap<Uuid, usize>,
    /// Readings whose storing was answered.
    pub answered: Vec<Uuid>,
}

impl Gateway {
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl World {
    /// The gateway's indicator shows a weight.
    pub fn gateway_sees(&mut self, station: i64, kg: i32) {
        let stay = self.yard.stands(station);
        if station != FED {
            return;
        }
        let id = Uuid::from_u128(fresh(&mut self.ids));
        self.now += READING_MS;
        let at = self.now;
        if let Some(gateway) = &mut self.gateway {
            gateway.waiting.push_back(Waiting { id, kg, at });
            if let Some(stay) = stay {
                gateway.stays.insert(id, stay.id);
            }
        }
    }

    /// Some readings of the deck are made, and some of those that wait are posted.
    pub fn post(&mut self, chance: &mut Chance, death: Option<Death>) {
        if self.gateway.is_none() {
            return;
        }
        for _ in 0..chance.below(6) {
            let kg = self.yard.stands(FED).map_or(0, |stay| stay.kg);
            self.gateway_sees(FED, kg);
        }
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_up).collect();
        let most = 1 + chance.below(12);
        if let Some(node) = chance.pick(&nodes) {
            self.post_to(node, most, chance.one_in(6), death);
        }
    }

    /// Posts the oldest readings. An answer may be lost on its way; they are posted again then.
    pub fn post_to(&mut self, node: usize, most: usize, is_lost: bool, death: Option<Death>) {
        let Some(gateway) = &self.gateway else { return };
        let now = self.time();
        let readings: Vec<FeedReading> = gateway
            .waiting
            .iter()
            .take(most)
            .filter_map(|waiting| examined(waiting, now))
            .collect();
        if readings.is_empty() {
            return;
        }
        let memory = self.nodes[node].fed.remove(&FED);
        let mut db = self.db.clone();
        let ids = &mut self.ids;
        let Some(fed) = db.take_readings(FED, settings(), &readings, memory, || fresh(ids)) else {
            return self.fail("feed: the station is not known");
        };
        if death == Some(Death::Before) {
            return self.kill_node(node);
        }
        self.put_back(db);
        self.note_fed(&fed.captured, &readings);
        if death == Some(Death::After) {
            return self.kill_node(node);
        }
        self.nodes[node].fed.insert(FED, fed.memory);
        if is_lost {
            return;
        }
        for (reading, outcome) in readings.iter().zip(fed.outcomes) {
            self.answered(reading.event_id, outcome);
        }
    }

    fn note_fed(&mut self, captured: &[(weighbridge_protocol::CycleId, Uuid)], readings: &[FeedReading]) {
        for (cycle, by) in captured {
            let stay = self.gateway.as_ref().and_then(|gateway| gateway.stays.get(by)).copied();
            let weight = readings
                .iter()
                .find(|reading| reading.event_id == *by)
                .map(|reading| reading.kg);
            let (Some(stay), Some(weight)) = (stay, weight) else {
                return self.fail("phantom: an empty deck was captured");
            };
            let truth = CycleTruth {
                stay,
                weight,
                gap: true,
                edge: usize::MAX,
            };
            self.say(|| format!("the feed captures truck {stay} in {cycle}"));
            self.truth.cycles.insert(*cycle, truth);
        }
    }

    fn answered(&mut self, id: Uuid, outcome: Outcome) {
        let Some(gateway) = &mut self.gateway else { return };
        gateway.waiting.retain(|waiting| waiting.id != id);
        gateway.answered.push(id);
        match outcome {
            Outcome::Stored { capture_id: None, .. } => {}
            Outcome::Stored {
                capture_id: Some(capture),
                ..
            } => {
                let cycle = self
                    .db
                    .captures
                    .iter()
                    .find(|(_, row)| row.id == capture)
                    .map(|(cycle, _)| *cycle);
                if let Some(cycle) = cycle {
                    self.tell_of(cycle);
                }
            }
            other => self.fail(&format!("feed: a reading was answered with {other:?}")),
        }
    }
}

fn examined(waiting: &Waiting, now: chrono::DateTime<chrono::Utc>) -> Option<FeedReading> {
    let posted = Posted {
        station_id: FED,
        weight: &waiting.kg.to_string(),
        unit: Unit::Kilogram,
        stable: None,
        timestamp: &World::moment(waiting.at).to_rfc3339(),
        event_id: Some(waiting.id),
    };
    posted.examined(FED, now).ok()
}
