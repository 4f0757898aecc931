//! An edge's side of the link: connects, sends what the sender says, and takes what the server answers.

use std::collections::BTreeMap;

use weighbridge_protocol::{
    Epoch,
    link::{
        FromServer, Output, Sender, Store,
        acks::GatheredAcks,
        limits::PROTOCOL,
        messages::{Ack, Hello},
        reconnect::{Ending, wait_before_reconnect},
        sender::Notice,
    },
};

use super::fresh;
use crate::{
    breaks::Break,
    chance::Chance,
    file::Seen,
    socket::{Down, Socket, Up},
    world::World,
};

impl World {
    /// Connects to a node that is up.
    pub fn connect_edge(&mut self, edge: usize, chance: &mut Chance) -> bool {
        let clock = self.clock_of(edge);
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_up).collect();
        let at = &mut self.edges[edge];
        let Some(process) = at.process.as_mut().filter(|process| process.socket.is_none()) else {
            return false;
        };
        let Some(node) = chance.pick(&nodes).filter(|_| self.now >= at.wait_until) else {
            return false;
        };
        if !self.db.gateways.get(&at.key).is_some_and(|gateway| gateway.is_active) {
            self.hang_up(edge, Ending::Refused, chance);
            return false;
        }
        let seen = Seen {
            store: &mut at.file.store,
            broken: &self.broken,
            named: None,
            have: &BTreeMap::new(),
        };
        let Ok(epochs) = process.sender.hello(&seen);
        process.named = epochs.iter().map(|state| state.epoch).collect();
        process.socket = Some(self.next_socket);
        let hello = Hello {
            protocol: PROTOCOL,
            version: String::new(),
            epochs,
            stations: Vec::new(),
            clock,
        };
        let key = self.next_socket;
        self.say(|| {
            format!(
                "edge {edge} says hello to node {node} on socket {key}: {:?}",
                hello.epochs
            )
        });
        self.sockets
            .insert(self.next_socket, Socket::new(edge, node, self.now, hello));
        self.next_socket += 1;
        true
    }

    /// The connection is over, or there was none; after a while the edge tries again.
    pub fn hang_up(&mut self, edge: usize, ending: Ending, chance: &mut Chance) {
        let at = &mut self.edges[edge];
        let Some(process) = &mut at.process else { return };
        process.sender.disconnected();
        process.scale.unlinked();
        if self.broken.contains(&Break::UntilWelcome) {
            process.scale.welcomed();
        }
        process.acks = GatheredAcks::default();
        if std::mem::take(&mut process.welcomed) {
            process.attempts = 0;
        }
        let luck = f64::from(u32::try_from(chance.below(1_000)).unwrap_or(0)) / 1_000.0;
        let wait = wait_before_reconnect(ending, process.attempts, luck);
        process.attempts += 1;
        at.wait_until = self.now + i64::try_from(wait.as_millis()).unwrap_or(0);
        if let Some(socket) = process.socket.take().and_then(|key| self.sockets.get_mut(&key)) {
            socket.drop_by_edge();
        }
    }

    pub fn pump_edge(&mut self, edge: usize, chance: &mut Chance) {
        self.write_acks(edge, None, chance);
        self.with_sender(edge, chance, &BTreeMap::new(), |sender, seen, _| sender.pump(seen));
    }

    /// Lets the sender do something with the file, and carries out what it says.
    fn with_sender(
        &mut self,
        edge: usize,
        chance: &mut Chance,
        have: &BTreeMap<Epoch, i64>,
        work: impl FnOnce(&mut Sender, &mut Seen<'_>, Epoch) -> Result<Vec<Output>, std::convert::Infallible>,
    ) {
        let new_epoch = Epoch::from_bits(fresh(&mut self.ids));
        let at = &mut self.edges[edge];
        let Some(process) = &mut at.process else { return };
        let mut seen = Seen {
            store: &mut at.file.store,
            broken: &self.broken,
            named: self.broken.contains(&Break::EpochHello).then_some(&process.named),
            have,
        };
        let Ok(outputs) = work(&mut process.sender, &mut seen, new_epoch);
        for output in outputs {
            self.carry_out(edge, output, chance);
        }
    }

    fn carry_out(&mut self, edge: usize, output: Output, chance: &mut Chance) {
        let at = &mut self.edges[edge];
        let Some(process) = &mut at.process else { return };
        match output {
            Output::Send(event) => {
                let Some(socket) = process.socket.and_then(|key| self.sockets.get_mut(&key)) else {
                    return;
                };
                if self.broken.contains(&Break::DeleteOnSend) {
                    let id = weighbridge_protocol::link::EventId {
                        epoch: event.epoch,
                        seq: event.seq,
                    };
                    let Ok(()) = at.file.store.set_aside(id);
                }
                if !socket.is_cut {
                    socket.up.push_back(Up::Event(event));
                }
            }
            Output::Reconnect(reason) => {
                self.say(|| format!("edge {edge} says hello anew: {reason:?}"));
                self.hang_up(edge, Ending::Lost, chance);
            }
            Output::Notice(notice) => {
                if let Notice::Reborn { from, to } = notice {
                    let file = &mut self.edges[edge].file;
                    if let Some(born) = file.born.get(&from).copied() {
                        file.born.insert(to, born);
                    }
                    if let Some(cycle) = file.cycles.get(&from).copied() {
                        file.cycles.insert(to, cycle);
                    }
                }
                self.say(|| format!("edge {edge} reports {notice:?}"));
            }
        }
    }

    /// Takes the next message of the server.
    pub fn receive_edge(&mut self, edge: usize, chance: &mut Chance) {
        let socket = self.edges[edge].socket().and_then(|key| self.sockets.get_mut(&key));
        let Some((down, more)) = socket.and_then(|socket| Some((socket.down.pop_front()?, !socket.down.is_empty())))
        else {
            return;
        };
        self.say(|| format!("edge {edge} receives {down:?}"));
        match down {
            Down::Close(code) => self.hang_up(edge, Ending::Closed(code), chance),
            Down::Message(message) => match *message {
                FromServer::Ack(ack) => {
                    let Some(process) = &mut self.edges[edge].process else {
                        return;
                    };
                    let due = process.acks.add(ack);
                    self.write_acks(edge, due, chance);
                    if !more || chance.one_in(2) {
                        self.write_acks(edge, None, chance);
                    }
                }
                FromServer::Welcome(welcome) => {
                    self.write_acks(edge, None, chance);
                    self.welcomed(edge);
                    let file = &mut self.edges[edge].file;
                    file.store.write_curves_as(welcome.curve_form());
                    file.heard
                        .extend(welcome.have.iter().map(|(epoch, have)| (*epoch, *have)));
                    self.with_sender(edge, chance, &welcome.have, |sender, seen, epoch| {
                        sender.welcome(seen, &welcome, || epoch)
                    });
                }
                FromServer::Nack(nack) => {
                    self.write_acks(edge, None, chance);
                    self.edges[edge].file.heard.insert(nack.epoch, nack.have);
                    self.with_sender(edge, chance, &BTreeMap::new(), |sender, seen, epoch| {
                        sender.nack(seen, &nack, || epoch)
                    });
                }
                _ => {}
            },
        }
    }

    fn welcomed(&mut self, edge: usize) {
        let station = self.edges[edge].station;
        if let Some(process) = &mut self.edges[edge].process {
            process.scale.welcomed();
            process.welcomed = true;
        }
        self.yard.linked_since_left.insert(station, true);
        self.keep(edge);
    }

    /// Writes down acknowledgements: this one, or what has gathered.
    fn write_acks(&mut self, edge: usize, due: Option<Ack>, chance: &mut Chance) {
        let Some(process) = &mut self.edges[edge].process else {
            return;
        };
        let Some(ack) = due.or_else(|| process.acks.take()) else {
            return;
        };
        let file = &mut self.edges[edge].file;
        let heard = file.heard.entry(ack.epoch).or_default();
        *heard = ack.through.max(*heard);
        self.note_receipts(edge, &ack);
        let before = self.edges[edge].file.bounds_of(ack.epoch);
        self.with_sender(edge, chance, &BTreeMap::new(), |sender, seen, _| sender.ack(seen, &ack));
        let after = self.edges[edge].file.bounds_of(ack.epoch);
        if let (Some(before), Some(after)) = (before, after)
            && (after.acked < before.acked || after.acked >= after.next_seq)
        {
            self.fail("acked: an acknowledgement lowered it, or lifted it beyond the file");
        }
    }
}
