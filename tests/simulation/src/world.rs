//! All there is: yard, edges, sockets, nodes, database, ERP; and the truth, which nobody in it knows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        EventId,
        messages::{Ack, DeckState},
        reconnect::Ending,
    },
    scale::Deck,
};

use crate::{
    breaks::Break,
    chance::Chance,
    database::{Database, Outgoing},
    domain::intake::group::Tally,
    edge::{Edge, fresh},
    gateway::{FED, Gateway},
    server::Node,
    socket::Socket,
    yard::Yard,
};

/// A machine has run for a while when its edge starts.
const BEGAN_MS: i64 = 1_000_000;

/// What a world is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    pub stations: i64,
    pub nodes: usize,
    pub has_feed: bool,
    /// How many events may be unacknowledged.
    pub window: usize,
}

/// What a captured cycle was in truth.
#[derive(Clone, Copy, Debug)]
pub struct CycleTruth {
    pub stay: usize,
    pub weight: Kilograms,
    pub gap: bool,
    pub edge: usize,
}

/// What the checks know.
#[derive(Debug, Default)]
pub struct Truth {
    pub cycles: BTreeMap<CycleId, CycleTruth>,
    /// Cycles whose driver has seen 저장.
    pub told: BTreeSet<CycleId>,
    /// Cycles whose row a fault took out of a file, or out of a database that nobody fills again.
    pub vanished: BTreeSet<CycleId>,
    /// Rows whose loss the file knows of, so that it must be counted at the server.
    pub owed: BTreeSet<EventId>,
    /// The slip that was printed for a cycle; none where its receipt was lost with the file.
    pub printed: BTreeMap<CycleId, Option<String>>,
    /// Whether two files had one epoch.
    pub forked: bool,
    /// Cycles whose truck moved after its capture.
    pub moved: BTreeSet<CycleId>,
    /// The wall clock at each reading; only for an edge that measures outages on it.
    pub seen_wall: BTreeMap<(Uuid, i64), i64>,
}

/// What happened, over many worlds: a simulation in which nothing happens proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub runs: u64,
    pub told: u64,
    pub completed: u64,
    pub two_passes: u64,
    pub unassigned: u64,
    pub gaps: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub rejected: u64,
    pub fenced: u64,
    pub lost: u64,
    pub restored: u64,
    pub moved: u64,
    pub fed: u64,
}

#[derive(Debug)]
pub struct World {
    pub now: i64,
    pub ids: u128,
    pub broken: Vec<Break>,
    pub window: usize,
    pub db: Database,
    pub standby: Database,
    pub backups: Vec<Database>,
    pub nodes: Vec<Node>,
    pub sockets: BTreeMap<usize, Socket>,
    pub next_socket: usize,
    pub edges: Vec<Edge>,
    pub yard: Yard,
    pub gateway: Option<Gateway>,
    pub erp: BTreeMap<Uuid, Outgoing>,
    /// Counts what is stored, so that edges can be seen to be in step.
    pub version: u64,
    pub truth: Truth,
    pub stats: Stats,
    pub violation: Option<String>,
    pub trace: Option<Vec<String>>,
}

impl World {
    pub fn new(plan: Plan, broken: &[Break]) -> Self {
        let mut world = Self {
            now: BEGAN_MS,
            ids: 0,
            broken: broken.to_vec(),
            window: plan.window,
            db: Database::default(),
            standby: Database::default(),
            backups: Vec::new(),
            nodes: (0..plan.nodes)
                .map(|_| Node {
                    is_up: true,
                    ..Node::default()
                })
                .collect(),
            sockets: BTreeMap::new(),
            next_socket: 0,
            edges: Vec::new(),
            yard: Yard::default(),
            gateway: None,
            erp: BTreeMap::new(),
            version: 0,
            truth: Truth::default(),
            stats: Stats::default(),
            violation: None,
            trace: None,
        };
        for station in 1..=plan.stations {
            world.db.with_station(station, station);
            let (epoch, boot) = (
                Epoch::from_bits(world.fresh_bits()),
                Uuid::from_u128(world.fresh_bits()),
            );
            world.edges.push(Edge::new(station, station, epoch, boot, world.now));
            world.add_deck(station);
        }
        if plan.has_feed {
            world.db.with_station(FED, FED);
            world.add_deck(FED);
            world.gateway = Some(Gateway::default());
        }
        for edge in 0..world.edges.len() {
            world.start_edge(edge);
        }
        world.flow(&mut Chance::new(0));
        world.standby = world.db.clone();
        world
    }

