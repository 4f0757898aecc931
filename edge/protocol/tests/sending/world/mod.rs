//! Edges with their files, sockets between them and the server, and what happens when all goes well.

mod faults;
mod socket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use weighbridge_protocol::{
    CycleId, Epoch, LinkSession,
    link::{EventId, FromServer, MemoryStore, Output, Sender, Store, store::EpochBounds},
};

use self::socket::{Down, Socket, Up};
use crate::{
    bodies::{capture_body, cycles},
    chance::Chance,
    server::Database,
};

/// A file, and what its edge was told that the server has; an image holds both.
#[derive(Clone)]
pub struct File {
    pub store: MemoryStore,
    heard: BTreeMap<Epoch, i64>,
}

struct Edge {
    file: File,
    image: Option<File>,
    sender: Sender,
    socket: Option<usize>,
    /// Fenced: it stays away for so many steps.
    waits: usize,
}

pub struct World {
    pub chance: Chance,
    pub db: Database,
    standby: Database,
    backup: Option<Database>,
    sockets: BTreeMap<usize, Socket>,
    next_socket: usize,
    edges: Vec<Edge>,
    /// The cycles that were shown as committed.
    pub told: BTreeSet<CycleId>,
    /// Those whose row a fault took from a file.
    vanished: BTreeSet<CycleId>,
    /// Rows whose loss the file knows of, so that it must be counted at the server.
    owed: BTreeSet<EventId>,
    pub forked: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let file = File {
            store: MemoryStore::new(Epoch::from_bits(chance.bits())),
            heard: BTreeMap::new(),
        };
        Self {
            chance,
            db: Database::default(),
            standby: Database::default(),
            backup: None,
            sockets: BTreeMap::new(),
            next_socket: 0,
            edges: vec![Edge::new(file)],
            told: BTreeSet::new(),
            vanished: BTreeSet::new(),
            owed: BTreeSet::new(),
            forked: false,
        }
    }

    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.edges.iter().map(|edge| &edge.file)
    }

    /// Whether the weighing is in a file, or should be at the server because no fault took it.
    pub fn is_owed_a_weighing(&self, cycle: CycleId) -> bool {
        let held = self.files().any(|file| cycles(&file.store).contains(&cycle));
        held || !self.vanished.contains(&cycle)
    }

    pub const fn owed_losses(&self) -> &BTreeSet<EventId> {
        &self.owed
    }

    fn some_edge(&mut self) -> usize {
        self.chance.below(self.edges.len())
    }

    fn some_socket(&mut self) -> Option<usize> {
        let keys: Vec<usize> = self.sockets.keys().copied().collect();
        keys.get(self.chance.below(keys.len())).copied()
    }

    /// A truck is captured, and its driver is told.
    pub fn capture(&mut self) {
        let edge = self.some_edge();
        let cycle = CycleId::from_bits(self.chance.bits());
        let appended = self.edges[edge].file.store.append(|id| capture_body(id, cycle));
        appended.expect("a body is JSON");
        self.told.insert(cycle);
    }

    pub fn connect(&mut self) {
        let edge = self.some_edge();
        self.connect_edge(edge);
    }

    pub fn connect_edge(&mut self, edge: usize) {
        let at = &mut self.edges[edge];
        at.waits = at.waits.saturating_sub(1);
        if at.socket.is_some() || at.waits > 0 {
            return;
        }
        let hello = at.sender.hello(&at.file.store).expect("memory does not fail");
        at.socket = Some(self.next_socket);
        let socket = Socket {
            up: VecDeque::from([Up::Hello(hello)]),
            down: VecDeque::new(),
            session: None,
            is_cut: false,
        };
        self.sockets.insert(self.next_socket, socket);
        self.next_socket += 1;
    }

    pub fn pump(&mut self) {
        let edge = self.some_edge();
        self.pump_edge(edge);
    }

    pub fn pump_edge(&mut self, edge: usize) {
        let at = &mut self.edges[edge];
        let outputs = at.sender.pump(&mut at.file.store).expect("memory does not fail");
        self.carry_out(edge, outputs);
    }

    fn carry_out(&mut self, edge: usize, outputs: Vec<Output>) {
        for output in outputs {
            let Some(socket) = self.edges[edge].socket.and_then(|key| self.sockets.get_mut(&key)) else {
                return;
            };
            match output {
                Output::Send(event) if !socket.is_cut => socket.up.push_back(Up::Event(Box::new(event))),
                Output::Send(_) | Output::Notice(_) => {}
                Output::Reconnect(_) => self.hang_up(edge),
            }
        }
    }

    /// The edge lets go of its socket; what it wrote may still arrive.
    fn hang_up(&mut self, edge: usize) {
        let at = &mut self.edges[edge];
        at.sender.disconnected();
        if let Some(socket) = at.socket.take().and_then(|key| self.sockets.get_mut(&key)) {
            socket.is_cut = true;
            socket.down.clear();
        }
    }

    pub fn receive(&mut self) {
        let edge = self.some_edge();
        self.receive_edge(edge);
    }

    pub fn receive_edge(&mut self, edge: usize) {
        let key = self.edges[edge].socket;
        let Some(down) = key.and_then(|key| self.sockets.get_mut(&key)?.down.pop_front()) else {
            return;
        };
        let fresh = Epoch::from_bits(self.chance.bits());
        let at = &mut self.edges[edge];
        let (sender, store, heard) = (&mut at.sender, &mut at.file.store, &mut at.file.heard);
        let is_ack = matches!(down, Down::Message(FromServer::Ack(_)));
        let before = store.epochs().expect("memory does not fail");
        let outputs = match down {
            Down::Message(FromServer::Welcome(welcome)) => {
                heard.extend(welcome.have.iter().map(|(&epoch, &have)| (epoch, have)));
                sender.welcome(store, &welcome, || fresh)
            }
            Down::Message(FromServer::Ack(ack)) => {
                let known = heard.entry(ack.epoch).or_default();
                *known = ack.through.max(*known);
                sender.ack(store, &ack)
            }
            Down::Message(FromServer::Nack(nack)) => {
                heard.insert(nack.epoch, nack.have);
                sender.nack(store, &nack, || fresh)
            }
            Down::Message(_) => Ok(Vec::new()),
            Down::Fenced => {
                at.waits = 3;
                return self.hang_up(edge);
            }
        };
        self.carry_out(edge, outputs.expect("memory does not fail"));
        self.check_acked(edge, &before, is_ack);
    }

    /// `acked` stays within its epoch, and an acknowledgement never lowers it.
    fn check_acked(&self, edge: usize, before: &[EpochBounds], is_ack: bool) {
        let after = self.edges[edge].file.store.epochs().expect("memory does not fail");
        for (now, then) in after.iter().zip(before) {
            assert!((0..now.next_seq).contains(&now.acked), "{now:?}");
            assert!(!is_ack || now.acked >= then.acked, "{then:?} became {now:?} by an ack");
        }
    }

    pub fn serve(&mut self) {
        if let Some(key) = self.some_socket() {
            self.serve_socket(key, Fate::Commits);
        }
    }

    /// The server dies before the commit, or after it and before it could answer.
    pub fn die_serving(&mut self) {
        if let Some(key) = self.some_socket() {
            let fate = if self.chance.one_in(2) {
                Fate::DiesBefore
            } else {
                Fate::DiesAfter
            };
            self.serve_socket(key, fate);
            for socket in self.sockets.values_mut() {
                socket.is_cut = true;
                socket.up.clear();
                socket.session = None;
            }
        }
    }

    pub fn serve_all(&mut self) {
        for key in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.serve_socket(key, Fate::Commits);
        }
    }

    fn serve_socket(&mut self, key: usize, fate: Fate) {
        let most = 1 + self.chance.below(3);
        let session = LinkSession::from_bits(self.chance.bits());
        let Some(socket) = self.sockets.get_mut(&key) else {
            return;
        };
        let Some(first) = socket.up.pop_front() else {
            return self.drop_if_done(key);
        };
        let mut db = self.db.clone();
        let answers = match first {
            Up::Hello(epochs) => {
                let (session, welcome) = db.hello(&epochs, session);
                socket.session = Some(session);
                Ok(vec![FromServer::Welcome(welcome)])
            }
            Up::Event(first) => {
                let group = socket.group(*first, most);
                match &mut socket.session {
                    Some(session) => db.take(session, &group),
                    None => Ok(Vec::new()),
                }
            }
        };
        if fate != Fate::DiesBefore && answers.is_ok() {
            self.db = db;
        }
        if fate == Fate::Commits && !socket.is_cut {
            socket.answer(answers);
        }
    }

    fn drop_if_done(&mut self, key: usize) {
        let in_use = self.edges.iter().any(|edge| edge.socket == Some(key));
        self.sockets
            .retain(|&other, socket| other != key || in_use || !socket.is_cut);
    }

    pub fn ping(&mut self) {
        for socket in self.sockets.values_mut().filter(|socket| !socket.is_cut) {
            if let Some(session) = &mut socket.session {
                let answer = self.db.ping(session).map(|nack| nack.into_iter().collect());
                socket.answer(answer);
            }
        }
    }

    /// A moment in which all goes well.
    pub fn flow(&mut self) {
        for _ in 0..4 {
            (0..self.edges.len()).for_each(|edge| self.connect_edge(edge));
            self.serve_all();
            (0..self.edges.len()).for_each(|edge| self.receive_edge(edge));
            (0..self.edges.len()).for_each(|edge| self.pump_edge(edge));
        }
    }

    /// Whether nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        self.sockets
            .values()
            .all(|socket| socket.up.is_empty() && socket.down.is_empty())
    }

    /// Whether every row of every file is acknowledged.
    pub fn is_drained(&self) -> bool {
        self.files().all(|file| {
            let bounds = file.store.epochs().expect("memory does not fail");
            let acked = |id: &EventId| bounds.iter().any(|of| of.epoch == id.epoch && id.seq <= of.acked);
            file.store.rows().keys().all(acked)
        })
    }

    pub fn edges(&self) -> usize {
        self.edges.len()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Commits,
    DiesBefore,
    DiesAfter,
}

impl Edge {
    fn new(file: File) -> Self {
        Self {
            file,
            image: None,
            sender: Sender::default(),
            socket: None,
            waits: 0,
        }
    }
}
