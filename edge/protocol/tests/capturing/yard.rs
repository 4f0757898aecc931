//! A deck with its readings, and an edge that keeps what it must and may be killed at any instant.

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::EventId,
    reading::{Mode, Reading, Unit},
    scale::{CaptureSettings, CycleState, Deck, Moment, Scale, ScaleEvent, Settled},
};

/// What an edge's file holds: the events and the state that committed with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    pub events: Vec<ScaleEvent>,
    pub state: CycleState,
}

impl File {
    pub fn captures(&self) -> impl Iterator<Item = &Settled> {
        self.events.iter().filter_map(|event| match event {
            ScaleEvent::Settled(settled) => Some(settled),
            _ => None,
        })
    }
}

/// At which point of a push the edge dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    BeforeCommit,
    AfterCommit,
}

/// An edge with one scale.
pub struct Edge {
    pub file: File,
    pub scale: Scale,
    pub now_ms: i64,
    settings: CaptureSettings,
    boot: Uuid,
    cycles: u128,
    beat_ms: i64,
}

impl Edge {
    /// An edge whose file is new.
    pub fn new(settings: CaptureSettings) -> Self {
        let boot = Uuid::from_u128(1);
        Self {
            file: File::default(),
            scale: Scale::new(settings, boot),
            now_ms: 1_000,
            settings,
            boot,
            cycles: 0,
            beat_ms: 0,
        }
    }

    /// An edge that has been welcomed and saw its deck empty.
    pub fn at_work(settings: CaptureSettings) -> Self {
        let mut edge = Self::new(settings);
        edge.scale.welcomed();
        edge.now_ms = 500;
        edge.empties(0);
        edge
    }

    /// The indicator shows this weight, a tenth of a second after the last one. Answers what came of it.
    pub fn shows(&mut self, kg: i32) -> Vec<ScaleEvent> {
        self.reads(&reading(kg), None)
    }

    pub fn shows_for(&mut self, kg: i32, ms: i64) -> Vec<ScaleEvent> {
        let until = self.now_ms + ms;
        let mut events = Vec::new();
        while self.now_ms < until {
            events.extend(self.shows(kg));
        }
        events
    }

    /// The indicator shows this weight for as long as it takes to believe that a truck has left.
    pub fn empties(&mut self, kg: i32) -> Vec<ScaleEvent> {
        self.shows_for(kg, 600)
    }

    /// A truck drives on, stands, and drives off.
    pub fn weighs(&mut self, kg: i32) -> Vec<ScaleEvent> {
        truck(kg).into_iter().flat_map(|shown| self.shows(shown)).collect()
    }

    /// Takes a reading and commits what came of it, unless the edge dies over it; then it starts again at once.
    pub fn reads(&mut self, reading: &Reading, death: Option<Death>) -> Vec<ScaleEvent> {
        self.now_ms += 100;
        let cycles = &mut self.cycles;
        let events = self.scale.push(self.now_ms, reading, || {
            *cycles += 1;
            CycleId::from_bits(*cycles)
        });
        if death == Some(Death::BeforeCommit) {
            self.starts();
            return Vec::new();
        }
        self.commit(&events);
        if death == Some(Death::AfterCommit) {
            self.starts();
        }
        events
    }

    fn commit(&mut self, events: &[ScaleEvent]) {
        let id = EventId {
            epoch: Epoch::from_bits(1),
            seq: i64::try_from(self.file.events.len()).unwrap() + 1,
        };
        let settles = events.iter().any(|event| matches!(event, ScaleEvent::Settled(_)));
        let beats = self.now_ms - self.beat_ms >= 5_000;
        if settles {
            self.file.state = self.scale.committing(id);
        } else if beats || !events.is_empty() {
            self.file.state = self.scale.state().clone();
        }
        if beats || !events.is_empty() {
            self.beat_ms = self.now_ms;
        }
        let kept = events.iter().filter(|event| event.kind().is_some());
        self.file.events.extend(kept.cloned());
        if settles {
            self.scale.committed(id);
            assert_eq!(self.scale.state(), &self.file.state, "what was committed is what holds");
        }
    }

    /// The process starts, from what its file says.
    pub fn starts(&mut self) {
        self.scale = Scale::resume(self.settings, self.file.state.clone(), self.boot);
    }

    /// The process is away for so long; its heartbeat was up to date.
    pub fn is_away(&mut self, ms: i64) {
        self.commit_heartbeat();
        self.now_ms += ms;
        self.starts();
    }

    /// The machine boots anew, with another clock.
    pub fn reboots(&mut self) {
        self.commit_heartbeat();
        self.boot = Uuid::from_u128(self.boot.as_u128() + 1);
        self.now_ms = 50;
        self.starts();
    }

    pub fn moment(&self) -> Moment {
        Moment {
            boot: self.boot,
            mono_ms: self.now_ms,
        }
    }

    fn commit_heartbeat(&mut self) {
        self.file.state = self.scale.state().clone();
    }

    pub fn is_captured(&self) -> bool {
        matches!(self.file.state.deck, Deck::Captured { .. })
    }
}

pub fn reading(kg: i32) -> Reading {
    Reading {
        weight: Some(kg.to_string()),
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
        raw: kg.to_string().into_bytes(),
    }
}

pub fn flagged(kg: i32, stable: bool) -> Reading {
    Reading {
        stable: Some(stable),
        ..reading(kg)
    }
}

pub fn without_weight(overload: bool) -> Reading {
    Reading {
        weight: None,
        kg: None,
        overload,
        underload: !overload,
        stable: Some(false),
        ..reading(0)
    }
}

/// A truck as a deck sees it, a reading each tenth of a second: it drives on axle by axle, rocks, settles, creeps, and
/// drives off, and the deck is empty for a while.
pub fn truck(kg: i32) -> Vec<i32> {
    let drives_on = (1..=20).map(|step| kg * step / 20);
    let rocks = [7, -6, 5, -4, 3, -2, 1]
        .into_iter()
        .map(|percent| kg + kg * percent / 200);
    let stands = (0..40).map(|step| kg + (step / 15) * 5);
    let drives_off = (0..20).rev().map(|step| kg * step / 20);
    drives_on
        .chain(rocks)
        .chain(stands)
        .chain(drives_off)
        .map(|weight| weight / 20 * 20)
        .chain(std::iter::repeat_n(0, 6))
        .collect()
}
