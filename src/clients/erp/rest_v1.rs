//! Our own contract, `docs/erp-rest-v1.md`: JSON under an `Idempotency-Key`, by which the ERP applies a message once.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{
    Message, Subject,
    over_http::{Call, Dialect, Stamp},
};
use crate::{clients::reply::Reply, domain::delivery::Outcome};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// See the file's head.
pub(super) struct RestV1;

impl Dialect for RestV1 {
    fn call(&self, message: &Message, _: &Stamp) -> Call {
        let path = match message.subject {
            Subject::Completed => "/v1/weighings",
            Subject::Voided => "/v1/voids",
            Subject::Closed => "/v1/closes",
        };
        let mut headers = HeaderMap::new();
        // A string of the structured header, hence the quotes.
        if let Ok(key) = HeaderValue::from_str(&format!("\"{}\"", message.key)) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        Call {
            path: path.to_owned(),
            headers,
            body: message.payload.clone(),
        }
    }

    /// It knows by the key.
    fn asks_before_it_repeats(&self) -> bool {
        false
    }

    fn inquiry(&self, message: &Message, stamp: &Stamp) -> Call {
        self.call(message, stamp)
    }

    fn has_arrived(&self, _: &Value) -> bool {
        false
    }

    /// The bearer token is enough.
    fn sign(&self, _: &str, _: &str, _: &Stamp) -> HeaderMap {
        HeaderMap::new()
    }

    fn read(&self, reply: &Reply) -> Outcome {
        let Some(answer) = reply.json().filter(Value::is_object) else {
            return reply.unreadable();
        };
        if reply.status != 409 {
            return match answer["receipt"].as_str() {
                Some(_) => Outcome::Sent { response: answer },
                None => reply.unreadable(),
            };
        }
        match answer["code"].as_str() {
            Some("ALREADY_APPLIED") => Outcome::Sent { response: answer },
            Some("IN_PROGRESS") => Outcome::Retry {
                why: "409: the ERP still works on it".to_owned(),
                after: reply.retry_after(),
            },
            _ => reply.failure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: &Outcome) {
        let reply = Reply {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        assert_eq!(&RestV1.read(&reply), expect);
    }

    fn retry(why: &str) -> Outcome {
        Outcome::Retry {
            why: why.to_owned(),
            after: None,
        }
    }

    #[test]
    fn only_a_receipt_or_the_word_that_it_is_applied_already_is_a_success() {
        let receipt = json!({ "receipt": "E-1" });
        check(
            201,
            &receipt.to_string(),
            &Outcome::Sent {
                response: receipt.clone(),
            },
        );
        let applied = json!({ "code": "ALREADY_APPLIED", "receipt": "E-1" });
        check(
            409,
            &applied.to_string(),
            &Outcome::Sent {
                response: applied.clone(),
            },
        );
        check(
            409,
            r#"{"code":"IN_PROGRESS"}"#,
            &retry("409: the ERP still works on it"),
        );
        let dead = |why: &str| Outcome::Dead { why: why.to_owned() };
        check(
            409,
            r#"{"code":"PERIOD_LOCKED"}"#,
            &dead(r#"409: {"code":"PERIOD_LOCKED"}"#),
        );
        check(200, "{}", &retry("200 with an answer that cannot be read: {}"));
        check(200, "<html>", &retry("200 with an answer that cannot be read: <html>"));
        check(200, "[1]", &retry("200 with an answer that cannot be read: [1]"));
    }

    #[test]
    fn a_message_goes_to_its_place_under_its_key() {
        let message = Message {
            number: 1,
            subject: Subject::Voided,
            key: Uuid::nil(),
            payload: json!({ "slip_number": "WR20260125001" }),
            may_have_arrived: false,
        };
        let stamp = Stamp {
            transaction: Uuid::nil(),
            at: chrono::DateTime::UNIX_EPOCH,
        };
        let call = RestV1.call(&message, &stamp);
        assert_eq!(call.path, "/v1/voids");
        assert_eq!(
            call.headers["idempotency-key"],
            "\"00000000-0000-0000-0000-000000000000\""
        );
        assert_eq!(call.body, message.payload);
    }
}
