//! The events of trucks' stays on decks, as an edge would keep them.

use chrono::TimeDelta;
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        Event, EventBody, EventKind,
        event::{Capture, CurvePoint, sha256_hex},
        messages::EdgeClock,
    },
};

use crate::link::{Clock, Parcel};

/// How many events a stay is: a truck drives on, is captured, and drives off.
pub const EVENTS_OF_A_STAY: usize = 3;
/// Points of a capture's curve: eight seconds at ten readings a second.
const CURVE_POINTS: u32 = 80;
/// What every truck weighs.
pub const GROSS: Kilograms = Kilograms::from_whole(18_340);

/// An edge's events, numbered on.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    pub epoch: Epoch,
    pub next_seq: i64,
    clock: Clock,
}

impl Story {
    pub fn begin(clock: Clock) -> Self {
        Self {
            epoch: Epoch::from_bits(Uuid::new_v4().as_u128()),
            next_seq: 1,
            clock,
        }
    }

    /// A stay at each of these stations, one after the other, all of them now or `ago`.
    pub fn stays(&mut self, stations: &[i64], ago: TimeDelta) -> anyhow::Result<Vec<Parcel>> {
        let mut at = self.clock.now();
        at.wall -= ago;
        at.mono_ms -= ago.num_milliseconds();
        let mut parcels = Vec::with_capacity(stations.len() * EVENTS_OF_A_STAY);
        for station in stations {
            let cycle = CycleId::from_bits(Uuid::new_v4().as_u128());
            for kind in kinds(at.mono_ms) {
                parcels.push(Parcel::new(self.event(*station, cycle, at, kind)?)?);
            }
        }
        Ok(parcels)
    }

    fn event(&mut self, station_id: i64, cycle: CycleId, at: EdgeClock, kind: EventKind) -> anyhow::Result<Event> {
        let body = EventBody {
            epoch: self.epoch,
            seq: self.next_seq,
            station_id,
            cycle: Some(cycle),
            at: at.wall,
            mono_ms: at.mono_ms,
            boot: at.boot,
            kind,
        };
        self.next_seq += 1;
        let text = serde_json::to_string(&body)?;
        Ok(Event {
            epoch: body.epoch,
            seq: body.seq,
            sha256: sha256_hex(&text),
            body: text,
            receipt: None,
        })
    }
}

/// A stay: on, captured, off.
pub fn kinds(on_mono_ms: i64) -> [EventKind; EVENTS_OF_A_STAY] {
    [
        EventKind::VehicleOn {},
        EventKind::Capture(capture(on_mono_ms)),
        EventKind::VehicleOff {
            captured: true,
            inferred: false,
        },
    ]
}

fn capture(on_mono_ms: i64) -> Capture {
    let point = |step: u32| {
        let share = i64::from(step.min(CURVE_POINTS / 2)) * 2;
        let weight = Kilograms::from_hundredths(GROSS.hundredths() * share / i64::from(CURVE_POINTS));
        CurvePoint(step * 100, weight)
    };
    Capture {
        weight: GROSS,
        gap: false,
        on_mono_ms,
        raw: "53542c47532c31e42c3030303138333430206b670d0a".to_owned(),
        curve: (0..CURVE_POINTS).map(point).collect(),
        curve_steps: Vec::new(),
    }
    .in_steps()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stay_is_three_events_and_the_next_goes_on_counting() {
        let mut story = Story::begin(Clock::start());
        assert_eq!(
            story.stays(&[1, 2], TimeDelta::zero()).unwrap().len(),
            2 * EVENTS_OF_A_STAY
        );
        assert_eq!(story.next_seq, 7);
    }
}
