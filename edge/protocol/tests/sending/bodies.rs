//! The weighings that are sent.

use std::collections::BTreeSet;

use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{Event, EventBody, EventId, EventKind, MemoryStore, event::Capture},
};

pub fn capture_body(id: EventId, cycle: CycleId) -> EventBody {
    EventBody {
        epoch: id.epoch,
        seq: id.seq,
        station_id: 1,
        cycle: Some(cycle),
        at: chrono::DateTime::default(),
        mono_ms: 0,
        boot: uuid::Uuid::nil(),
        kind: EventKind::Capture(Capture {
            weight: Kilograms::from_whole(18_340),
            gap: false,
            on_mono_ms: 0,
            raw: String::new(),
            curve: Vec::new(),
        }),
    }
}

pub fn cycle_of(event: &Event) -> Option<CycleId> {
    serde_json::from_str::<EventBody>(&event.body)
        .ok()
        .and_then(|body| body.cycle)
}

pub fn cycles(store: &MemoryStore) -> BTreeSet<CycleId> {
    store.rows().values().filter_map(|row| cycle_of(&row.event)).collect()
}
