//! What may go wrong: with cables, processes, databases and files.

use std::collections::{BTreeMap, BTreeSet};

use weighbridge_protocol::{
    Epoch,
    link::{EventId, MemoryStore, Sender, Store},
};

use super::{Edge, File, World, socket::Up};
use crate::{
    bodies::{cycle_of, cycles},
    server::Database,
};

impl World {
    pub fn cut(&mut self) {
        if let Some(socket) = self.some_socket().and_then(|key| self.sockets.get_mut(&key)) {
            socket.is_cut = true;
            socket.down.clear();
            let arrives = self.chance.below(3);
            socket.up.truncate(arrives);
        }
    }

    pub fn notice_cuts(&mut self) {
        for edge in 0..self.edges.len() {
            let key = self.edges[edge].socket;
            let alive = key.is_some_and(|key| self.sockets.get(&key).is_some_and(|socket| !socket.is_cut));
            if key.is_some() && !alive {
                self.hang_up(edge);
            }
        }
    }

    /// A bit flips on the way, in what was sent last.
    pub fn flip(&mut self) {
        if let Some(socket) = self.some_socket().and_then(|key| self.sockets.get_mut(&key))
            && let Some(Up::Event(event)) = socket.up.back_mut()
        {
            event.body.push('~');
        }
    }

    pub fn kill_edge(&mut self) {
        let edge = self.some_edge();
        self.hang_up(edge);
        self.edges[edge].sender = Sender::default();
    }

    pub fn replicate(&mut self) {
        self.standby = self.db.clone();
    }

    pub fn back_up(&mut self) {
        self.backup = Some(self.db.clone());
    }

    pub fn fail_over(&mut self) {
        self.rewind(self.standby.clone());
    }

    pub fn restore_database(&mut self) {
        if let Some(backup) = self.backup.clone() {
            self.rewind(backup);
        }
    }

    fn rewind(&mut self, older: Database) {
        self.db.go_back_to(older);
        self.standby = self.db.clone();
    }

    pub fn save_image(&mut self) {
        let edge = self.some_edge();
        self.edges[edge].image = Some(self.edges[edge].file.clone());
    }

    pub fn restore_image(&mut self) {
        let edge = self.some_edge();
        if let Some(image) = self.edges[edge].image.clone() {
            self.forked = true;
            self.replace_file(edge, image);
        }
    }

    pub fn clone_edge(&mut self) {
        if self.edges.len() < 3 {
            self.forked = true;
            let edge = self.some_edge();
            self.edges.push(Edge::new(self.edges[edge].file.clone()));
        }
    }

    pub fn damage(&mut self) {
        let edge = self.some_edge();
        let mut file = self.edges[edge].file.clone();
        let kept: BTreeSet<EventId> = file
            .store
            .rows()
            .keys()
            .filter(|_| !self.chance.one_in(3))
            .copied()
            .collect();
        let bookkeeping_lost = self.chance.one_in(3);
        let fresh = Epoch::from_bits(self.chance.bits());
        file.store.salvage(|id| kept.contains(&id), bookkeeping_lost, fresh);
        let old = self.edges[edge].file.store.clone();
        self.replace_file(edge, file);
        if !bookkeeping_lost {
            let bounds = old.epochs().expect("memory does not fail");
            let unacked = |id: &&EventId| bounds.iter().any(|of| of.epoch == id.epoch && id.seq > of.acked);
            self.owed = old
                .rows()
                .keys()
                .filter(unacked)
                .filter(|id| !kept.contains(id))
                .copied()
                .collect();
        }
    }

    pub fn wipe(&mut self) {
        let edge = self.some_edge();
        let store = MemoryStore::new(Epoch::from_bits(self.chance.bits()));
        self.replace_file(
            edge,
            File {
                store,
                heard: BTreeMap::new(),
            },
        );
    }

    /// A byte of a row's text changes on the disk.
    pub fn rot(&mut self) {
        let edge = self.some_edge();
        let store = &mut self.edges[edge].file.store;
        let ids: Vec<EventId> = store.rows().keys().copied().collect();
        if let Some(&id) = ids.get(self.chance.below(ids.len())) {
            self.vanished.extend(cycle_of(&store.rows()[&id].event));
            store.rot(id);
        }
    }

    /// Retention runs, and may take nothing that the server never said to have.
    pub fn prune(&mut self) {
        let edge = self.some_edge();
        let until = i64::try_from(self.chance.below(12)).expect("less than twelve");
        let file = &mut self.edges[edge].file;
        for row in file.store.prune(|row| row.event.seq <= until) {
            let heard = file.heard.get(&row.event.epoch).copied().unwrap_or(0);
            assert!(
                row.event.seq <= heard,
                "{} was dropped, the server has {heard}",
                row.event.seq
            );
            self.vanished.extend(cycle_of(&row.event));
        }
    }

    fn replace_file(&mut self, edge: usize, file: File) {
        self.hang_up(edge);
        let at = &mut self.edges[edge];
        at.sender = Sender::default();
        let old = std::mem::replace(&mut at.file, file);
        let kept = cycles(&at.file.store);
        self.vanished.extend(cycles(&old.store).difference(&kept));
        // A later fault may take the bookkeeping of an earlier loss.
        self.owed.clear();
    }
}
