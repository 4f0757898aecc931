//! What FCM's answers mean, by its page of error codes.
//!
//! A 400 speaks of the token only where its details are an `FcmError` and nothing else; with a `BadRequest` beside it the
//! message is wrong, which is our mistake and no reason to forget a device.

use std::time::Duration;

use serde_json::Value;

/// What became of one message to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Accepted,
    /// The device is not there any more, or is not ours: its token is to be forgotten.
    NoDevice(String),
    Later {
        why: String,
        /// Not before this.
        after: Option<Duration>,
    },
    /// FCM is well and does not take this message, whomever it is for.
    Wrong(String),
}

/// Where FCM says that there is too much, and not for how long.
const QUOTA_REFILLS: Duration = Duration::from_mins(1);
/// After no answer, or an error of FCM's own.
pub const WAIT_AFTER_TROUBLE: Duration = Duration::from_secs(10);

impl Sent {
    pub fn later(why: impl Into<String>, after: Option<Duration>) -> Self {
        Self::Later { why: why.into(), after }
    }
}

/// Reads an answer.
pub fn read(status: u16, retry_after: Option<Duration>, body: &Value) -> Sent {
    let said = body["error"]["message"].as_str().unwrap_or_default();
    let code = fcm_code(body);
    let why = format!("{status} {}: {said}", code.unwrap_or_default());
    match (status, code) {
        (200..=299, _) => Sent::Accepted,
        (404, Some("UNREGISTERED")) | (403, Some("SENDER_ID_MISMATCH")) => Sent::NoDevice(why),
        (400, Some("INVALID_ARGUMENT")) if !blames_message(body) => Sent::NoDevice(why),
        (429, _) => Sent::later(why, Some(retry_after.unwrap_or(QUOTA_REFILLS))),
        // 401 with FcmError: Apple does not know us. A person mends that, and calls go on meanwhile to all the others.
        (401 | 408 | 503, _) => Sent::later(why, retry_after),
        (500.., _) => Sent::later(why, Some(retry_after.unwrap_or(WAIT_AFTER_TROUBLE))),
        _ => Sent::Wrong(why),
    }
}

/// `UNREGISTERED` and its like.
pub fn fcm_code(body: &Value) -> Option<&str> {
    let detail = details(body).find(|detail| kind(detail).ends_with("google.firebase.fcm.v1.FcmError"))?;
    detail["errorCode"].as_str()
}

fn blames_message(body: &Value) -> bool {
    details(body).any(|detail| kind(detail).ends_with("google.rpc.BadRequest"))
}

fn details(body: &Value) -> impl Iterator<Item = &Value> {
    body["error"]["details"].as_array().into_iter().flatten()
}

fn kind(detail: &Value) -> &str {
    detail["@type"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FCM: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
    const BAD: &str = "type.googleapis.com/google.rpc.BadRequest";

    fn body(details: &[(&str, &str)]) -> Value {
        let details: Vec<Value> = details
            .iter()
            .map(|(kind, code)| json!({ "@type": kind, "errorCode": code }))
            .collect();
        json!({ "error": { "message": "said", "details": details } })
    }

    #[track_caller]
    fn check(status: u16, retry_after: Option<u64>, details: &[(&str, &str)], expect: &str) {
        let sent = read(status, retry_after.map(Duration::from_secs), &body(details));
        let found = match sent {
            Sent::Accepted => "accepted".to_owned(),
            Sent::NoDevice(_) => "no device".to_owned(),
            Sent::Later { after, .. } => format!("later {:?}", after.map(|after| after.as_secs())),
            Sent::Wrong(_) => "wrong".to_owned(),
        };
        assert_eq!(found, expect, "{status} {details:?}");
    }

    #[test]
    fn a_device_is_forgotten_only_where_fcm_speaks_of_its_token() {
        check(404, None, &[(FCM, "UNREGISTERED")], "no device");
        check(400, None, &[(FCM, "INVALID_ARGUMENT")], "no device");
        check(403, None, &[(FCM, "SENDER_ID_MISMATCH")], "no device");
        check(400, None, &[(BAD, "")], "wrong");
        check(400, None, &[(FCM, "INVALID_ARGUMENT"), (BAD, "")], "wrong");
        check(404, None, &[], "wrong");
        check(403, None, &[], "wrong");
    }

    #[test]
    fn what_may_pass_is_tried_again_and_not_too_soon() {
        check(200, None, &[], "accepted");
        check(429, Some(7), &[(FCM, "QUOTA_EXCEEDED")], "later Some(7)");
        check(429, None, &[(FCM, "QUOTA_EXCEEDED")], "later Some(60)");
        check(503, Some(3), &[(FCM, "UNAVAILABLE")], "later Some(3)");
        check(503, None, &[], "later None");
        check(500, None, &[(FCM, "INTERNAL")], "later Some(10)");
        check(401, None, &[(FCM, "THIRD_PARTY_AUTH_ERROR")], "later None");
    }
}
