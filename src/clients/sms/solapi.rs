//! SOLAPI: the signature is HMAC-SHA256 over date and salt, in hex.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Access, kind, now, sent, signature};
use crate::{
    clients::http::{builder, words},
    domain::{delivery::Outcome, phone::Phone},
};

/// See the file's head.
#[derive(Debug)]
pub struct Solapi {
    http: Client,
    access: Access,
    channel: Option<Channel>,
}

/// A Kakao channel, and its template for slips.
#[derive(Clone, Debug)]
pub struct Channel {
    /// `pfId`
    pub id: String,
    /// `templateId`
    pub slip_template: String,
}

impl Solapi {
    pub fn new(access: Access, channel: Option<Channel>) -> Result<Self, String> {
        let http = builder(access.timeout).build().map_err(|error| words(&error))?;
        Ok(Self { http, access, channel })
    }

    pub const fn has_channel(&self) -> bool {
        self.channel.is_some()
    }

    pub async fn text(&self, to: &Phone, text: &str) -> Outcome {
        self.send(&json!({
            "to": to.digits(), "from": self.access.sender, "text": text, "type": kind(text),
        }))
        .await
    }

    /// A Kakao message by the template for slips; the service sends no text message in its place, that is ours to do.
    pub async fn kakao(&self, to: &Phone, values: &[(&str, &str)]) -> Outcome {
        let Some(channel) = &self.channel else {
            return Outcome::Dead {
                why: "no Kakao channel is configured".to_owned(),
            };
        };
        let named = |(name, value): &(&str, &str)| (format!("#{{{name}}}"), Value::from(*value));
        let variables: Map<String, Value> = values.iter().map(named).collect();
        self.send(&json!({
            "to": to.digits(),
            "from": self.access.sender,
            "kakaoOptions": {
                "pfId": channel.id, "templateId": channel.slip_template, "variables": variables, "disableSms": true,
            },
        }))
        .await
    }

    async fn send(&self, message: &Value) -> Outcome {
        let url = format!("{}/messages/v4/send", self.access.base_url.trim_end_matches('/'));
        let salt = Uuid::new_v4().simple().to_string();
        let authorization = authorization(&self.access, now(), &salt);
        let request = self.http.post(url).header("authorization", authorization);
        sent(request.json(&json!({ "message": message }))).await
    }
}

fn authorization(access: &Access, at: DateTime<Utc>, salt: &str) -> String {
    let date = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let signature = hex(&signature(access.secret.expose_secret(), &format!("{date}{salt}")));
    format!(
        "HMAC-SHA256 apiKey={}, date={date}, salt={salt}, signature={signature}",
        access.key
    )
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_published_vector_is_signed_as_published() {
        let access = Access {
            base_url: String::new(),
            key: "test-key".to_owned(),
            secret: "test-secret".into(),
            sender: String::new(),
            timeout: Duration::from_secs(1),
        };
        let at = "2026-10-08T00:00:00.000Z".parse().unwrap();
        assert_eq!(
            authorization(&access, at, "abc123"),
            "HMAC-SHA256 apiKey=test-key, date=2026-10-08T00:00:00.000Z, salt=abc123, \
             signature=01ed74b1a957a9670695979fd98b45116ee25697ed1ec792422ae5dc0dac1ac7"
        );
    }
}
