//! What goes wrong: processes die, machines boot, clocks jump, cables break, files are damaged, restored, cloned and lost,
//! the database goes back.

use std::collections::BTreeSet;

use uuid::Uuid;
use weighbridge_protocol::{
    Epoch,
    link::{EventId, EventKind, store::EpochBounds},
};

use crate::{
    breaks::Break,
    chance::Chance,
    database::mutable,
    domain::slip::room,
    edge::{Death, Edge, fresh},
    file::{File, capture_of},
    socket::Up,
    world::World,
};

/// Acknowledged events are kept this long.
const KEPT_MS: i64 = 120_000;
/// How far numbers jump when a restore is noticed: more than a run can issue.
const JUMP: i32 = 40;

impl World {
    fn some_edge(&self, chance: &mut Chance) -> usize {
        chance.below(self.edges.len())
    }

    pub fn kill_edge(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.say(|| format!("edge {edge} is killed"));
        self.kill_process(edge);
    }

    pub fn look_and_die(&mut self, chance: &mut Chance, death: Death) {
        let edge = self.some_edge(chance);
        self.look_at_deck(edge, 1 + chance.below(6), Some(death));
    }

    /// An indicator is silent for a moment, and heard again.
    pub fn flicker(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.say(|| format!("the indicator of edge {edge} flickers"));
        for kind in [EventKind::IndicatorDown { why: None }, EventKind::IndicatorUp {}] {
            self.tell_of_indicator(edge, kind);
        }
    }

    pub fn kill_some_node(&mut self, chance: &mut Chance) {
        let node = chance.below(self.nodes.len());
        self.say(|| format!("node {node} is killed"));
        self.kill_node(node);
    }

    /// Power is cut: another boot, and a wall clock that may come back wrong.
    pub fn reboot(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.kill_process(edge);
        self.now += [5_000, 60_000][chance.below(2)];
        let boot = Uuid::from_u128(self.fresh_bits());
        let at = &mut self.edges[edge];
        (at.boot, at.boot_at) = (boot, self.now);
        at.wall_off = [at.wall_off, 0, -55_000, -600_000, 300_000][chance.below(5)];
        self.say(|| format!("edge {edge} boots"));
    }

    pub fn clock_jump(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.edges[edge].wall_off = [0, 3_600_000, -3_600_000, -40_000, 3_000][chance.below(5)];
        self.say(|| format!("the wall clock of edge {edge} jumps"));
    }

    pub fn wait(&mut self, chance: &mut Chance) {
        self.now += [40_000, 200_000][chance.below(2)];
    }

    pub fn cut(&mut self, chance: &mut Chance) {
        let whole: Vec<usize> = self
            .sockets
            .iter()
            .filter(|(_, socket)| !socket.is_cut)
            .map(|(key, _)| *key)
            .collect();
        let prefix = chance.below(3);
        if let Some(key) = chance.pick(&whole)
            && let Some(socket) = self.sockets.get_mut(&key)
        {
            socket.is_cut = true;
            socket.up.truncate(prefix);
            socket.down.clear();
            self.say(|| format!("socket {key} is cut"));
        }
    }

    /// A bit of an event flips on its way.
    pub fn flip(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.pump_edge(edge, chance);
        let socket = self.edges[edge].socket().and_then(|key| self.sockets.get_mut(&key));
        if let Some(Up::Event(event)) = socket.and_then(|socket| socket.up.back_mut()) {
            event.body.push(' ');
            let seq = event.seq;
            self.say(|| format!("a bit of event {seq} of edge {edge} flips"));
        }
    }

    pub fn save_image(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        let image = self.edges[edge].file.clone();
        self.edges[edge].images.push(image);
    }

    pub fn restore_image(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        let Some(image) = self.edges[edge].images.last().cloned() else {
            return;
        };
        self.kill_process(edge);
        // That takes longer than trucks to change places.
        self.now += 40_000;
        if chance.one_in(2) {
            let boot = Uuid::from_u128(self.fresh_bits());
            (self.edges[edge].boot, self.edges[edge].boot_at) = (boot, self.now);
        }
        self.say(|| format!("an older image of edge {edge} is restored"));
        self.truth.forked = true;
        self.replace_file(edge, image);
    }

