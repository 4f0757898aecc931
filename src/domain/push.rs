//! What is pushed to a driver's phone: its words, for how long it is worth anything, and what of it replaces what.
//!
//! No more of a person stands in a push than the driver himself needs: neither his name nor his telephone number.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use weighbridge_protocol::{Kilograms, kilograms::json_number};

use super::wording::{Language, message};

/// How long a phone that is out of reach may get a slip late.
const SLIP_LIFE: TimeDelta = TimeDelta::hours(24);
/// How long it is worth knowing that a call was taken back.
const WITHDRAWAL_LIFE: TimeDelta = TimeDelta::minutes(10);

/// In what words.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub language: Language,
    /// In which times are told.
    pub zone: Tz,
    /// The longest that a call may be on its way: a late "drive on" is worse than none.
    pub call_life: TimeDelta,
}

/// A push, to any of a driver's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// `QUEUE_CALLED`, `QUEUE_WITHDRAWN`, `WEIGHING_COMPLETED`, `WEIGHING_CORRECTED` or `WEIGHING_REVOKED`.
    pub kind: &'static str,
    pub shown: Shown,
    pub data: Vec<(&'static str, String)>,
    /// Undelivered, it is worth nothing after this.
    pub until: DateTime<Utc>,
    /// What a later push of the same key replaces, on its way and on the screen; so does the same push that comes twice.
    pub key: String,
    pub urgent: bool,
}

/// What stands on the screen, and in the driver's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub title: String,
    pub body: String,
}

/// What the outbox has of a call.
#[derive(Clone, Debug, Deserialize)]
pub struct CallPayload {
    pub queue_id: i64,
    pub call: i32,
    pub queue_number: i32,
    pub driver_id: i64,
    pub station_id: Option<i64>,
    pub station_name: Option<String>,
    pub deadline: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

/// What the outbox has of a slip: completed, corrected, or no longer its driver's.
#[derive(Clone, Debug, Deserialize)]
pub struct SlipPayload {
    pub record_id: i64,
    pub driver_id: Option<i64>,
    pub slip_number: Option<String>,
    pub net_kg: Option<Kilograms>,
    /// The slip that it corrects.
    pub replaces: Option<String>,
    /// The record of which it is a correction, or one of a correction.
    pub first_record_id: Option<i64>,
}

impl CallPayload {
    /// Drive on now. None once the deadline is over.
    pub fn called(&self, manner: &Manner, now: DateTime<Utc>) -> Option<Push> {
        let until = self
            .deadline
            .map_or(now + manner.call_life, |at| at.min(now + manner.call_life));
        let station = self.station_name.as_deref().unwrap_or_default();
        let deadline = self.deadline.map(|at| at.with_timezone(&manner.zone));
        let shown_deadline = deadline.map(|at| at.format("%H:%M").to_string()).unwrap_or_default();
        let number = self.queue_number.to_string();
        let values = [
            ("number", number.as_str()),
            ("station", station),
            ("deadline", shown_deadline.as_str()),
        ];
        let mut push = self.push("QUEUE_CALLED", "called", &values, manner, until);
        push.data.extend(deadline.map(|at| ("deadline", at.to_rfc3339())));
        (until > now).then_some(push)
    }

    /// The call is taken back.
    pub fn withdrawn(&self, manner: &Manner, now: DateTime<Utc>) -> Push {
        let number = self.queue_number.to_string();
        let name = match self.reason.as_deref() {
            Some("NO_SHOW") => "no_show",
            Some("CANCELLED") => "cancelled",
            Some("REVIEW") => "review",
            _ => "withdrawn",
        };
        let mut push = self.push(
            "QUEUE_WITHDRAWN",
            name,
            &[("number", &number)],
            manner,
            now + WITHDRAWAL_LIFE,
        );
        push.data.extend(self.reason.clone().map(|reason| ("reason", reason)));
        push
    }

    fn push(
        &self,
        kind: &'static str,
        name: &str,
        values: &[(&str, &str)],
        manner: &Manner,
        until: DateTime<Utc>,
    ) -> Push {
        let mut data = vec![
            ("queue_id", self.queue_id.to_string()),
            ("queue_number", self.queue_number.to_string()),
            ("call_id", format!("{}-{}", self.queue_id, self.call)),
        ];
        data.extend(self.station_id.map(|station| ("station_id", station.to_string())));
        Push {
            kind,
            shown: Shown::of(name, values, manner.language),
            data,
            until,
            key: format!("queue-{}", self.queue_id),
            urgent: true,
        }
    }
}

impl SlipPayload {
    /// The slip is there.
    pub fn completed(&self, manner: &Manner, now: DateTime<Utc>) -> Push {
        self.push("WEIGHING_COMPLETED", "completed", manner, now)
    }

    /// It stands in the place of another.
    pub fn corrected(&self, manner: &Manner, now: DateTime<Utc>) -> Push {
        let mut push = self.push("WEIGHING_CORRECTED", "corrected", manner, now);
        push.data
            .extend(self.replaces.clone().map(|replaced| ("replaces", replaced)));
        push
    }

    /// It is not the driver's any more.
    pub fn revoked(&self, manner: &Manner, now: DateTime<Utc>) -> Push {
        self.push("WEIGHING_REVOKED", "revoked", manner, now)
    }

