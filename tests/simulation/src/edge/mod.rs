//! An edge: its machine, its file, and its process, which reads a deck and commits; `link` is how it sends.

mod link;

use std::collections::BTreeSet;

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        Committed, Draft, EventKind, Sender,
        acks::GatheredAcks,
        messages::{DeckState, EdgeClock},
    },
    reading::{Mode, Reading, Unit},
    scale::{CaptureSettings, CycleState, Deck, Moment, Outage, Scale, ScaleEvent},
};

use crate::{breaks::Break, file::File, world::World};

/// Readings come this often.
pub const READING_MS: i64 = 100;
/// The time of the last reading is on disk at least every five seconds.
const KEEP_EVERY_MS: i64 = 4_000;

#[derive(Debug)]
pub struct Edge {
    /// Whose key it uses.
    pub key: i64,
    pub station: i64,
    pub file: File,
    pub images: Vec<File>,
    pub boot: Uuid,
    pub boot_at: i64,
    /// Its wall clock less the true time, in milliseconds.
    pub wall_off: i64,
    pub wait_until: i64,
    pub process: Option<Process>,
    /// The state of the world with which it is in step.
    pub synced: Option<u64>,
}

#[derive(Debug)]
pub struct Process {
    pub scale: Scale,
    pub sender: Sender,
    pub acks: GatheredAcks,
    pub socket: Option<usize>,
    pub welcomed: bool,
    pub attempts: u32,
    pub has_looked: bool,
    kept_ms: i64,
    named: BTreeSet<Epoch>,
}

/// At which point of a commit a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    Before,
    After,
}

pub fn settings() -> CaptureSettings {
    CaptureSettings {
        dwell_ms: 300,
        ..CaptureSettings::default()
    }
}

impl Edge {
    pub fn new(key: i64, station: i64, epoch: Epoch, boot: Uuid, now: i64) -> Self {
        Self {
            key,
            station,
            file: File::new(epoch),
            images: Vec::new(),
            boot,
            boot_at: now,
            wall_off: 0,
            wait_until: 0,
            process: None,
            synced: None,
        }
    }

    pub fn has_looked(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.has_looked)
    }

    pub fn socket(&self) -> Option<usize> {
        self.process.as_ref()?.socket
    }
}

impl World {
    pub fn clock_of(&self, edge: usize) -> EdgeClock {
        let at = &self.edges[edge];
        EdgeClock {
            wall: World::moment(self.now + at.wall_off).fixed_offset(),
            mono_ms: self.now - at.boot_at,
            boot: at.boot,
        }
    }

    /// The process starts, from what its file says.
    pub fn start_edge(&mut self, edge: usize) {
        let now = self.now;
        let at = &mut self.edges[edge];
        if at.process.is_some() {
            return;
        }
        let mono_ms = now - at.boot_at;
        let mut state = at.file.store.state(at.station);
        let wall = now + at.wall_off;
        let current = Moment { boot: at.boot, mono_ms };
        if self.broken.contains(&Break::GapMono)
            && let Some(last) = at.file.store.state(at.station).last_reading
        {
            // An outage measured on the wall clock, whatever boot it was.
            let seen_wall = self.truth.seen_wall.get(&(last.boot, last.mono_ms)).copied();
            let away = wall - seen_wall.unwrap_or(wall);
            state.last_reading = Some(Moment {
                mono_ms: mono_ms - away.max(0),
                ..current
            });
        }
        let outage = Outage::between(state.last_reading, current, settings().gap_same_ms);
        if self.broken.contains(&Break::ShortEmpty) && outage == Outage::Short && state.deck == Deck::Empty {
            state.deck = Deck::Unknown { open: None };
        }
        let looks_first = self
            .broken
            .contains(&Break::LookFirst)
            .then(|| captured(&state))
            .flatten();
        let mut scale = Scale::resume(settings(), state, at.boot);
        if self.broken.contains(&Break::UntilWelcome) {
            scale.welcomed();
        }
        at.process = Some(Process {
            scale,
            sender: Sender::default(),
            acks: GatheredAcks::default(),
            socket: None,
            welcomed: false,
            attempts: 0,
            has_looked: false,
            kept_ms: now,
            named: BTreeSet::new(),
        });
        at.wait_until = 0;
        let station = at.station;
        self.say(|| format!("edge {edge} starts after a {outage:?} outage"));
        if let Some(cycle) = looks_first
            && self.yard.stands(station).is_some()
        {
            self.tell(cycle, station);
        }
    }

    pub fn kill_process(&mut self, edge: usize) {
        if let Some(process) = self.edges[edge].process.take()
            && let Some(socket) = process.socket.and_then(|key| self.sockets.get_mut(&key))
        {
            socket.drop_by_edge();
        }
    }

    /// The process takes so many readings of its deck, and dies at its first commit if it is to.
    pub fn look_at_deck(&mut self, edge: usize, readings: usize, death: Option<Death>) {
        for reading in 0..readings {
            if self.edges[edge].process.is_none() || self.violation.is_some() {
                return;
            }
            self.now += READING_MS;
            let stay = self.yard.stands(self.edges[edge].station);
            // A weight is never quite still.
            let kg = stay.map_or(0, |stay| stay.kg + if reading % 3 == 1 { 10 } else { 0 });
            self.take_reading(edge, kg, death);
        }
    }

