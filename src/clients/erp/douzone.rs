//! Signed requests in the manner of Douzone's Amaranth 10 (WEHAGO): every request carries a transaction of its own, the
//! time, and a signature over both, the token and the path.
//!
//! It has no key by which it would know a message again, so what may have arrived is asked for before it is repeated.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    Message, Subject,
    over_http::{Call, Dialect, Stamp},
};
use crate::{
    clients::reply::Reply,
    config::ErpSettings,
    domain::{delivery::Outcome, mac::hmac_sha256},
};

const PROCESS: &str = "weighbridge";
/// Amaranth's word for a message that is wrong in itself; anything else that is not 0 may pass.
const REFUSED: i64 = 400;

/// See the file's head.
pub(super) struct Douzone {
    hash_key: SecretString,
    caller_name: String,
    group_seq: String,
}

impl Douzone {
    pub(super) fn new(settings: &ErpSettings) -> Self {
        Self {
            hash_key: settings.hash_key.clone(),
            caller_name: settings.caller_name.clone(),
            group_seq: settings.group_seq.clone(),
        }
    }

    fn wrapped(&self, path: &str, stamp: &Stamp, body: &Value) -> Call {
        let header = json!({
            "groupSeq": self.group_seq,
            "tId": stamp.transaction.simple().to_string(),
            "pId": PROCESS,
        });
        Call {
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: json!({ "header": header, "body": body }),
        }
    }
}

impl Dialect for Douzone {
    fn call(&self, message: &Message, stamp: &Stamp) -> Call {
        let path = match message.subject {
            Subject::Completed => "/apiproxy/weighbridge/weighings",
            Subject::Voided => "/apiproxy/weighbridge/voids",
            Subject::Closed => "/apiproxy/weighbridge/closes",
        };
        let mut body = message.payload.clone();
        body["idempotencyKey"] = json!(message.key);
        self.wrapped(path, stamp, &body)
    }

    fn asks_before_it_repeats(&self) -> bool {
        true
    }

    fn inquiry(&self, message: &Message, stamp: &Stamp) -> Call {
        let body = json!({ "idempotencyKey": message.key });
        self.wrapped("/apiproxy/weighbridge/find", stamp, &body)
    }

    fn has_arrived(&self, answer: &Value) -> bool {
        answer["resultCode"] == 0 && answer["resultData"]["found"] == true
    }

    fn sign(&self, path: &str, token: &str, stamp: &Stamp) -> HeaderMap {
        let transaction = stamp.transaction.simple().to_string();
        let timestamp = stamp.at.timestamp().to_string();
        let said = format!("{token}{transaction}{timestamp}{path}");
        let signature = signature(self.hash_key.expose_secret(), &said);
        let headers = [
            ("callername", self.caller_name.as_str()),
            ("transaction-id", &transaction),
            ("timestamp", &timestamp),
            ("groupseq", &self.group_seq),
            ("wehago-sign", &signature),
        ];
        headers
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)))
            .collect()
    }

    fn read(&self, reply: &Reply) -> Outcome {
        let Some(answer) = reply.json() else {
            return reply.unreadable();
        };
        match answer["resultCode"].as_i64() {
            Some(0) => Outcome::Sent { response: answer },
            Some(REFUSED) => Outcome::Dead { why: reply.quoted() },
            Some(_) => Outcome::Retry {
                why: reply.quoted(),
                after: reply.retry_after(),
            },
            None => reply.unreadable(),
        }
    }
}

/// Base64 of HMAC-SHA-256.
fn signature(key: &str, said: &str) -> String {
    STANDARD.encode(hmac_sha256(key.as_bytes(), &[said.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn douzone() -> Douzone {
        Douzone {
            hash_key: "hash-key".into(),
            caller_name: "API_weighbridge".to_owned(),
            group_seq: "G1".to_owned(),
        }
    }

    fn stamp() -> Stamp {
        Stamp {
            transaction: Uuid::from_u128(0xabc),
            at: DateTime::from_timestamp(1_769_300_000, 0).unwrap(),
        }
    }

    #[test]
    fn the_signature_covers_token_transaction_time_and_path() {
        let signed = |token: &str, path: &str, stamp: Stamp| {
            let headers = douzone().sign(path, token, &stamp);
            headers["wehago-sign"].to_str().unwrap().to_owned()
        };
        let (token, path) = ("token", "/apiproxy/weighbridge/weighings");
        // openssl dgst -sha256 -hmac hash-key -binary | base64
        let expected = "dZfTkLAut8B1LqF2s1eMMitmn1FTViIE7AOlYyK6W5k=";
        assert_eq!(signed(token, path, stamp()), expected);
        let later = Stamp {
            at: stamp().at + chrono::TimeDelta::seconds(1),
            ..stamp()
        };
        let other = Stamp {
            transaction: Uuid::from_u128(0xabd),
            ..stamp()
        };
        for different in [
            signed("other", path, stamp()),
            signed(token, "/apiproxy/weighbridge/voids", stamp()),
            signed(token, path, later),
            signed(token, path, other),
        ] {
            assert_ne!(different, expected);
        }
    }

    #[test]
    fn a_message_is_wrapped_and_carries_its_key() {
        let message = Message {
            number: 1,
            subject: Subject::Completed,
            key: Uuid::from_u128(5),
            payload: json!({ "slip_number": "WR20260125001" }),
            may_have_arrived: false,
        };
        let call = douzone().call(&message, &stamp());
        assert_eq!(call.body["header"]["groupSeq"], "G1");
        assert_eq!(call.body["header"]["tId"], "00000000000000000000000000000abc");
        assert_eq!(call.body["body"]["slip_number"], "WR20260125001");
        assert_eq!(call.body["body"]["idempotencyKey"], message.key.to_string());
    }
}
