//! What a driver's phone is told of his call: that it is made, made again, or taken back.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::outbox::{Kind, Message, key_of};

/// One call of one entry. Its name for ever is the entry's id with the number of the call.
#[derive(Clone, Copy, Debug)]
pub struct CallNews<'a> {
    pub entry_id: i64,
    /// The entry's calls and recalls, counted from 1.
    pub call: i32,
    pub queue_number: i32,
    pub driver_id: i64,
    pub plate: &'a str,
    pub station_id: Option<i64>,
    pub station_name: Option<&'a str>,
    pub deadline: Option<DateTime<Utc>>,
}

/// Why a call was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    Cancelled,
    NoShow,
    Skipped,
    StationClosed,
    /// Its truck left the deck unweighed, and will be called anew.
    LeftUnweighed,
    /// Staff have to look at it.
    Review,
    /// What was weighed under it was another's.
    Voided,
}

impl Withdrawn {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::NoShow => "NO_SHOW",
            Self::Skipped => "SKIPPED",
            Self::StationClosed => "STATION_CLOSED",
            Self::LeftUnweighed => "LEFT_UNWEIGHED",
            Self::Review => "REVIEW",
            Self::Voided => "VOIDED",
        }
    }
}

impl CallNews<'_> {
    /// Drive on now. Whoever sends it looks first whether this call still stands.
    pub fn called(&self) -> Message {
        self.message(Kind::PushCalled, None)
    }

    /// The call is no longer true.
    pub fn withdrawn(&self, why: Withdrawn) -> Message {
        self.message(Kind::PushWithdrawn, Some(why))
    }

    fn message(&self, kind: Kind, why: Option<Withdrawn>) -> Message {
        Message {
            kind,
            idempotency_key: key_of(&format!("queue:{}:{}:{}", self.entry_id, self.call, kind.name())),
            // A recall does not wait behind a call that could not be told; a withdrawal waits for its call.
            aggregate_key: format!("queue:{}:{}", self.entry_id, self.call),
            payload: json!({
                "queue_id": self.entry_id,
                "call": self.call,
                "queue_number": self.queue_number,
                "driver_id": self.driver_id,
                "plate": self.plate,
                "station_id": self.station_id,
                "station_name": self.station_name,
                "deadline": self.deadline.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
                "reason": why.map(Withdrawn::name),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_of_an_entry_has_a_message_of_its_own() {
        let news = |call| CallNews {
            entry_id: 7,
            call,
            queue_number: 3,
            driver_id: 1,
            plate: "12가3456",
            station_id: Some(2),
            station_name: Some("2번"),
            deadline: None,
        };
        let key = |message: Message| message.idempotency_key;
        assert_eq!(key(news(1).called()), key(news(1).called()));
        assert_ne!(key(news(1).called()), key(news(2).called()));
        let withdrawn = news(1).withdrawn(Withdrawn::Skipped);
        assert_ne!(withdrawn.idempotency_key, key(news(1).called()));
        assert_eq!(withdrawn.aggregate_key, news(1).called().aggregate_key);
        assert_eq!(withdrawn.payload["reason"], "SKIPPED");
    }
}
