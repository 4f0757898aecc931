//! Readings that a gateway posts one by one, because it speaks only HTTP: what such a reading must be, how the same one is
//! known again, and how it reaches the capture logic.
//!
//! - [`station`]: a station that is fed so, within its transaction
//! - [`rows`]: what is stored of readings and of what they led to

pub mod rows;
pub mod station;

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use uuid::{Uuid, uuid};
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::event::sha256_hex,
    reading::{Mode, Reading, Unit},
    scale::{Scale, ScaleEvent},
};

use super::{edge_time::Moments, weighing::HEAVIEST};

/// A deck may show a little less than nothing, for mud that was weighed away; less than this is none of its readings.
const LIGHTEST: Kilograms = Kilograms::from_whole(-500);
/// A gateway's clock may be this far ahead; beyond it the time is impossible.
const MOST_AHEAD: TimeDelta = TimeDelta::minutes(5);
/// And this far without making it doubtful which call a weighing belongs to.
const AHEAD: TimeDelta = TimeDelta::seconds(5);
/// No gateway keeps readings for longer: a clock that says so has fallen back, and the time of receipt counts.
const MOST_BEHIND: TimeDelta = TimeDelta::days(30);
/// Older readings are told to the capture logic, but no screen shows them as what stands on the deck now.
const LIVE: TimeDelta = TimeDelta::seconds(30);
/// No reading is from before the product existed.
const EARLIEST: i64 = 1_577_836_800;
/// Under which readings without an identity of their own are given one.
const NAMESPACE: Uuid = uuid!("6f1c9f1e-52a7-4b0c-9d61-5a3e8f0b7c24");

/// A reading as the request has it.
#[derive(Clone, Debug)]
pub struct Posted<'a> {
    pub station_id: i64,
    /// A JSON number.
    pub weight: &'a str,
    pub unit: Unit,
    /// None where the gateway does not know.
    pub stable: Option<bool>,
    pub timestamp: &'a str,
    /// The sender's own identity of it.
    pub event_id: Option<Uuid>,
}

/// A reading that is possible.
#[derive(Clone, Debug)]
pub struct FeedReading {
    /// Whose key it came with.
    pub edge_id: i64,
    pub station_id: i64,
    pub kg: Kilograms,
    pub stable: Option<bool>,
    pub at: DateTime<FixedOffset>,
    pub received_at: DateTime<Utc>,
    /// The sender's, or made of all that the reading says.
    pub event_id: Uuid,
    /// Whether the sender gave it.
    pub is_named: bool,
    /// What was posted, in one form however it was written.
    pub body: String,
    pub sha256: String,
}

/// What no indicator of ours could have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    #[error("the weight is no number of at most two decimals of a kilogram from {LIGHTEST} to {HEAVIEST} kg")]
    Weight,
    #[error("the timestamp is no RFC 3339 time between 2020 and now")]
    Time,
}

#[derive(Serialize)]
struct Body<'a> {
    station_id: i64,
    weight: Kilograms,
    unit: Unit,
    stable: Option<bool>,
    timestamp: &'a DateTime<FixedOffset>,
}

impl Posted<'_> {
    /// The reading, if it is possible. `now` is when it was received.
    pub fn examined(&self, edge_id: i64, now: DateTime<Utc>) -> Result<FeedReading, Impossible> {
        let kg = kilograms(self.weight, self.unit).ok_or(Impossible::Weight)?;
        if kg <= LIGHTEST || kg > HEAVIEST {
            return Err(Impossible::Weight);
        }
        let at = DateTime::parse_from_rfc3339(self.timestamp).map_err(|_| Impossible::Time)?;
        if at.timestamp() < EARLIEST || at.to_utc() > now + MOST_AHEAD {
            return Err(Impossible::Time);
        }
        let body = Body {
            station_id: self.station_id,
            weight: kg,
            unit: self.unit,
            stable: self.stable,
            timestamp: &at,
        };
        let body = serde_json::to_string(&body).map_err(|_| Impossible::Weight)?;
        let moment = at.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true);
        let (station, unit, stable) = (self.station_id, self.unit, self.stable);
        // All of it: a deck that comes to rest within the second of a gateway's clock is another reading.
        let derived = || {
            Uuid::new_v5(
                &NAMESPACE,
                format!("{station}|{moment}|{kg}|{unit:?}|{stable:?}").as_bytes(),
            )
        };
        Ok(FeedReading {
            edge_id,
            station_id: self.station_id,
            kg,
            stable: self.stable,
            at,
            received_at: now,
            event_id: self.event_id.unwrap_or_else(derived),
            is_named: self.event_id.is_some(),
            sha256: sha256_hex(&body),
            body,
        })
    }
}

impl FeedReading {
    /// The sender's clock in milliseconds, the only one that such a station has. One that is far ahead counts as a little
    /// ahead: when it is set right, time stands still until it is made up for, and nothing can settle meanwhile.
    pub fn mono_ms(&self) -> i64 {
        self.at.to_utc().min(self.received_at + AHEAD).timestamp_millis()
    }

    /// Whether it says what stands on the deck now.
    pub fn is_live(&self) -> bool {
        self.received_at - self.at.to_utc() <= LIVE
    }

    /// When something happened that this reading has shown: `mono_ms` and `on_mono_ms` are on the sender's clock.
    pub fn moments(&self, mono_ms: i64, on_mono_ms: i64) -> Moments {
        let behind = self.received_at - self.at.to_utc();
        let moment = |ms: i64| match DateTime::<Utc>::from_timestamp_millis(ms) {
            Some(moment) if behind <= MOST_BEHIND => moment.min(self.received_at),
            _ => self.received_at,
        };
        Moments {
            at: moment(mono_ms),
            on: moment(on_mono_ms),
            doubtful: !(-AHEAD..=MOST_BEHIND).contains(&behind),
        }
    }

