//! Server nodes on one database: hello, events and heartbeats, each in a transaction that a node may die over; `distort` is
//! how a broken one does it.

mod distort;

use std::{collections::BTreeMap, rc::Rc};

use chrono::TimeDelta;
use weighbridge_protocol::{
    Epoch, LinkSession,
    link::{
        Event, FromServer,
        limits::{CLOSE_FENCED, CLOSE_FORBIDDEN, CLOSE_RESTART},
        messages::{EdgeName, Hello, Welcome, Window},
    },
};

use crate::{
    breaks::Break,
    chance::Chance,
    database::{Database, Greeting, Group, mutable},
    domain::{
        edge_time::ClockModel,
        feed::station::Memory,
        intake::{
            group::Answered,
            pulse::{Standing, compare},
        },
        weighing::{Examined, examine},
    },
    edge::{Death, fresh},
    socket::{Link, Up},
    world::World,
};

/// A server's process, as far as it remembers anything.
#[derive(Debug, Default)]
pub struct Node {
    pub is_up: bool,
    /// How far each epoch is stored, by this process's memory; only a broken one believes it.
    pub remembered: BTreeMap<Epoch, i64>,
    /// Where the stations stand that are fed here.
    pub fed: BTreeMap<i64, Memory>,
}

impl World {
    /// A node takes what one socket has brought, perhaps together with another's.
    pub fn serve(&mut self, chance: &mut Chance, death: Option<Death>) {
        let waiting: Vec<usize> = self.waiting_sockets();
        if let Some(socket) = chance.pick(&waiting) {
            self.serve_socket(socket, chance, death);
        }
    }

    pub fn serve_all(&mut self, chance: &mut Chance) {
        for socket in self.waiting_sockets() {
            self.serve_socket(socket, chance, None);
        }
    }

    fn waiting_sockets(&self) -> Vec<usize> {
        let is_waiting = |key: &usize| {
            let socket = self.sockets.get(key);
            socket.is_some_and(|socket| socket.server_open && !socket.up.is_empty() && self.nodes[socket.node].is_up)
        };
        self.sockets.keys().copied().filter(is_waiting).collect()
    }

    fn serve_socket(&mut self, key: usize, chance: &mut Chance, death: Option<Death>) {
        let Some(socket) = self.sockets.get_mut(&key).filter(|socket| socket.server_open) else {
            return;
        };
        match socket.up.front() {
            None => {}
            Some(Up::Hello(_)) => {
                if let Some(Up::Hello(hello)) = socket.up.pop_front() {
                    self.greet(key, &hello, death);
                }
            }
            Some(Up::Event(_)) if socket.link.is_none() => {
                socket.up.pop_front();
            }
            Some(Up::Event(_)) => self.store(key, chance, death),
        }
    }

    fn greet(&mut self, key: usize, hello: &Hello, death: Option<Death>) {
        let Some(socket) = self.sockets.get(&key) else { return };
        let (edge, node, opened_at) = (socket.edge, socket.node, socket.opened_at);
        let edge_id = self.edges[edge].key;
        let session = LinkSession::from_bits(fresh(&mut self.ids));
        let now = self.time();
        let mut db = self.db.clone();
        let counts_loss = !self.broken.contains(&Break::LostCalls);
        let greeting = db.greet(edge_id, &hello.epochs, session, now, counts_loss);
        if death == Some(Death::Before) {
            return self.kill_node(node);
        }
        let Greeting::Welcome {
            mut have,
            mut lost,
            newly_lost,
        } = greeting
        else {
            self.say(|| format!("node {node} turns edge {edge} away"));
            if let Some(socket) = self.sockets.get_mut(&key) {
                socket.close(CLOSE_FORBIDDEN);
            }
            return;
        };
        mutable(&mut db.newest).insert(edge_id, key);
        self.put_back(db);
        self.version += newly_lost;
        if death == Some(Death::After) {
            return self.kill_node(node);
        }
        if self.broken.contains(&Break::WatermarkInMemory) {
            for (epoch, have) in &mut have {
                *have = self.nodes[node].remembered.get(epoch).copied().unwrap_or(0).max(*have);
            }
        }
        if self.broken.contains(&Break::LostFill) {
            lost.clear();
        }
        self.say(|| format!("node {node} welcomes edge {edge} on socket {key}: {have:?}, {newly_lost} newly lost"));
        let window = Window {
            events: self.window,
            bytes: 1 << 18,
        };
        let slow = !self.broken.contains(&Break::SlowHello);
        let under_way = TimeDelta::milliseconds(if slow { self.now - opened_at } else { 0 });
        let link = Link {
            edge_id,
            session,
            clock: ClockModel::new(&hello.clock, now).delayed(under_way),
            sample: hello.clock,
            awaited: None,
            have: have.clone(),
        };
        let welcome = Welcome {
            edge: EdgeName {
                id: edge_id,
                name: String::new(),
            },
            session,
            have,
            lost,
            stations: Vec::new(),
            unknown: Vec::new(),
            server_time: now.fixed_offset(),
            window,
            // Servers of two versions take turns.
            curve_steps: session.bits() & 1 == 0,
            database: None,
        };
        if let Some(socket) = self.sockets.get_mut(&key) {
            socket.link = Some(link);
            socket.say(FromServer::Welcome(welcome));
        }
    }

