//! The tree as an administrator sees it, and as metrics.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use metrics::gauge;
use serde::Serialize;

use crate::{State, Tree, guest::Guest, node::Node, registry::Entry, supervisor::Supervisor};

/// One actor of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorRow {
    /// Its name.
    pub name: String,
    /// What it stands for; `supervisor` for a supervisor.
    pub kind: &'static str,
    /// The supervisor it is under; none for `root`.
    pub parent: Option<&'static str>,
    /// Where it stands.
    pub state: State,
    /// Counts its values; the first is 1.
    pub generation: u64,
    /// How long it has been running; 0 while it is not.
    pub uptime_seconds: u64,
    /// How often it was made anew, for whatever reason.
    pub restarts: u64,
    /// Messages that wait for it.
    pub mailbox_depth: usize,
    /// Messages that may wait for it.
    pub mailbox_capacity: usize,
    /// What happened to it last, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// How long ago its arbiter gave a sign of life; none where nobody watches it.
    pub last_beat_ms: Option<u64>,
}

impl Tree {
    /// Everyone in the tree, in the order of arrival.
    pub fn snapshot(&self) -> Vec<ActorRow> {
        let rows = self.registry().all().into_iter().map(|entry| match entry {
            Entry::Supervisor(supervisor) => supervisor_row(&supervisor),
            Entry::Child(node) => child_row(&node),
            Entry::Guest(guest) => self.guest_row(&guest),
        });
        rows.collect()
    }

    /// The children that are FAILED, which is why the process cannot serve all it should.
    pub fn failed(&self) -> Vec<String> {
        let nodes = self.registry().nodes().into_iter();
        nodes
            .filter(|node| node.status().state == State::Failed)
            .map(|node| node.name.to_string())
            .collect()
    }

    /// How long the most silent arbiter of all has given no sign of life: what a service manager's watchdog is to be fed by.
    /// It grows too when the watch over the arbiters itself stands still.
    pub fn longest_silence(&self) -> Duration {
        let places = self.registry().all_places();
        places.iter().map(|place| place.last_beat()).max().unwrap_or_default()
    }

    /// Sets the gauge `actor_mailbox_depth{actor=…}`; called right before metrics are read. Temporary children are
    /// summed up under their kind and `-*`.
    pub fn record_metrics(&self) {
        let registry = self.registry();
        for node in registry.nodes() {
            set_depth(node.name.to_string(), node.child.depth());
        }
        let mut by_kind: BTreeMap<&'static str, usize> =
            registry.guest_kinds().into_iter().map(|kind| (kind, 0)).collect();
        for guest in registry.guests() {
            *by_kind.entry(guest.kind).or_default() += guest.door.depth();
        }
        for (kind, depth) in by_kind {
            set_depth(format!("{kind}-*"), depth);
        }
    }

    fn guest_row(&self, guest: &Guest) -> ActorRow {
        let place = guest
            .place
            .as_ref()
            .and_then(|place| self.registry().place_named(place));
        ActorRow {
            name: guest.name.to_string(),
            kind: guest.kind,
            parent: Some(guest.parent),
            state: State::Running,
            generation: 1,
            uptime_seconds: guest.since.elapsed().as_secs(),
            restarts: 0,
            mailbox_depth: guest.door.depth(),
            mailbox_capacity: guest.capacity,
            last_failure: None,
            last_beat_ms: place.map(|place| milliseconds(place.last_beat())),
        }
    }
}

fn set_depth(actor: String, depth: usize) {
    // Mailboxes hold some thousand messages; a gauge is exact far beyond.
    #[allow(clippy::cast_precision_loss)]
    gauge!("actor_mailbox_depth", "actor" => actor).set(depth as f64);
}

fn supervisor_row(supervisor: &Supervisor) -> ActorRow {
    ActorRow {
        name: supervisor.name.to_owned(),
        kind: "supervisor",
        parent: supervisor.parent,
        state: State::Running,
        generation: 1,
        uptime_seconds: supervisor.since.elapsed().as_secs(),
        restarts: supervisor.failures.load(Ordering::SeqCst),
        mailbox_depth: 0,
        mailbox_capacity: 0,
        last_failure: supervisor.last_failure.lock().clone(),
        last_beat_ms: None,
    }
}

fn child_row(node: &Node) -> ActorRow {
    let status = node.status();
    let running = status.state == State::Running;
    ActorRow {
        name: node.name.to_string(),
        kind: node.kind,
        parent: Some(node.parent),
        state: status.state,
        generation: status.generation,
        uptime_seconds: if running { status.since.elapsed().as_secs() } else { 0 },
        restarts: node.restarts.load(Ordering::SeqCst),
        mailbox_depth: node.child.depth(),
        mailbox_capacity: node.child.capacity(),
        last_failure: node.last_failure.lock().clone(),
        last_beat_ms: Some(milliseconds(node.place.last_beat())),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
