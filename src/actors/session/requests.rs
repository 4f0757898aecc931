//! What a client may say, and what it is answered.

use serde::{Deserialize, Serialize};

use crate::actors::live::{frame::Frame, topics::Topic};

/// A message of the client's. Whatever is none of these is malformed.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Request {
    Subscribe {
        topics: Vec<String>,
        /// All sites when left out.
        site_id: Option<i64>,
    },
    Unsubscribe {
        topics: Vec<String>,
    },
    /// An access token that takes the place of the one that expires.
    Token {
        token: String,
    },
    Ping,
}

/// A message about the conversation itself, not of a topic.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Answer {
    /// All that the socket is subscribed to from now on.
    Subscribed {
        topics: Vec<Topic>,
    },
    Pong,
    Error {
        code: &'static str,
        message: String,
    },
}

impl Answer {
    pub fn error(code: &'static str, message: &str) -> Self {
        Self::Error {
            code,
            message: message.to_owned(),
        }
    }

    pub fn unknown_topic(name: &str) -> Self {
        let name: String = name.chars().take(40).collect();
        let known = Topic::ALL.map(Topic::name).join(", ");
        Self::error(
            "UNKNOWN_TOPIC",
            &format!("{name:?} is no topic, expected one of {known}"),
        )
    }

    /// As it goes on the wire.
    pub fn frame(&self) -> Frame {
        // Texts and lists of texts can always be encoded; were it otherwise, an empty message would say so.
        Frame::text(&serde_json::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &Answer, json: &str) {
        assert_eq!(answer.frame(), Frame::text(json.as_bytes()));
    }

    #[test]
    fn answers_look_as_the_interface_says() {
        check(&Answer::Pong, r#"{"type":"pong"}"#);
        let topics = vec![Topic::Stations, Topic::Weighings];
        check(
            &Answer::Subscribed { topics },
            r#"{"type":"subscribed","topics":["stations","weighings"]}"#,
        );
        check(&Answer::error("A", "b"), r#"{"type":"error","code":"A","message":"b"}"#);
        check(
            &Answer::unknown_topic("weather"),
            r#"{"type":"error","code":"UNKNOWN_TOPIC","message":"\"weather\" is no topic, expected one of stations, queue, summary, weighings, driver"}"#,
        );
    }

    #[test]
    fn what_a_client_says_is_understood_or_malformed() {
        let request = |text: &str| serde_json::from_str::<Request>(text).ok();
        let topics = vec!["queue".to_owned()];
        assert_eq!(
            request(r#"{"type":"subscribe","topics":["queue"],"site_id":2}"#),
            Some(Request::Subscribe {
                topics,
                site_id: Some(2)
            })
        );
        assert_eq!(request(r#"{"type":"ping","since":"v2"}"#), Some(Request::Ping));
        for malformed in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"type":"dance"}"#,
            r#"{"type":"subscribe"}"#,
        ] {
            assert_eq!(request(malformed), None, "{malformed}");
        }
        assert_eq!(request(r#"{"type":"subscribe","topics":"queue"}"#), None);
        assert_eq!(request(r#"{"type":"subscribe","topics":[],"site_id":"one"}"#), None);
    }
}