    fn take_reading(&mut self, edge: usize, kg: i32, death: Option<Death>) {
        let (now, wall) = (self.now, self.now + self.edges[edge].wall_off);
        let clock = self.clock_of(edge);
        let (ids, at) = (&mut self.ids, &mut self.edges[edge]);
        let station = at.station;
        let Some(process) = &mut at.process else { return };
        let reading = reading(kg);
        let events = process
            .scale
            .push(now - at.boot_at, &reading, || CycleId::from_bits(fresh(ids)));
        process.has_looked = true;
        if self.broken.contains(&Break::GapMono) {
            self.truth.seen_wall.insert((at.boot, clock.mono_ms), wall);
        }
        let drafts: Vec<Draft> = events
            .iter()
            .filter_map(|event| {
                Some(Draft {
                    station_id: station,
                    cycle: event.cycle(),
                    at: clock,
                    kind: event.kind()?,
                })
            })
            .collect();
        if drafts.is_empty() {
            if now - process.kept_ms >= KEEP_EVERY_MS {
                self.keep(edge);
            }
        } else {
            self.commit(edge, &drafts, death);
        }
        let recovered = events.iter().filter_map(|event| match event {
            ScaleEvent::Recovered { cycle, .. } => Some(*cycle),
            _ => None,
        });
        for cycle in recovered {
            self.tell(cycle, station);
        }
        self.show(edge);
    }

    /// The board says 저장 as long as the deck is captured, to whoever stands there.
    fn show(&mut self, edge: usize) {
        let at = &self.edges[edge];
        let Some(process) = &at.process else { return };
        if process.scale.deck() == DeckState::Captured
            && let Some(cycle) = captured(process.scale.state())
        {
            self.tell(cycle, at.station);
        }
    }

    fn commit(&mut self, edge: usize, drafts: &[Draft], death: Option<Death>) {
        let station = self.edges[edge].station;
        if self.broken.contains(&Break::ToldBeforeCommit) {
            for draft in drafts {
                if let (EventKind::Capture(capture), Some(cycle)) = (&draft.kind, draft.cycle) {
                    self.note_capture(edge, cycle, capture.weight, capture.gap);
                    self.tell(cycle, station);
                }
            }
        }
        if death == Some(Death::Before) {
            self.say(|| format!("edge {edge} dies before its commit"));
            return self.kill_process(edge);
        }
        let now = self.now;
        let at = &mut self.edges[edge];
        let Some(process) = &mut at.process else { return };
        let before = at.file.store.state(station);
        let written = at.file.store.commit(drafts, station, &process.scale);
        let Ok(committed) = written else {
            return self.fail("a body cannot be written");
        };
        if self.broken.contains(&Break::CycleNotPersisted) && captured(&at.file.store.state(station)).is_some() {
            at.file.store.keep_state(station, before);
        }
        process.kept_ms = now;
        for event in &committed {
            at.file.born.insert(event.id, now);
        }
        for Committed { id, cycle, kind } in &committed {
            self.say(|| format!("edge {edge} commits {} {id}", kind.name()));
            match (kind, cycle) {
                (EventKind::Capture(capture), Some(cycle)) => {
                    self.edges[edge].file.cycles.insert(*id, *cycle);
                    self.note_capture(edge, *cycle, capture.weight, capture.gap);
                }
                (EventKind::Moved { .. }, Some(cycle)) => {
                    self.truth.moved.insert(*cycle);
                }
                _ => {}
            }
        }
        if death == Some(Death::After) {
            self.say(|| format!("edge {edge} dies after its commit"));
            return self.kill_process(edge);
        }
        let process = self.edges[edge].process.as_mut();
        let told = process
            .map(|process| process.scale.written(&committed))
            .unwrap_or_default();
        for (_, cycle) in told {
            self.tell(cycle, station);
        }
    }

    /// What an edge tells of its indicator.
    pub fn tell_of_indicator(&mut self, edge: usize, kind: EventKind) {
        let (at, station_id) = (self.clock_of(edge), self.edges[edge].station);
        let draft = Draft {
            station_id,
            cycle: None,
            at,
            kind,
        };
        self.commit(edge, &[draft], None);
    }

    pub(crate) fn keep(&mut self, edge: usize) {
        let at = &mut self.edges[edge];
        let Some(process) = &mut at.process else { return };
        process.kept_ms = self.now;
        let state = process.scale.state().clone();
        if !(self.broken.contains(&Break::CycleNotPersisted) && captured(&state).is_some()) {
            at.file.store.keep_state(at.station, state);
        }
    }
}

/// The cycle that a deck waits with for zero.
pub const fn captured(state: &CycleState) -> Option<CycleId> {
    match state.deck {
        Deck::Captured { cycle, .. } => Some(cycle),
        _ => None,
    }
}

pub const fn fresh(ids: &mut u128) -> u128 {
    *ids += 1;
    // Spread, so that order of birth is no order of names.
    ids.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn reading(kg: i32) -> Reading {
    Reading {
        weight: None,
        unit: Unit::Kilogram,
        decimals: 0,
        kg: Some(Kilograms::from_whole(kg)),
        mode: Mode::Gross,
        stable: None,
        overload: false,
        underload: false,
        zero: None,
        tare: None,
        device: None,
        raw: Vec::new(),
    }
}