    /// The file is damaged and salvaged: some rows cannot be read, perhaps nor the bookkeeping.
    pub fn damage(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.kill_process(edge);
        let old = self.edges[edge].file.clone();
        let kept: BTreeSet<EventId> = old
            .store
            .rows()
            .keys()
            .filter(|_| chance.below(10) < 6)
            .copied()
            .collect();
        let blind = chance.below(10) < 3;
        let epoch = Epoch::from_bits(fresh(&mut self.ids));
        let mut file = old.clone();
        if self.broken.contains(&Break::SalvageNewIdentity) {
            file = renamed(&old, &kept, epoch);
        } else {
            file.store.salvage(|id| kept.contains(&id), blind, epoch);
        }
        self.say(|| {
            format!(
                "the file of edge {edge} is damaged, {} rows are left, blind: {blind}",
                kept.len()
            )
        });
        self.replace_file(edge, file);
        if !blind {
            let bounds = old.bounds();
            let unacked = |id: &&EventId| {
                bounds
                    .iter()
                    .any(|of: &EpochBounds| of.epoch == id.epoch && id.seq > of.acked)
            };
            let gone = old.store.rows().keys().filter(unacked).filter(|id| !kept.contains(id));
            self.truth.owed = gone.copied().collect();
        }
    }

    pub fn wipe(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        self.kill_process(edge);
        self.say(|| format!("the file of edge {edge} is lost"));
        let file = File::new(Epoch::from_bits(fresh(&mut self.ids)));
        self.replace_file(edge, file);
    }

    /// A byte of a row's text changes on the disk.
    pub fn rot(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        let ids: Vec<EventId> = self.edges[edge].file.store.rows().keys().copied().collect();
        if let Some(id) = chance.pick(&ids) {
            let file = &mut self.edges[edge].file;
            let cycle = file.store.rows().get(&id).and_then(capture_of);
            file.store.rot(id);
            self.truth.vanished.extend(cycle);
            self.say(|| format!("row {id} of edge {edge} rots"));
        }
    }

    /// Rows that a fault took out of a file: their weighings may be lost where the server has not stored them.
    fn replace_file(&mut self, edge: usize, file: File) {
        let old = std::mem::replace(&mut self.edges[edge].file, file);
        let now = self.edges[edge].file.captures();
        for (cycle, had_slip) in old.captures() {
            if !now.contains_key(&cycle) {
                self.truth.vanished.insert(cycle);
            }
            if had_slip && now.get(&cycle) != Some(&true) {
                self.truth.printed.insert(cycle, None);
            }
        }
        // A later fault may take the bookkeeping of an earlier one.
        self.truth.owed.clear();
    }

    pub fn clone_edge(&mut self, chance: &mut Chance) {
        if self.edges.len() > 2 || self.edges.iter().any(|edge| edge.key > 2) {
            return;
        }
        let edge = self.some_edge(chance);
        let of = &self.edges[edge];
        let (key, station, file, images) = (of.key, of.station, of.file.clone(), of.images.clone());
        let boot = Uuid::from_u128(fresh(&mut self.ids));
        let mut clone = Edge::new(key, station, Epoch::from_bits(0), boot, self.now);
        (clone.file, clone.images) = (file, images);
        self.truth.forked = true;
        self.edges.push(clone);
        self.say(|| format!("edge {edge} is cloned"));
    }

    /// The edge is set up anew under another key; its old registration ends now or later.
    pub fn reregister(&mut self, chance: &mut Chance) {
        let key = self.edges[0].key;
        let cloned = self.edges[1..].iter().any(|edge| edge.key == key);
        if cloned || self.edges.iter().any(|edge| edge.key > 2) {
            return;
        }
        self.kill_process(0);
        let station = self.edges[0].station;
        self.edges[0].key = 10;
        let before = self.db.stations.get(&station).cloned();
        self.db.with_station(station, 10);
        if let (Some(before), Some(row)) = (before, mutable(&mut self.db.stations).get_mut(&station)) {
            (row.trusted_since, row.status, row.deck) = (before.trusted_since, before.status, before.deck);
        }
        if chance.one_in(2)
            && let Some(old) = mutable(&mut self.db.gateways).get_mut(&key)
        {
            old.is_active = false;
        }
        self.say(|| "edge 0 gets another key".to_owned());
    }