    /// A transaction with the events of this socket, and at times with those of another one of the same node.
    fn store(&mut self, key: usize, chance: &mut Chance, death: Option<Death>) {
        let Some(node) = self.sockets.get(&key).map(|socket| socket.node) else {
            return;
        };
        let mut members = vec![key];
        if chance.one_in(3) {
            let beside = |other: &usize| {
                let socket = self.sockets.get(other);
                *other != key && socket.is_some_and(|socket| socket.node == node && socket.link.is_some())
            };
            let others: Vec<usize> = self.waiting_sockets().into_iter().filter(beside).collect();
            members.extend(chance.pick(&others));
        }
        let mut groups = Vec::new();
        for member in &members {
            groups.extend(self.group(*member, chance));
        }
        let mut db = self.db.clone();
        let answered = db.store(&groups, &self.broken);
        let ack_first = self.broken.contains(&Break::AckBeforeCommit);
        if death == Some(Death::Before) {
            if ack_first {
                self.answer(&members, &groups, answered);
            }
            self.say(|| format!("node {node} dies before its commit"));
            return self.kill_node(node);
        }
        self.put_back(db);
        self.check_fence(&members, &groups, &answered);
        if death == Some(Death::After) {
            self.say(|| format!("node {node} dies after its commit"));
            return self.kill_node(node);
        }
        self.answer(&members, &groups, answered);
    }

    fn group(&mut self, key: usize, chance: &mut Chance) -> Option<Group> {
        let now = self.time();
        let socket = self.sockets.get_mut(&key)?;
        let one_by_one = self.broken.iter().any(|broken| {
            matches!(
                broken,
                Break::OffEnds | Break::NewCall | Break::OneCapture | Break::OtherBoot
            )
        });
        let most = if one_by_one { 1 } else { 1 + chance.below(4) };
        let events = socket.events(most);
        let link = socket.link.as_ref()?;
        let remembered = if self.broken.contains(&Break::WatermarkInMemory) {
            self.nodes[socket.node].remembered.clone()
        } else {
            link.have.clone()
        };
        let (db, broken) = (&self.db, &self.broken);
        let examined = |event: Event| {
            let mut examined = Examined {
                body: examine(&event),
                event,
                received_at: now,
            };
            distort::spoil(&mut examined, db, broken, &link.sample);
            examined
        };
        Some(Group {
            edge_id: link.edge_id,
            session: link.session,
            events: events.into_iter().map(examined).collect(),
            clock: link.clock,
            awaited: link.awaited,
            remembered,
        })
    }

