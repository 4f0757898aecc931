//! A customer's ERP: `POST /oauth/token` gives access tokens for client credentials; our own contract is taken under `/v1/`
//! (`docs/erp-rest-v1.md`), signed requests in the manner of Douzone under `/apiproxy/weighbridge/`.
//!
//! It is as strict as a good ERP: a token, a key and a body that are wrong are refused, weights must add up, a void must
//! name a slip that it knows, and a correction a slip that was voided. What was applied is applied once.
//!
//! - [`token`]: client credentials and access tokens
//! - [`ledger`]: what was applied, under which key, in which order
//! - [`schema`]: what a message must say
//! - [`rest_v1`], [`douzone`]: the two ways to speak to it

pub mod douzone;
pub mod ledger;
pub mod rest_v1;
pub mod schema;
pub mod token;

use serde_json::json;

use self::{douzone::Douzone, ledger::Ledger, token::Tokens};
use super::http::{Answer, Reply, Request, Service};

crate::failures! {
    /// How an ERP is told to fail.
    Failure {
        /// The connection breaks, and nothing is done.
        Down = "down",
        Internal = "internal",
        /// 503 with `Retry-After: 1`.
        Unavailable = "unavailable",
        /// 429 with `Retry-After: 7`.
        Quota = "quota",
        /// It is never answered.
        Timeout = "timeout",
        /// The answer comes at a byte a second.
        Slow = "slow",
        /// 200 with something that is no JSON. Nothing is done.
        Garbage = "garbage",
        /// 200 with an answer of ten gigabytes. Nothing is done.
        Huge = "huge",
        /// 302 to an address that must not be asked.
        Redirect = "redirect",
        /// It is done, and the answer is lost.
        LostAnswer = "lost-answer",
        /// It is done, and the answer says so at great length, with a NUL in it.
        OddAnswer = "odd-answer",
        /// All tokens have ended; a new one is given.
        ExpiredTokens = "expired-tokens",
        /// 503 where an access token is asked for.
        NoToken = "no-token",
        /// 422, whatever it says.
        Refused = "refused",
    }
}

/// Where a redirect leads that must not be followed: the address by which clouds give out credentials.
pub const FORBIDDEN: &str = "http://169.254.169.254/latest/meta-data/";

/// Letters of a remark that nobody asked for.
const ODD: usize = 100_000;

/// What its clients are given.
#[derive(Clone, Debug)]
pub struct Customer {
    pub client_id: String,
    pub client_secret: String,
    /// The key of Douzone's signatures.
    pub hash_key: String,
    /// How long access tokens live, in seconds.
    pub token_life: u64,
}

/// See the file's head.
#[derive(Debug)]
pub struct Erp {
    tokens: Tokens,
    ledger: Ledger,
    douzone: Douzone,
}

impl Erp {
    pub fn new(customer: &Customer) -> Self {
        Self {
            tokens: Tokens::new(customer),
            ledger: Ledger::default(),
            douzone: Douzone::new(&customer.hash_key),
        }
    }
}

impl Service for Erp {
    type Failure = Failure;

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.place()) {
            ("POST", "/oauth/token") => self.tokens.grant(request),
            ("POST", path) if path.starts_with("/v1/") => rest_v1::take(request, &self.tokens, &self.ledger),
            ("POST", path) if path.starts_with("/apiproxy/weighbridge/") => {
                self.douzone.take(request, &self.tokens, &self.ledger)
            }
            _ => refusal(404, "NOT_FOUND", "no such address"),
        }
    }

    fn concerns(&self, how: Failure, request: &Request) -> bool {
        (how == Failure::NoToken) == (request.place() == "/oauth/token")
    }

    fn fail(&self, how: Failure, request: &Request) -> Reply {
        Reply::Say(match how {
            Failure::Down => return Reply::BreakOff(Answer::new(502, json!({}))),
            Failure::Internal => refusal(500, "INTERNAL", "an error of ours"),
            Failure::Unavailable | Failure::NoToken => {
                refusal(503, "UNAVAILABLE", "come again later").with("retry-after", "1")
            }
            Failure::Quota => refusal(429, "TOO_MANY_REQUESTS", "too many requests").with("retry-after", "7"),
            Failure::Timeout => return Reply::Silence,
            Failure::Slow => return Reply::Drip(Answer::new(200, json!({ "receipt": "too slow to be read" }))),
            Failure::Garbage => return Reply::Garbage,
            Failure::Huge => return Reply::Endless,
            Failure::Redirect => refusal(302, "FOUND", "over there").with("location", FORBIDDEN),
            Failure::LostAnswer => return Reply::BreakOff(self.answer(request)),
            Failure::OddAnswer => {
                let mut answer = self.answer(request);
                answer.body["remark"] = json!("\0".repeat(ODD));
                answer
            }
            Failure::ExpiredTokens => {
                self.tokens.end_all();
                refusal(401, "TOKEN_EXPIRED", "the access token has ended")
            }
            Failure::Refused => refusal(422, "REFUSED", "as it was told to"),
        })
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status, json!({ "code": code, "message": message }))
}
