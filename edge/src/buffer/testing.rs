//! Files with a few captures in them, for the buffer's own tests.

use std::path::Path;

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        EventId, EventKind, Store,
        event::{Capture, CurvePoint},
        messages::EdgeClock,
    },
    scale::{CaptureSettings, Scale},
};

use super::{BufferError, BufferFile, Draft, events::event_at};

/// When every event of these files was committed.
pub(crate) const WALL: &str = "2026-01-25T14:30:00+09:00";
const BOOT: Uuid = Uuid::from_u128(1);

/// Makes a file with `count` captures and closes it.
pub(crate) fn file_with(directory: &Path, count: usize) -> (Epoch, Vec<EventId>) {
    let (mut file, _) = BufferFile::open(directory, BOOT).unwrap();
    let written = (0..count).map(|_| capture(&mut file).unwrap()).collect();
    (file.epochs().unwrap()[0].epoch, written)
}

/// Commits one capture of station 1.
pub(crate) fn capture(file: &mut BufferFile) -> Result<EventId, BufferError> {
    let draft = Draft {
        station_id: 1,
        cycle: Some(CycleId::from_bits(rand::random())),
        at: EdgeClock {
            wall: WALL.parse().unwrap(),
            mono_ms: 1,
            boot: BOOT,
        },
        kind: EventKind::Capture(Capture {
            weight: Kilograms::from_whole(18_340),
            gap: false,
            on_mono_ms: 0,
            raw: "0d0a".to_owned(),
            curve: (0..20)
                .map(|n| CurvePoint(n * 100, Kilograms::from_whole(18_000)))
                .collect(),
            curve_steps: Vec::new(),
        }),
    };
    let scale = Scale::new(CaptureSettings::default(), BOOT);
    let committed = file.commit(&[draft], 1, &scale)?;
    Ok(committed[0].id)
}

pub(crate) fn holds(file: &BufferFile, id: EventId) -> bool {
    event_at(&file.connection, id.epoch, id.seq)
        .unwrap()
        .is_some_and(|event| event.is_intact())
}
