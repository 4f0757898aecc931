//! Our own contract, taken strictly.

use serde_json::json;
use uuid::Uuid;

use super::{
    ledger::{Applied, Ledger},
    refusal,
    schema::Subject,
    token::Tokens,
};
use crate::stand_in::http::{Answer, Request};

/// Answers one request.
pub fn take(request: &Request, tokens: &Tokens, ledger: &Ledger) -> Answer {
    let subject = match request.place() {
        "/v1/weighings" => Subject::Weighing,
        "/v1/voids" => Subject::Void,
        "/v1/closes" => Subject::Close,
        _ => return refusal(404, "NOT_FOUND", "no such address"),
    };
    if tokens.of(request).is_none() {
        return refusal(401, "UNAUTHENTICATED", "no access token that holds");
    }
    let Some(body) = request.json().filter(|_| request.is_json()) else {
        return refusal(400, "MALFORMED", "expected JSON, and Content-Type: application/json");
    };
    let quoted = request
        .header("idempotency-key")
        .and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    let Some(key) = quoted.and_then(|text| Uuid::parse_str(text).ok()) else {
        return refusal(400, "NO_KEY", "expected Idempotency-Key: \"<UUID>\"");
    };
    if let Some(complaint) = subject.complaint(&body) {
        return refusal(422, "INVALID", &complaint);
    }
    let note = |effect: &str| json!({ "effect": effect, "key": key, "subject": format!("{subject:?}") });
    match ledger.apply(key, subject, &body) {
        Applied::Now(receipt) => {
            let mut note = note("applied");
            note["receipt"] = receipt.clone().into();
            Answer::new(201, json!({ "receipt": receipt })).noting(note)
        }
        Applied::Before(receipt) => {
            Answer::new(409, json!({ "code": "ALREADY_APPLIED", "receipt": receipt })).noting(note("repeated"))
        }
        Applied::OtherPayload => {
            refusal(422, "KEY_REUSED", "another message came under this key").noting(note("mismatch"))
        }
        Applied::OutOfOrder(why) => refusal(422, "OUT_OF_ORDER", &why).noting(note("out of order")),
    }
}
