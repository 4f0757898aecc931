//! When an edge's event took place, by the server's clock. Order is by seq and never by time; time only says which call
//! a weighing belongs to and which day its slip.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weighbridge_protocol::link::{EventBody, EventKind, messages::EdgeClock};

/// An offset of the edge's wall clock up to this is not corrected: it may be the measurement.
const WALL_OFFSET_IGNORED: TimeDelta = TimeDelta::seconds(2);
/// Wall and monotonic clock that moved apart by more than this since the event: one of them was set.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(5);
/// A sample of an edge's clock that may have been under way for longer does not say which of two trucks an event was of: one may
/// have come, been weighed and gone in that time.
const DELAY_TRUSTED: TimeDelta = TimeDelta::seconds(2);
/// An offset beyond this is worth an alarm.
pub const OFFSET_ALARM: TimeDelta = TimeDelta::seconds(5);
/// No event is from before the product existed.
const EARLIEST: &str = "2020-01-01T00:00:00Z";

/// What is known of the clocks of the edge that is connected.
#[derive(Clone, Copy, Debug)]
pub struct ClockModel {
    boot: Uuid,
    /// The server's time at the edge's monotonic zero.
    boot_at: DateTime<Utc>,
    /// The edge's wall clock less the server's.
    wall_offset: TimeDelta,
    /// The edge's wall clock at its monotonic zero, by its newest word.
    wall_at_boot: DateTime<Utc>,
    /// How much earlier the monotonic zero may have been: the time that the sample can have been under way.
    delay: TimeDelta,
}

impl ClockModel {
    /// From the clocks that an edge sent and the moment in which they were received.
    pub fn new(clock: &EdgeClock, received: DateTime<Utc>) -> Self {
        let since_boot = TimeDelta::milliseconds(clock.mono_ms);
        Self {
            boot: clock.boot,
            boot_at: received - since_boot,
            wall_offset: clock.wall.to_utc() - received,
            wall_at_boot: clock.wall.to_utc() - since_boot,
            delay: TimeDelta::zero(),
        }
    }

    /// The same sample, which the edge took at most this long before it was received.
    #[must_use]
    pub fn delayed(self, delay: TimeDelta) -> Self {
        Self {
            delay: delay.max(TimeDelta::zero()),
            ..self
        }
    }

    /// Takes another sample. Of one boot the smallest delay is nearest the truth, so the earliest zero is kept.
    #[must_use]
    pub fn refined(self, newer: Self) -> Self {
        if newer.boot != self.boot {
            return newer;
        }
        let boot_at = newer.boot_at.min(self.boot_at);
        let wall_offset = newer.wall_at_boot - boot_at;
        let earliest = (newer.boot_at - newer.delay).max(self.boot_at - self.delay);
        Self {
            boot_at,
            wall_offset,
            delay: (boot_at - earliest).max(TimeDelta::zero()),
            ..newer
        }
    }

    /// Whether a sample came quickly enough to say when an event took place.
    pub fn is_prompt(&self) -> bool {
        self.delay <= DELAY_TRUSTED
    }

    fn delay_of(&self, body: &EventBody) -> TimeDelta {
        if body.boot == self.boot {
            self.delay
        } else {
            TimeDelta::zero()
        }
    }

    /// The edge's wall clock less the server's.
    pub const fn wall_offset(&self) -> TimeDelta {
        self.wall_offset
    }

    /// When this event took place, received at `received`.
    pub fn moments(&self, body: &EventBody, received: DateTime<Utc>) -> Moments {
        let wall = body.at.to_utc();
        let since_boot = TimeDelta::try_milliseconds(body.mono_ms).unwrap_or_default();
        let at = if body.boot == self.boot {
            let apart = (wall - since_boot) - self.wall_at_boot;
            let doubtful = apart.abs() > CLOCKS_APART || !self.is_prompt();
            Moment {
                at: self.boot_at + since_boot,
                doubtful,
            }
        } else {
            let correction = if self.wall_offset.abs() > WALL_OFFSET_IGNORED {
                self.wall_offset
            } else {
                TimeDelta::zero()
            };
            Moment {
                at: wall - correction,
                doubtful: true,
            }
        };
        let at = at.or_received(received);
        let on = match &body.kind {
            EventKind::Capture(capture) => {
                let stood = body.mono_ms.saturating_sub(capture.on_mono_ms);
                TimeDelta::try_milliseconds(stood)
                    .filter(|stood| *stood >= TimeDelta::zero())
                    .map(|stood| at.at - stood - self.delay_of(body))
            }
            _ => None,
        };
        Moments {
            at: at.at,
            doubtful: at.doubtful,
            on: on.unwrap_or(at.at),
        }
    }
}

struct Moment {
    at: DateTime<Utc>,
    doubtful: bool,
}

impl Moment {
    /// An absurd date gives way to the time of receipt.
    fn or_received(self, received: DateTime<Utc>) -> Self {
        let earliest =
            DateTime::parse_from_rfc3339(EARLIEST).map_or(DateTime::<Utc>::MIN_UTC, |earliest| earliest.to_utc());
        if self.at < earliest || self.at > received + TimeDelta::minutes(1) {
            return Self {
                at: received,
                doubtful: true,
            };
        }
        Self {
            at: self.at.min(received),
            ..self
        }
    }
}