    pub const fn fresh_bits(&mut self) -> u128 {
        fresh(&mut self.ids)
    }

    pub fn moment(ms: i64) -> DateTime<Utc> {
        const BEGINNING: i64 = 1_769_317_200;
        DateTime::<Utc>::from_timestamp(BEGINNING, 0).unwrap_or_default() + TimeDelta::milliseconds(ms)
    }

    pub fn time(&self) -> DateTime<Utc> {
        Self::moment(self.now)
    }

    pub fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let ms = self.now - BEGAN_MS;
            trace.push(format!("{:>5}.{} s  {}", ms / 1_000, ms % 1_000 / 100, what()));
        }
    }

    pub fn fail(&mut self, what: &str) {
        self.violation.get_or_insert_with(|| what.to_owned());
    }

    /// Whether the server is talked to, seen from above.
    pub fn link_up(&self, station: i64) -> bool {
        if station == FED {
            return self.nodes.iter().any(|node| node.is_up);
        }
        self.edges.iter().filter(|edge| edge.station == station).any(|edge| {
            let socket = edge.socket().and_then(|key| self.sockets.get(&key));
            let open =
                socket.is_some_and(|socket| !socket.is_cut && socket.server_open && self.nodes[socket.node].is_up);
            open && edge.process.as_ref().is_some_and(|process| process.welcomed)
        })
    }

    /// Whether a node believes that the station's edge is linked: to others no truck is called.
    pub fn server_sees(&self, station: i64) -> bool {
        if station == FED {
            return self.link_up(station);
        }
        let edge_id = self.db.stations.get(&station).and_then(|row| row.edge_id);
        self.sockets.values().any(|socket| {
            let linked = socket.link.as_ref().map(|link| link.edge_id);
            socket.server_open && self.nodes[socket.node].is_up && linked.is_some() && linked == edge_id
        })
    }

    /// Whether a process or a gateway reads this deck.
    pub fn is_read(&self, station: i64) -> bool {
        station == FED
            || self
                .edges
                .iter()
                .any(|edge| edge.station == station && edge.process.is_some())
    }

    /// What the newest reading shows of this deck.
    pub fn shows(&self, station: i64) -> Option<DeckState> {
        if station == FED {
            let fed = self.db.cycles.get(&FED)?;
            return (fed.state.deck == Deck::Empty).then_some(DeckState::Empty);
        }
        let edge = self.edges.iter().find(|edge| edge.station == station)?;
        Some(edge.process.as_ref()?.scale.deck())
    }

    /// Whether something of this station is still under way: no deadline runs then.
    pub fn is_busy(&self, station: i64) -> bool {
        if station == FED {
            return self.gateway.as_ref().is_some_and(|gateway| !gateway.is_idle());
        }
        self.edges.iter().filter(|edge| edge.station == station).any(|edge| {
            let socket = edge.socket().and_then(|key| self.sockets.get(&key));
            edge.file.has_unsent() || socket.is_some_and(|socket| !socket.up.is_empty())
        })
    }

    /// The board of a station says 저장 for this cycle, to whoever stands there.
    pub fn tell(&mut self, cycle: CycleId, station: i64) {
        let Some(truth) = self.truth.cycles.get(&cycle).copied() else {
            return self.fail("phantom: 저장 is shown for a cycle that nobody captured");
        };
        match self.yard.stands(station) {
            Some(stay) if stay.id == truth.stay => self.tell_of(cycle),
            // A truck that has left does not see it.
            None => {}
            Some(stay) => self.fail(&format!(
                "told-wrong: stay {} is shown 저장 for stay {}",
                stay.id, truth.stay
            )),
        }
    }

    pub fn tell_of(&mut self, cycle: CycleId) {
        if let Some(truth) = self.truth.cycles.get(&cycle)
            && self.truth.told.insert(cycle)
        {
            self.yard.told.insert(truth.stay);
        }
    }

    pub fn note_capture(&mut self, edge: usize, cycle: CycleId, weight: Kilograms, gap: bool) {
        let Some(stay) = self.yard.stands(self.edges[edge].station) else {
            return self.fail("phantom: an empty deck was captured");
        };
        if weight.distance(Kilograms::from_whole(stay.kg)) > Kilograms::from_whole(20) {
            return self.fail(&format!(
                "altered: {weight} kg were captured of a truck of {} kg",
                stay.kg
            ));
        }
        let truth = CycleTruth {
            stay: stay.id,
            weight,
            gap,
            edge,
        };
        self.truth.cycles.insert(cycle, truth);
    }

    /// What an edge learns from an acknowledgement is printed.
    pub fn note_receipts(&mut self, edge: usize, ack: &Ack) {
        for numbered in &ack.receipts {
            let id = EventId {
                epoch: ack.epoch,
                seq: numbered.seq,
            };
            let file = &self.edges[edge].file;
            if let (Some(cycle), Some(slip)) = (file.cycles.get(&id), &numbered.receipt.slip_number)
                && file.store.rows().contains_key(&id)
            {
                self.truth.printed.entry(*cycle).or_insert_with(|| Some(slip.clone()));
            }
        }
    }

    /// Whether nothing is on its way, in either direction.
    pub fn is_quiet(&self) -> bool {
        let quiet = |socket: &Socket| {
            let heard = !socket.server_open || socket.up.is_empty();
            heard && (!socket.edge_open || socket.down.is_empty())
        };
        self.sockets.values().all(quiet)
    }

    /// A moment in which all goes well.
    pub fn flow(&mut self, chance: &mut Chance) {
        for edge in 0..self.edges.len() {
            self.connect_edge(edge, chance);
        }
        for _ in 0..3 {
            self.serve_all(chance);
            for edge in 0..self.edges.len() {
                self.receive_edge(edge, chance);
                self.pump_edge(edge, chance);
            }
        }
        for edge in 0..self.edges.len() {
            self.look_at_deck(edge, 5, None);
        }
        if self.gateway.is_some() {
            self.post(chance, None);
        }
        self.correct_decks();
    }

    pub fn correct_decks(&mut self) {
        let stations: Vec<i64> = self.yard.decks.keys().copied().collect();
        for station in stations {
            self.correct_deck(station);
        }
    }

    pub fn notice_edge(&mut self, edge: usize, chance: &mut Chance) {
        let socket = self.edges[edge].socket().and_then(|key| self.sockets.get(&key));
        if socket.is_some_and(|socket| socket.is_cut && socket.down.is_empty()) {
            self.say(|| format!("edge {edge} sees the cut"));
            self.hang_up(edge, Ending::Lost, chance);
        }
    }

    /// Nodes let go of sockets that are cut and read to their end.
    pub fn notice_nodes(&mut self) {
        for socket in self.sockets.values_mut() {
            if socket.is_cut && socket.up.is_empty() {
                socket.server_open = false;
            }
        }
        let held: BTreeSet<usize> = self.edges.iter().filter_map(Edge::socket).collect();
        self.sockets
            .retain(|key, socket| socket.server_open || held.contains(key));
    }

    pub fn deliver_erp(&mut self) {
        for (key, outgoing) in self.db.outbox.iter() {
            self.erp.entry(*key).or_insert(*outgoing);
        }
    }
}

impl Stats {
    pub fn count(&mut self, tally: Tally) {
        self.duplicates += tally.duplicates;
        self.conflicts += tally.conflicts;
        self.rejected += tally.rejected;
    }

    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.told += other.told;
        self.completed += other.completed;
        self.two_passes += other.two_passes;
        self.unassigned += other.unassigned;
        self.gaps += other.gaps;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.rejected += other.rejected;
        self.fenced += other.fenced;
        self.lost += other.lost;
        self.restored += other.restored;
        self.moved += other.moved;
        self.fed += other.fed;
    }
}
