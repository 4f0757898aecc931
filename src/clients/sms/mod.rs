//! Text messages, by the service that is configured: SOLAPI, which carries Kakao's 알림톡 too, or NAVER Cloud SENS.
//!
//! A service that took a message and whose answer is lost may send it twice when it is tried again: none of them knows a
//! message by a key of ours.
//!
//! - [`solapi`], [`sens`]: the two services

pub mod sens;
pub mod solapi;

use std::time::Duration;

use reqwest::RequestBuilder;

use super::reply;
use crate::domain::{
    delivery::{Outcome, answer},
    mac::hmac_sha256,
    phone::Phone,
};

/// Bytes that a short message takes, as networks count them: two a syllable, one a letter.
const SHORT: usize = 90;

/// Whoever sends text messages.
#[derive(Debug)]
pub enum Sms {
    Solapi(solapi::Solapi),
    Sens(sens::Sens),
}

impl Sms {
    pub async fn send(&self, to: &Phone, text: &str) -> Outcome {
        match self {
            Self::Solapi(solapi) => solapi.text(to, text).await,
            Self::Sens(sens) => sens.text(to, text).await,
        }
    }

    /// The service that carries Kakao messages, where this one does and a channel is configured.
    pub const fn kakao(&self) -> Option<&solapi::Solapi> {
        match self {
            Self::Solapi(solapi) if solapi.has_channel() => Some(solapi),
            _ => None,
        }
    }
}

/// Sends it, and reads what the answer means for the message. Numbers and texts never stand in what went wrong: of a
/// refusal only its code is kept.
async fn sent(request: RequestBuilder) -> Outcome {
    let reply = match reply::send(request).await {
        Ok(reply) => reply,
        Err(error) => return error.into(),
    };
    let body = reply.json().unwrap_or_default();
    if answer::verdict(reply.status) == answer::Verdict::Accepted {
        let id = ["messageId", "requestId"].iter().find_map(|name| body[*name].as_str());
        return Outcome::Sent {
            response: serde_json::json!({ "id": id }),
        };
    }
    let code = body["errorCode"].as_str().or_else(|| body["error"]["message"].as_str());
    answer::failure(reply.status, reply.retry_after(), code.unwrap_or_default())
}

/// `LMS` where a text is too long for `SMS`.
fn kind(text: &str) -> &'static str {
    let bytes = text.chars().map(|character| if character.is_ascii() { 1 } else { 2 });
    if bytes.sum::<usize>() > SHORT { "LMS" } else { "SMS" }
}

fn signature(secret: &str, text: &str) -> [u8; 32] {
    hmac_sha256(secret.as_bytes(), &[text.as_bytes()])
}

/// Names the request's age in a service's own way.
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// How a client of either is made.
#[derive(Clone, Debug)]
pub struct Access {
    pub base_url: String,
    pub key: String,
    pub secret: secrecy::SecretString,
    /// The number that is registered for sending, in digits.
    pub sender: String,
    pub timeout: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_becomes_a_long_message() {
        assert_eq!(kind(&"가".repeat(45)), "SMS");
        assert_eq!(kind(&"가".repeat(46)), "LMS");
    }
}