    /// Retention runs; it may take nothing that the server never said to have.
    pub fn prune(&mut self, chance: &mut Chance) {
        let edge = self.some_edge(chance);
        let before = self.now - KEPT_MS;
        let file = &mut self.edges[edge].file;
        let born = &file.born;
        let gone = file.store.prune(|row| {
            let id = EventId {
                epoch: row.event.epoch,
                seq: row.event.seq,
            };
            born.get(&id).is_some_and(|born| *born < before)
        });
        for row in gone {
            let heard = self.edges[edge].file.heard.get(&row.event.epoch).copied().unwrap_or(0);
            if row.event.seq > heard {
                self.fail("pruned: a row was dropped that the server never said to have");
            }
            self.truth.vanished.extend(capture_of(&row));
        }
    }

    pub fn replicate(&mut self) {
        self.standby = self.db.clone();
    }

    pub fn back_up(&mut self) {
        self.backups.push(self.db.clone());
        if self.backups.len() > 3 {
            self.backups.remove(0);
        }
    }

    pub fn fail_over(&mut self) {
        self.say(|| "a standby that lagged takes over".to_owned());
        self.go_back(self.standby.clone());
        self.standby = self.db.clone();
    }

    pub fn restore_database(&mut self, chance: &mut Chance) {
        let choice = chance.below(self.backups.len());
        let Some(backup) = self.backups.get(choice).cloned() else {
            return;
        };
        if chance.one_in(2) {
            for node in 0..self.nodes.len() {
                self.kill_node(node);
            }
        }
        self.say(|| "the database is restored to an older backup".to_owned());
        self.go_back(backup);
    }

    /// The database is another one, and that is noticed before it serves. Who may connect is not undone.
    fn go_back(&mut self, mut db: crate::database::Database) {
        let before = &self.db;
        let older = std::mem::replace(&mut db.gateways, before.gateways.clone());
        for (id, gateway) in mutable(&mut db.gateways) {
            gateway.session = older.get(id).and_then(|gateway| gateway.session);
        }
        db.vehicles = before.vehicles.clone();
        for (id, station) in mutable(&mut db.stations) {
            station.edge_id = before.stations.get(id).and_then(|row| row.edge_id);
        }
        let behind = before.timeline + 1 - db.timeline;
        db.timeline = before.timeline + 1;
        let jump = room(
            JUMP,
            if self.broken.contains(&Break::SameJump) {
                1
            } else {
                behind
            },
        );
        // Nobody sends again what a gateway posted.
        for (cycle, row) in before.captures.iter() {
            if row.station_id == crate::gateway::FED && !db.captures.contains_key(cycle) {
                self.truth.vanished.insert(*cycle);
            }
        }
        if let Some(gateway) = &mut self.gateway {
            gateway.answered.clear();
        }
        let jump = if self.broken.contains(&Break::RewindSlips) {
            0
        } else {
            jump
        };
        let distrusts = !self.broken.contains(&Break::RewindCalls);
        db.make_room(jump, self.time(), distrusts);
        self.version += 1;
        self.db = db;
        self.stats.restored += 1;
    }
}

/// What a salvage makes of a file that forgets who its rows are.
fn renamed(old: &File, kept: &BTreeSet<EventId>, epoch: Epoch) -> File {
    let mut file = File::new(epoch);
    (file.heard, file.born, file.cycles) = (old.heard.clone(), old.born.clone(), old.cycles.clone());
    for (id, row) in old.store.rows().iter().filter(|(id, _)| kept.contains(id)) {
        let Ok(body) = serde_json::from_str::<weighbridge_protocol::link::EventBody>(&row.event.body) else {
            continue;
        };
        let appended = file.store.append(|now| weighbridge_protocol::link::EventBody {
            epoch: now.epoch,
            seq: now.seq,
            ..body
        });
        if let (Ok(now), Some(cycle)) = (appended, old.cycles.get(id)) {
            file.cycles.insert(now, *cycle);
        }
    }
    file
}
