//! The capture logic without an edge around it: a settled weight counts as committed at once.

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch,
    link::{EventId, messages::DeckState},
    reading::Reading,
    scale::{CaptureSettings, Scale, ScaleEvent},
};

/// A scale that keeps nothing.
#[derive(Debug)]
pub struct Rehearsal {
    scale: Scale,
    cycles: u128,
    seq: i64,
}

impl Rehearsal {
    /// `settings` are ones that one can weigh with.
    pub fn new(settings: CaptureSettings) -> Self {
        let mut scale = Scale::new(settings, Uuid::nil());
        scale.welcomed();
        Self {
            scale,
            cycles: 0,
            seq: 0,
        }
    }

    /// What a reading at this moment leads to; None is a frame that could not be read.
    pub fn push(&mut self, t_ms: i64, reading: Option<&Reading>) -> Vec<ScaleEvent> {
        let Some(reading) = reading else {
            self.scale.push_error(t_ms);
            return Vec::new();
        };
        let cycles = &mut self.cycles;
        let events = self.scale.push(t_ms, reading, || {
            *cycles += 1;
            CycleId::from_bits(*cycles)
        });
        for _ in events.iter().filter(|event| matches!(event, ScaleEvent::Settled(_))) {
            self.seq += 1;
            self.scale.committed(EventId {
                epoch: Epoch::from_bits(1),
                seq: self.seq,
            });
        }
        events
    }

    pub fn deck(&self) -> DeckState {
        self.scale.deck()
    }
}
