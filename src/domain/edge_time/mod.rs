//! When an edge's event took place, by the server's clock. Order is by seq and never by time; time only says which call
//! a weighing belongs to and which day its slip.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weighbridge_protocol::link::{EventBody, EventKind, messages::EdgeClock};

/// An offset of the edge's wall clock up to this is not corrected: it may be the measurement.
const WALL_OFFSET_IGNORED: TimeDelta = TimeDelta::seconds(2);
/// Wall and monotonic clock that moved apart by more than this since the event: one of them was set.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(5);
/// How far two good clocks come apart of themselves: a crystal's hundred parts in a million.
const DRIFT_PER_MILLION: i64 = 100;
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
    /// The edge's monotonic clock in the newest sample.
    sampled_ms: i64,
    dated: Option<Dated>,
}

/// The last event that was dated, by its place on the monotonic clock of the boot: none after it is dated before it.
#[derive(Clone, Copy, Debug)]
pub struct Dated {
    boot: Uuid,
    mono_ms: i64,
    at: DateTime<Utc>,
}

impl ClockModel {
    /// From the clocks that an edge sent and the moment in which they were received.
    pub fn new(clock: &EdgeClock, received: DateTime<Utc>) -> Self {
        let (since_boot, wall) = (TimeDelta::try_milliseconds(clock.mono_ms), clock.wall.to_utc());
        // A clock beyond all time is none: what it would date is doubtful by its distance from the wall clock.
        let before = |moment: DateTime<Utc>| {
            since_boot
                .and_then(|since| moment.checked_sub_signed(since))
                .unwrap_or(moment)
        };
        Self {
            boot: clock.boot,
            boot_at: before(received),
            wall_offset: wall - received,
            wall_at_boot: before(wall),
            delay: TimeDelta::zero(),
            sampled_ms: clock.mono_ms,
            dated: None,
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

    /// Takes another sample of the same connection. Each says between which two moments the monotonic zero lies, and of
    /// samples that agree both are true, so that the quickest one counts. One that contradicts what was known, by more
    /// than clocks drift since, says that a clock was set or runs wrong: then it alone counts, whichever way it points.
    #[must_use]
    pub fn refined(self, newer: Self) -> Self {
        if newer.boot != self.boot {
            return newer;
        }
        let dated = newer.dated.or(self.dated);
        let age_ms = newer.sampled_ms.saturating_sub(self.sampled_ms).saturating_abs();
        let drift = TimeDelta::microseconds(age_ms.saturating_mul(DRIFT_PER_MILLION) / 1_000);
        let (earliest, latest) = (self.boot_at - self.delay - drift, self.boot_at + drift);
        let newer_earliest = newer.boot_at - newer.delay;
        if newer_earliest > latest || newer.boot_at < earliest {
            return Self { dated, ..newer };
        }
        let boot_at = newer.boot_at.min(latest);
        Self {
            boot_at,
            wall_offset: newer.wall_at_boot - boot_at,
            delay: (boot_at - newer_earliest.max(earliest)).max(TimeDelta::zero()),
            dated,
            ..newer
        }
    }

    /// How far a later sample has moved the events of one boot; none where it tells of another.
    pub fn moved_by(&self, later: &Self) -> Option<TimeDelta> {
        (self.boot == later.boot).then(|| later.boot_at - self.boot_at)
    }

    /// The same clocks, after this event was dated by them.
    #[must_use]
    pub fn having_dated(self, body: &EventBody, received: DateTime<Utc>) -> Self {
        let is_newest = self.dated.is_none_or(|dated| dated.mono_ms <= body.mono_ms);
        if body.boot != self.boot || !is_newest {
            return self;
        }
        let dated = Dated {
            boot: body.boot,
            mono_ms: body.mono_ms,
            at: self.moments(body, received).at,
        };
        Self {
            dated: Some(dated),
            ..self
        }
    }

    pub const fn dated(&self) -> Option<Dated> {
        self.dated
    }

    /// Takes note of an event that was dated meanwhile, by these clocks as they were.
    #[must_use]
    pub fn after(self, dated: Option<Dated>) -> Self {
        let dated = dated.filter(|dated| dated.boot == self.boot).or(self.dated);
        Self { dated, ..self }
    }

    /// An event's moment by the newest sample, which may have moved back, and not before that of an earlier event; nor after
    /// its receipt on that account.
    fn in_order(&self, at: DateTime<Utc>, body: &EventBody, received: DateTime<Utc>) -> DateTime<Utc> {
        let earlier = self.dated.filter(|dated| dated.mono_ms <= body.mono_ms);
        earlier.map_or(at, |dated| at.max(dated.at.min(received)))
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
            let wall_at_boot = wall.checked_sub_signed(since_boot);
            let set = wall_at_boot.is_none_or(|at| (at - self.wall_at_boot).abs() > CLOCKS_APART);
            let at = self.boot_at.checked_add_signed(since_boot);
            Moment {
                at: at.map_or(received, |at| self.in_order(at, body, received)),
                doubtful: at.is_none() || set || !self.is_prompt(),
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
                    .and_then(|stood| at.at.checked_sub_signed(stood + self.delay_of(body)))
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

/// When something took place of which only the edge's own clock is known, and that not for certain.
pub fn told(at: Option<DateTime<Utc>>, received: DateTime<Utc>) -> DateTime<Utc> {
    let at = at.unwrap_or(received);
    Moment { at, doubtful: true }.or_received(received).at
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
mod tests;
