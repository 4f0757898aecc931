//! Rules that a broken server leaves out: what it takes and what it answers is changed around the real ones.

use weighbridge_protocol::link::{EventBody, EventKind, FromServer, messages::EdgeClock};

use crate::{
    breaks::Break,
    database::{Database, Group},
    domain::{intake::group::Answered, weighing::Examined},
    world::World,
};

impl World {
    /// Rules of the answer, left out.
    pub(super) fn distort(&self, answered: &mut Answered, group: &Group) {
        if self.broken.contains(&Break::NackFirst) {
            answered.answers.reverse();
        }
        if self.broken.contains(&Break::Through) {
            for answer in &mut answered.answers {
                if let FromServer::Ack(ack) = answer
                    && let Some(row) = self.db.epochs.get(&ack.epoch)
                {
                    ack.through = row.have;
                }
            }
        }
        if self.broken.contains(&Break::BadHash)
            && let Some((epoch, seq)) = &mut answered.awaited
            && group
                .events
                .iter()
                .any(|examined| (examined.event.epoch, examined.event.seq) == (*epoch, *seq))
        {
            *seq = self.db.epochs.get(epoch).map_or(0, |row| row.have) + 1;
        }
    }
}

/// Rules of what an event does, left out: it is changed before the rules see it.
pub(super) fn spoil(examined: &mut Examined, db: &Database, broken: &[Break], sample: &EdgeClock) {
    if broken.contains(&Break::ReceiptIgnored) {
        examined.event.receipt = None;
    }
    let Ok(body) = &mut examined.body else { return };
    if broken.contains(&Break::GapCompletes)
        && let EventKind::Capture(capture) = &mut body.kind
    {
        capture.gap = false;
    }
    if broken.contains(&Break::OtherBoot) {
        believe(body, sample);
    }
    let open = db.called(body.station_id).and_then(|(entry, _)| db.entries.get(&entry));
    let took = open.is_some_and(|entry| entry.capture_id.is_some());
    if let EventKind::VehicleOff { captured, .. } = body.kind
        && !took
        && broken.contains(if captured { &Break::OffEnds } else { &Break::NewCall })
    {
        body.kind = EventKind::IndicatorUp {};
    }
}

/// Takes a time of another boot for one of this boot, by the wall clock.
fn believe(body: &mut EventBody, sample: &EdgeClock) {
    if body.boot == sample.boot {
        return;
    }
    let mono_ms = sample.mono_ms + (body.at - sample.wall).num_milliseconds();
    if let EventKind::Capture(capture) = &mut body.kind {
        capture.on_mono_ms += mono_ms - body.mono_ms;
    }
    (body.mono_ms, body.boot) = (mono_ms, sample.boot);
}