    /// Nothing is committed for a connection after a newer one's hello.
    fn check_fence(&mut self, members: &[usize], groups: &[Group], answered: &[Option<Answered>]) {
        for ((key, group), answered) in members.iter().zip(groups).zip(answered) {
            let writes = answered.as_ref().is_some_and(|answered| {
                answered.tally.stored + answered.tally.duplicates + answered.tally.conflicts > 0
            });
            if writes && self.db.newest.get(&group.edge_id) != Some(key) {
                self.fail(&format!("fence: socket {key} commits after a newer session's hello"));
            }
        }
    }

    fn answer(&mut self, members: &[usize], groups: &[Group], answered: Vec<Option<Answered>>) {
        for ((key, group), answered) in members.iter().zip(groups).zip(answered) {
            let Some(mut answered) = answered else {
                self.say(|| format!("socket {key} is fenced"));
                self.stats.fenced += 1;
                if let Some(socket) = self.sockets.get_mut(key) {
                    socket.close(CLOSE_FENCED);
                }
                continue;
            };
            self.distort(&mut answered, group);
            self.say(|| format!("socket {key} is answered: {:?} {:?}", answered.tally, answered.answers));
            self.stats.count(answered.tally);
            for answer in &answered.answers {
                self.check_ack(answer);
            }
            let Some(socket) = self.sockets.get_mut(key) else {
                continue;
            };
            let node = socket.node;
            if let Some(link) = &mut socket.link {
                link.awaited = answered.awaited;
                link.have
                    .extend(answered.have.iter().map(|(epoch, have)| (*epoch, *have)));
            }
            for answer in answered.answers {
                socket.say(answer);
            }
            self.nodes[node].remembered.extend(answered.have);
        }
    }

    /// Nothing is acknowledged before its commit.
    fn check_ack(&mut self, answer: &FromServer) {
        let FromServer::Ack(ack) = answer else { return };
        if (1..=ack.through).any(|seq| !self.db.has(ack.epoch, seq)) {
            self.fail("early: an acknowledgement was sent before its commit");
        }
    }

    /// With each ping a node looks at the edge's clock, at who is newest, and at how far its epochs are stored.
    pub fn ping(&mut self) {
        let (now, broken) = (self.time(), self.broken.contains(&Break::HavePing));
        for key in self.sockets.keys().copied().collect::<Vec<_>>() {
            let Some(socket) = self
                .sockets
                .get(&key)
                .filter(|socket| socket.server_open && !socket.is_cut)
            else {
                continue;
            };
            let clock = self.clock_of(socket.edge);
            let Some(socket) = self.sockets.get_mut(&key) else {
                continue;
            };
            let Some(link) = &mut socket.link else { continue };
            if broken || !self.nodes[socket.node].is_up {
                continue;
            }
            link.clock = link.clock.refined(ClockModel::new(&clock, now));
            let newest = self.db.newest_session(link.edge_id);
            let known = |epoch: &Epoch| {
                let row = self.db.epochs.get(epoch).filter(|row| row.edge_id == link.edge_id)?;
                Some((*epoch, row.have))
            };
            let stored = link.have.keys().filter_map(known).collect();
            match compare(link.session, &mut link.have, &mut link.awaited, newest, &stored) {
                Standing::Newest => {}
                Standing::Fenced => socket.close(CLOSE_FENCED),
                Standing::Unknown => socket.close(CLOSE_RESTART),
                Standing::WentBack(nack) => socket.say(FromServer::Nack(nack)),
            }
        }
    }

    /// A transaction is committed.
    pub fn put_back(&mut self, db: Database) {
        self.version += u64::from(!Rc::ptr_eq(&self.db.events, &db.events));
        self.db = db;
    }

    pub fn kill_node(&mut self, node: usize) {
        let keeps = self.broken.contains(&Break::WatermarkInMemory);
        let at = &mut self.nodes[node];
        at.is_up = false;
        at.fed.clear();
        if !keeps {
            at.remembered.clear();
        }
        for socket in self.sockets.values_mut().filter(|socket| socket.node == node) {
            (socket.server_open, socket.is_cut, socket.link) = (false, true, None);
            socket.up.clear();
            // What was on the way may or may not arrive.
            if self.now % 2 == 0 {
                socket.down.clear();
            }
        }
    }
}
