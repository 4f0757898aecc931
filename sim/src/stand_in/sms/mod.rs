//! Text messages: SOLAPI at `/messages/v4/send` (알림톡 too), NAVER Cloud SENS at `/sms/v2/services/{service}/messages`.
//!
//! - [`solapi`], [`sens`]: the two services
//! - [`text`]: what fits into a text message

pub mod sens;
pub mod solapi;
pub mod text;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use self::{sens::Sens, solapi::Solapi};
use super::http::{Answer, Reply, Request, Service};

crate::failures! {
    /// How the services are told to fail.
    Failure {
        /// 401: the signature does not count.
        Unauthenticated = "unauthenticated",
        /// 400: the message is refused for what it says.
        Refused = "refused",
        /// 400, of an 알림톡 alone: its template is not approved.
        NoTemplate = "no-template",
        /// 429 with `Retry-After: 7`.
        Quota = "quota",
        Unavailable = "unavailable",
        /// 503, of an 알림톡 alone.
        KakaoDown = "kakao-down",
        Internal = "internal",
        /// It is never answered.
        Timeout = "timeout",
        /// It is sent, and the answer is lost.
        LostAnswer = "lost-answer",
    }
}

/// What both services know of their customer.
#[derive(Clone, Debug)]
pub struct Customer {
    pub key: String,
    pub secret: String,
    /// The number that is registered for sending.
    pub sender: String,
    /// Of SENS: `ncp:sms:kr:…`.
    pub service_id: String,
    /// Of 알림톡: the channel, and the template that is approved.
    pub channel: String,
    pub template: String,
}

/// Both services.
#[derive(Debug)]
pub struct Sms {
    solapi: Solapi,
    sens: Sens,
}

impl Sms {
    pub fn new(customer: Customer) -> Self {
        Self {
            sens: Sens::new(customer.clone()),
            solapi: Solapi::new(customer),
        }
    }
}

impl Service for Sms {
    type Failure = Failure;

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.place()) {
            ("POST", "/messages/v4/send") => self.solapi.send(request),
            ("POST", path) if path.starts_with("/sms/v2/services/") => self.sens.send(request),
            _ => Answer::new(
                404,
                json!({ "errorCode": "NotFound", "errorMessage": "no such address" }),
            ),
        }
    }

    fn concerns(&self, how: Failure, request: &Request) -> bool {
        let is_alimtalk = || {
            request
                .json()
                .is_some_and(|body| body["message"]["kakaoOptions"].is_object())
        };
        !matches!(how, Failure::NoTemplate | Failure::KakaoDown) || is_alimtalk()
    }

    fn fail(&self, how: Failure, request: &Request) -> Reply {
        let said = |status, code: &str, message: &str| {
            Answer::new(status, json!({ "errorCode": code, "errorMessage": message }))
        };
        Reply::Say(match how {
            Failure::Unauthenticated => said(401, "SignatureDoesNotMatch", "the signature does not match"),
            Failure::Refused => said(400, "ValidationError", "the message is refused"),
            Failure::NoTemplate => said(400, "TemplateNotFound", "the template is not approved"),
            Failure::Quota => said(429, "TooManyRequests", "too many requests").with("retry-after", "7"),
            Failure::Unavailable | Failure::KakaoDown => said(503, "ServiceUnavailable", "come again later"),
            Failure::Internal => said(500, "InternalError", "an error of ours"),
            Failure::Timeout => return Reply::Silence,
            Failure::LostAnswer => return Reply::BreakOff(self.answer(request)),
        })
    }
}

fn hmac(secret: &str, text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// A Korean number in digits alone, as both ask for.
fn is_number(text: &str) -> bool {
    (8..=11).contains(&text.len()) && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}
