//! Firebase Cloud Messaging, HTTP v1: `POST /token` gives an access token for a service account's signed assertion, and
//! `POST /v1/projects/{project}/messages:send` takes one message for one device.
//!
//! A device's token tells what becomes of it: one that begins with `gone-` is not registered any more, `malformed-` is no
//! token, `stranger-` is another sender's. All others are delivered.
//!
//! - [`account`]: the service account that its clients are given
//! - [`token`]: assertions and access tokens
//! - [`message`]: what a message may say

pub mod account;
pub mod message;
pub mod token;

use std::net::SocketAddr;

use serde_json::{Value, json};
use uuid::Uuid;

use self::{account::Account, token::Tokens};
use super::http::{Answer, Reply, Request, Service};

crate::failures! {
    /// How FCM is told to fail.
    Failure {
        /// 404: the device's token is not registered any more.
        Unregistered = "unregistered",
        /// 400 as it is said of a token.
        InvalidToken = "invalid-token",
        /// 400 as it is said of a payload.
        BadPayload = "bad-payload",
        /// 403: the token belongs to another sender.
        SenderMismatch = "sender-mismatch",
        /// 401: the access token does not count.
        Unauthenticated = "unauthenticated",
        /// 429 with `Retry-After: 7`.
        Quota = "quota",
        Unavailable = "unavailable",
        Internal = "internal",
        /// It is never answered.
        Timeout = "timeout",
        /// It is delivered, and the answer is lost.
        LostAnswer = "lost-answer",
        /// 503 where an access token is asked for.
        NoToken = "no-token",
    }
}

/// The seconds that a client is asked to wait by [`Failure::Quota`].
pub const RETRY_AFTER: &str = "7";

/// See the file's head.
#[derive(Debug)]
pub struct Fcm {
    send_path: String,
    tokens: Tokens,
}

impl Fcm {
    /// Serves `project` at `address`; access tokens live so many seconds.
    pub fn new(project: &str, address: SocketAddr, token_life: u64) -> Self {
        Self {
            send_path: format!("/v1/projects/{project}/messages:send"),
            tokens: Tokens::new(Account::new(project, address), token_life),
        }
    }

    fn send(&self, request: &Request) -> Answer {
        let bearer = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        if !bearer.is_some_and(|token| self.tokens.is_good(token)) {
            return refusal(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
                None,
            );
        }
        if !request.is_json() {
            return bad_payload("", "Content-Type is not application/json");
        }
        let Some(body) = request.json() else {
            return bad_payload("", "Invalid JSON payload received.");
        };
        let token = match message::target(&body) {
            Ok(token) => token,
            Err(violation) => return bad_payload(&violation.field, &violation.description),
        };
        match token.split_once('-').map_or("", |(kind, _)| kind) {
            "gone" => unregistered(),
            "malformed" => invalid_token(),
            "stranger" => sender_mismatch(),
            _ => self.delivered(&body),
        }
    }

    fn delivered(&self, body: &Value) -> Answer {
        let project = self
            .send_path
            .trim_start_matches("/v1/")
            .trim_end_matches("/messages:send");
        let name = format!("{project}/messages/0:{}", Uuid::new_v4().simple());
        let shown = body["validate_only"] != true;
        Answer::new(200, json!({ "name": name })).noting(json!({ "delivered": shown }))
    }
}

impl Service for Fcm {
    type Failure = Failure;

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.place()) {
            ("POST", "/token") => self.tokens.grant(request),
            ("POST", path) if path == self.send_path => self.send(request),
            ("POST", path) if path.ends_with("/messages:send") => {
                refusal(403, "PERMISSION_DENIED", "The caller does not have permission.", None)
            }
            _ => refusal(404, "NOT_FOUND", "Method not found.", None),
        }
    }

    fn concerns(&self, how: Failure, request: &Request) -> bool {
        (how == Failure::NoToken) == (request.place() == "/token")
    }

    fn fail(&self, how: Failure, request: &Request) -> Reply {
        Reply::Say(match how {
            Failure::Unregistered => unregistered(),
            Failure::InvalidToken => invalid_token(),
            Failure::BadPayload => bad_payload("message.android.ttl", "Illegal duration format"),
            Failure::SenderMismatch => sender_mismatch(),
            Failure::Unauthenticated => refusal(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
                None,
            ),
            Failure::Quota => refusal(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", Some("QUOTA_EXCEEDED"))
                .with("retry-after", RETRY_AFTER),
            Failure::Unavailable | Failure::NoToken => refusal(
                503,
                "UNAVAILABLE",
                "The service is currently unavailable.",
                Some("UNAVAILABLE"),
            ),
            Failure::Internal => refusal(500, "INTERNAL", "Internal error encountered.", Some("INTERNAL")),
            Failure::Timeout => return Reply::Silence,
            Failure::LostAnswer => return Reply::BreakOff(self.send(request)),
        })
    }
}

fn unregistered() -> Answer {
    refusal(
        404,
        "NOT_FOUND",
        "Requested entity was not found.",
        Some("UNREGISTERED"),
    )
}

fn invalid_token() -> Answer {
    let said = "The registration token is not a valid FCM registration token";
    refusal(400, "INVALID_ARGUMENT", said, Some("INVALID_ARGUMENT"))
}

fn sender_mismatch() -> Answer {
    refusal(
        403,
        "PERMISSION_DENIED",
        "SenderId mismatch",
        Some("SENDER_ID_MISMATCH"),
    )
}

fn bad_payload(field: &str, description: &str) -> Answer {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{ "field": field, "description": description }],
    }]);
    let error = json!({ "code": 400, "message": description, "status": "INVALID_ARGUMENT", "details": details });
    Answer::new(400, json!({ "error": error }))
}

fn refusal(code: u16, status: &str, message: &str, fcm: Option<&str>) -> Answer {
    let mut error = json!({ "code": code, "message": message, "status": status });
    if let Some(fcm) = fcm {
        error["details"] =
            json!([{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": fcm }]);
    }
    Answer::new(code, json!({ "error": error }))
}
