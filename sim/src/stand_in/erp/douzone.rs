//! Signed requests in the manner of Douzone's Amaranth 10, taken strictly.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::{
    ledger::{Applied, Ledger},
    refusal,
    schema::Subject,
    token::Tokens,
};
use crate::stand_in::http::{Answer, Request};

/// How far a request's time may be from ours, in seconds.
const WINDOW: i64 = 300;

/// See the file's head.
#[derive(Debug)]
pub struct Douzone {
    hash_key: String,
}

impl Douzone {
    pub fn new(hash_key: &str) -> Self {
        Self {
            hash_key: hash_key.to_owned(),
        }
    }

    /// Answers one request.
    pub fn take(&self, request: &Request, tokens: &Tokens, ledger: &Ledger) -> Answer {
        let Some(token) = tokens.of(request) else {
            return refusal(401, "UNAUTHENTICATED", "no access token that holds");
        };
        if let Some(complaint) = self.forgery(request, token) {
            return refusal(403, "FORBIDDEN", &complaint);
        }
        let Some(wrapped) = request.json().filter(|_| request.is_json()) else {
            return refusal(400, "MALFORMED", "expected JSON, and Content-Type: application/json");
        };
        let header = &wrapped["header"];
        let is_whole = ["groupSeq", "tId", "pId"].iter().all(|name| header[name].is_string());
        if !is_whole || header["tId"].as_str() != request.header("transaction-id") {
            return refusal(
                400,
                "MALFORMED",
                "expected header with groupSeq, pId, and the tId of transaction-id",
            );
        }
        let mut body = wrapped["body"].clone();
        let key = body.as_object_mut().and_then(|body| body.remove("idempotencyKey"));
        let Some(key) = key
            .as_ref()
            .and_then(Value::as_str)
            .and_then(|text| Uuid::parse_str(text).ok())
        else {
            return result(400, "no idempotencyKey", &json!({}));
        };
        let subject = match request.place().trim_start_matches("/apiproxy/weighbridge/") {
            "find" => return found(ledger.find(key).as_deref()),
            "weighings" => Subject::Weighing,
            "voids" => Subject::Void,
            "closes" => Subject::Close,
            _ => return refusal(404, "NOT_FOUND", "no such address"),
        };
        if let Some(complaint) = subject.complaint(&body) {
            return result(400, &complaint, &json!({}));
        }
        let note = |effect: &str| json!({ "effect": effect, "key": key, "subject": format!("{subject:?}") });
        match ledger.apply(key, subject, &body) {
            Applied::Now(receipt) => result(0, "ok", &json!({ "receipt": receipt })).noting(note("applied")),
            // It knows no keys of its own: whoever repeats without asking has done it twice.
            Applied::Before(_) => result(400, "duplicate", &json!({})).noting(note("twice")),
            Applied::OtherPayload => result(400, "duplicate", &json!({})).noting(note("mismatch")),
            Applied::OutOfOrder(why) => result(400, &why, &json!({})).noting(note("out of order")),
        }
    }

    /// Why the signature does not count; none where it does.
    fn forgery(&self, request: &Request, token: &str) -> Option<String> {
        let header = |name: &'static str| request.header(name).ok_or_else(|| format!("{name} is missing"));
        let checked = || -> Result<(), String> {
            header("callerName")?;
            header("groupSeq")?;
            let (transaction, timestamp) = (header("transaction-id")?, header("timestamp")?);
            if transaction.len() != 32 || !transaction.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err("transaction-id is not 32 hex digits".to_owned());
            }
            let at: i64 = timestamp
                .parse()
                .map_err(|_| "timestamp is no number of seconds".to_owned())?;
            if (request.at.timestamp() - at).abs() > WINDOW {
                return Err("timestamp is more than five minutes off".to_owned());
            }
            let said = format!("{token}{transaction}{timestamp}{}", request.place());
            let signature = sign(&self.hash_key, &said).ok_or("no key")?;
            if header("wehago-sign")? != signature {
                return Err("wehago-sign does not match".to_owned());
            }
            Ok(())
        };
        checked().err()
    }
}

fn found(receipt: Option<&str>) -> Answer {
    result(0, "ok", &json!({ "found": receipt.is_some(), "receipt": receipt }))
}

fn result(code: i64, message: &str, data: &Value) -> Answer {
    Answer::new(
        200,
        json!({ "resultCode": code, "resultMsg": message, "resultData": data }),
    )
}

fn sign(key: &str, said: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(said.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}