/// An event's corrected times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    pub at: DateTime<Utc>,
    /// When the truck drove on at the earliest, for all that is known of the edge's clock: it may not be taken for one that was
    /// called later. For an event without that, the same as `at`.
    pub on: DateTime<Utc>,
    /// Not good enough to say which call it belongs to.
    pub doubtful: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge_protocol::{CycleId, Epoch};

    const BOOT: Uuid = Uuid::from_u128(1);

    fn server(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("2026-01-25T{text}Z"))
            .unwrap()
            .to_utc()
    }

    fn clock(wall: &str, mono_ms: i64) -> EdgeClock {
        EdgeClock {
            wall: server(wall).fixed_offset(),
            mono_ms,
            boot: BOOT,
        }
    }

    fn event(wall: &str, mono_ms: i64, boot: Uuid) -> EventBody {
        EventBody {
            epoch: Epoch::from_bits(1),
            seq: 1,
            station_id: 1,
            cycle: Some(CycleId::from_bits(1)),
            at: server(wall).fixed_offset(),
            mono_ms,
            boot,
            kind: EventKind::VehicleOn {},
        }
    }

    #[track_caller]
    fn check(model: ClockModel, event: &EventBody, at: &str, doubtful: bool) {
        let moments = model.moments(event, server("10:00:00"));
        assert_eq!((moments.at, moments.doubtful), (server(at), doubtful));
    }

    #[test]
    fn of_the_connected_boot_the_monotonic_clock_counts_however_wrong_the_wall_is() {
        let model = ClockModel::new(&clock("12:00:00", 60_000), server("10:00:00"));
        check(model, &event("11:59:30", 30_000, BOOT), "09:59:30", false);
    }

    #[test]
    fn a_wall_clock_set_since_makes_the_time_doubtful() {
        let model = ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00"));
        check(model, &event("08:59:30", 30_000, BOOT), "09:59:30", true);
    }

    #[test]
    fn another_boot_is_doubtful_and_its_wall_is_corrected_past_two_seconds() {
        let model = ClockModel::new(&clock("10:00:10", 60_000), server("10:00:00"));
        check(model, &event("09:30:10", 5, Uuid::from_u128(2)), "09:30:00", true);
        let model = ClockModel::new(&clock("10:00:01", 60_000), server("10:00:00"));
        check(model, &event("09:30:01", 5, Uuid::from_u128(2)), "09:30:01", true);
    }

    #[test]
    fn an_absurd_date_is_the_time_of_receipt() {
        let model = ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00"));
        let mut event = event("10:00:00", 0, Uuid::from_u128(2));
        for absurd in ["1970-01-01T00:00:00Z", "2038-01-20T00:00:00Z"] {
            event.at = DateTime::parse_from_rfc3339(absurd).unwrap();
            check(model, &event, "10:00:00", true);
        }
    }

    #[test]
    fn a_sample_that_was_long_under_way_is_doubtful_until_a_quick_one_comes() {
        let sample = |wall, mono_ms, received, delay| {
            let model = ClockModel::new(&clock(wall, mono_ms), server(received));
            model.delayed(TimeDelta::milliseconds(delay))
        };
        let slow = sample("10:00:00", 60_000, "10:00:09", 9_000);
        check(slow, &event("09:59:50", 50_000, BOOT), "09:59:59", true);
        let no_better = slow.refined(sample("10:00:05", 65_000, "10:00:10", 5_000));
        check(no_better, &event("09:59:50", 50_000, BOOT), "09:59:55", true);
        let quick = no_better.refined(sample("10:00:10", 70_000, "10:00:10.100", 200));
        check(quick, &event("09:59:50", 50_000, BOOT), "09:59:50.100", false);
    }

    #[test]
    fn a_truck_drove_on_as_early_as_the_sample_may_have_been_under_way() {
        let model =
            ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00")).delayed(TimeDelta::milliseconds(1_500));
        let mut event = event("09:59:50", 50_000, BOOT);
        event.kind = EventKind::Capture(weighbridge_protocol::link::event::Capture {
            weight: weighbridge_protocol::Kilograms::ZERO,
            gap: false,
            on_mono_ms: 46_000,
            raw: String::new(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        });
        let moments = model.moments(&event, server("10:00:00"));
        assert_eq!((moments.at, moments.on), (server("09:59:50"), server("09:59:44.500")));
    }

    #[test]
    fn a_sample_with_less_delay_moves_the_zero_back() {
        let late = ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00.300"));
        let refined = late.refined(ClockModel::new(&clock("10:00:05", 65_000), server("10:00:05.002")));
        check(refined, &event("09:59:50", 50_000, BOOT), "09:59:50.002", false);
        let unmoved = refined.refined(ClockModel::new(&clock("10:00:10", 70_000), server("10:00:10.900")));
        check(unmoved, &event("09:59:50", 50_000, BOOT), "09:59:50.002", false);
    }
}