    /// Tells the capture logic. A silence that may hide another truck counts as one.
    pub fn push(&self, scale: &mut Scale, new_cycle: impl FnMut() -> CycleId) -> Vec<ScaleEvent> {
        let silence = scale.state().last_reading.map(|last| self.mono_ms() - last.mono_ms);
        if silence.is_some_and(|ms| ms > i64::from(scale.settings().gap_same_ms)) {
            scale.silent();
        }
        scale.push(self.mono_ms(), &self.reading(), new_cycle)
    }

    fn reading(&self) -> Reading {
        Reading {
            weight: Some(self.kg.to_string()),
            unit: Unit::Kilogram,
            decimals: 2,
            kg: Some(self.kg),
            mode: Mode::Gross,
            stable: self.stable,
            overload: false,
            underload: false,
            zero: None,
            tare: None,
            device: None,
            raw: self.body.clone().into_bytes(),
        }
    }
}

/// A JSON number of some unit, exactly; kilograms with more than two decimals are refused, other units rounded.
fn kilograms(number: &str, unit: Unit) -> Option<Kilograms> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits: i64 = [whole, fraction].concat().parse().ok()?;
    let decimals = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if decimals > 2 && unit == Unit::Kilogram {
        return None;
    }
    if let Ok(decimals) = u32::try_from(decimals) {
        return unit.kilograms(digits, decimals);
    }
    let factor = 10_i64.checked_pow(decimals.unsigned_abs())?;
    unit.kilograms(digits.checked_mul(factor)?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-01-25T14:30:02+09:00")
            .unwrap()
            .to_utc()
    }

    fn posted(weight: &str) -> Posted<'_> {
        Posted {
            station_id: 1,
            weight,
            unit: Unit::Kilogram,
            stable: Some(true),
            timestamp: "2026-01-25T14:30:00+09:00",
            event_id: None,
        }
    }

    #[track_caller]
    fn check(weight: &str, unit: Unit, expected: Option<&str>) {
        let reading = Posted { unit, ..posted(weight) };
        let kg = reading.examined(1, now()).ok().map(|reading| reading.kg.to_string());
        assert_eq!(kg.as_deref(), expected, "{weight} {unit:?}");
    }

    #[test]
    fn a_weight_is_read_from_its_text_in_any_unit() {
        check("25000.5", Unit::Kilogram, Some("25000.50"));
        check("2.50005e4", Unit::Kilogram, Some("25000.50"));
        check("25000.500", Unit::Kilogram, Some("25000.50"));
        check("-20", Unit::Kilogram, Some("-20.00"));
        check("25.0005", Unit::Tonne, Some("25000.50"));
        check("25000500", Unit::Gram, Some("25000.50"));
        check("40000", Unit::Pound, Some("18143.69"));
    }

    #[test]
    fn an_impossible_weight_is_refused_and_not_rounded() {
        for weight in [
            "25000.555",
            "200000.01",
            "-500",
            "1e99",
            "\"25000\"",
            "true",
            "",
            "99999999999999999999",
        ] {
            check(weight, Unit::Kilogram, None);
        }
        check("201", Unit::Tonne, None);
    }

    #[test]
    fn an_impossible_time_is_refused() {
        for timestamp in [
            "2026-01-25T14:36:00+09:00",
            "2019-12-31T23:59:59Z",
            "2026-01-25 14:30",
            "yesterday",
        ] {
            let reading = Posted {
                timestamp,
                ..posted("1")
            };
            assert_eq!(reading.examined(1, now()).err(), Some(Impossible::Time), "{timestamp}");
        }
    }

    #[test]
    fn the_same_reading_has_the_same_identity_however_it_is_written() {
        let identity = |posted: Posted<'_>| posted.examined(1, now()).unwrap().event_id;
        let first = identity(posted("25000.5"));
        let utc = Posted {
            timestamp: "2026-01-25T05:30:00.000Z",
            ..posted("25000.50")
        };
        assert_eq!(identity(utc), first);
        assert_ne!(identity(posted("25000.6")), first);
        let other_station = Posted {
            station_id: 2,
            ..posted("25000.5")
        };
        assert_ne!(identity(other_station), first);
    }

    #[test]
    fn a_clock_that_is_ahead_makes_the_moment_doubtful_and_never_later_than_its_receipt() {
        let ahead = Posted {
            timestamp: "2026-01-25T14:30:08+09:00",
            ..posted("1")
        };
        let reading = ahead.examined(1, now()).unwrap();
        let moments = reading.moments(reading.mono_ms(), reading.mono_ms());
        assert_eq!((moments.at, moments.doubtful), (now(), true));
        let reading = posted("1").examined(1, now()).unwrap();
        assert!(!reading.moments(reading.mono_ms(), reading.mono_ms()).doubtful);
    }

    #[test]
    fn a_reading_of_a_clock_that_fell_back_is_of_its_receipt_and_a_backlog_is_of_its_time() {
        let read = |timestamp| {
            let reading = Posted {
                timestamp,
                ..posted("1")
            };
            let reading = reading.examined(1, now()).unwrap();
            reading.moments(reading.mono_ms(), reading.mono_ms() - 3_000)
        };
        let backlog = read("2026-01-15T14:30:02+09:00");
        assert_eq!((backlog.at, backlog.doubtful), (now() - TimeDelta::days(10), false));
        let fallen_back = Moments {
            at: now(),
            on: now(),
            doubtful: true,
        };
        assert_eq!(read("2020-03-01T00:00:00Z"), fallen_back);
    }
}