    fn push(&self, kind: &'static str, name: &str, manner: &Manner, now: DateTime<Utc>) -> Push {
        let slip = self.slip_number.clone().unwrap_or_default();
        let net = self.net_kg.map(json_number::number);
        let values = [
            ("slip", slip.as_str()),
            ("net", net.as_deref().unwrap_or_default()),
            ("replaced", self.replaces.as_deref().unwrap_or_default()),
        ];
        let shown = Shown::of(name, &values, manner.language);
        let mut data = vec![("record_id", self.record_id.to_string()), ("slip_number", slip)];
        data.extend(net.map(|net| ("net_weight", net)));
        Push {
            kind,
            shown,
            data,
            until: now + SLIP_LIFE,
            // On the screen a correction takes the place of what it corrects.
            key: format!("slip-{}", self.first_record_id.unwrap_or(self.record_id)),
            urgent: false,
        }
    }
}

impl Shown {
    fn of(name: &str, values: &[(&str, &str)], language: Language) -> Self {
        let text = |part: &str| message(language, &format!("{name}_{part}"), values);
        Self {
            title: text("title"),
            body: text("body"),
        }
    }
}

impl Push {
    /// The message for one device, as FCM HTTP v1 takes it.
    pub fn for_device(&self, token: &str, now: DateTime<Utc>) -> Value {
        let mut data: Map<String, Value> = self
            .data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone().into()))
            .collect();
        data.insert("type".to_owned(), self.kind.into());
        let Shown { title, body } = &self.shown;
        let (priority, channel, apns_priority) = if self.urgent {
            ("HIGH", "queue_call", "10")
        } else {
            ("NORMAL", "slip", "5")
        };
        let aps = if self.urgent {
            json!({ "sound": "default", "interruption-level": "time-sensitive" })
        } else {
            json!({ "sound": "default" })
        };
        let message = json!({
            "token": token,
            "data": data,
            "notification": { "title": title, "body": body },
            "android": {
                "priority": priority,
                "ttl": format!("{}s", (self.until - now).num_seconds().max(0)),
                "collapse_key": self.key,
                "notification": { "channel_id": channel, "tag": self.key },
            },
            "apns": {
                "headers": {
                    "apns-priority": apns_priority,
                    "apns-expiration": self.until.timestamp().to_string(),
                    "apns-collapse-id": self.key,
                },
                "payload": { "aps": aps },
            },
        });
        json!({ "message": message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANNER: Manner = Manner {
        language: Language::Korean,
        zone: chrono_tz::Asia::Seoul,
        call_life: TimeDelta::minutes(2),
    };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn call(deadline: &str) -> CallPayload {
        CallPayload {
            queue_id: 8123,
            call: 2,
            queue_number: 12,
            driver_id: 7,
            station_id: Some(2),
            station_name: Some("2번 계량대".to_owned()),
            deadline: Some(at(deadline)),
            reason: None,
        }
    }

    #[test]
    fn a_call_lives_as_long_as_its_deadline_and_never_longer_than_two_minutes() {
        let now = at("2026-01-25T05:30:00Z");
        let ttl = |deadline| {
            let push = call(deadline).called(&MANNER, now)?;
            Some(push.for_device("t", now)["message"]["android"]["ttl"].clone())
        };
        assert_eq!(ttl("2026-01-25T05:40:00Z").unwrap(), "120s");
        assert_eq!(ttl("2026-01-25T05:30:42Z").unwrap(), "42s");
        assert_eq!(ttl("2026-01-25T05:30:00Z"), None);
    }

    #[test]
    fn a_call_names_number_station_and_deadline_and_no_person() {
        let now = at("2026-01-25T05:30:00Z");
        let push = call("2026-01-25T05:35:00Z").called(&MANNER, now).unwrap();
        let message = push.for_device("token-a", now)["message"].clone();
        let body = message["notification"]["body"].as_str().unwrap();
        assert!(
            body.contains("12") && body.contains("2번 계량대") && body.contains("14:35"),
            "{body}"
        );
        assert_eq!(message["data"]["type"], "QUEUE_CALLED");
        assert_eq!(message["data"]["call_id"], "8123-2");
        assert_eq!(message["android"]["collapse_key"], "queue-8123");
        assert_eq!(message["android"]["notification"]["tag"], "queue-8123");
        assert_eq!(message["apns"]["headers"]["apns-priority"], "10");
        assert_eq!(message["android"]["priority"], "HIGH", "a phone that sleeps is woken");
        let until = now + MANNER.call_life;
        assert_eq!(
            message["apns"]["headers"]["apns-expiration"],
            until.timestamp().to_string(),
            "late it is worth nothing"
        );
        assert!(message["data"].as_object().unwrap().values().all(Value::is_string));
    }

    #[test]
    fn a_slip_is_worth_a_day_and_the_same_one_is_shown_once() {
        let now = at("2026-01-25T05:30:00Z");
        let slip = SlipPayload {
            record_id: 1,
            driver_id: Some(7),
            slip_number: Some("WR20260125001".to_owned()),
            net_kg: Some(Kilograms::from_whole(15_000)),
            replaces: None,
            first_record_id: None,
        };
        let message = slip.completed(&MANNER, now).for_device("t", now)["message"].clone();
        assert_eq!(message["android"]["priority"], "NORMAL");
        assert_eq!(message["apns"]["headers"]["apns-priority"], "5");
        assert_eq!(message["android"]["ttl"], "86400s");
        assert_eq!(message["android"]["collapse_key"], "slip-1");
        assert_eq!(message["android"]["notification"]["tag"], "slip-1");
        assert_eq!(message["apns"]["headers"]["apns-collapse-id"], "slip-1");
        assert!(
            message["notification"]["body"]
                .as_str()
                .unwrap()
                .contains("WR20260125001")
        );
    }
}
