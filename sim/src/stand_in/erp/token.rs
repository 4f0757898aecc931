//! Client credentials and access tokens (RFC 6749, section 4.4).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use serde_json::json;
use uuid::Uuid;

use super::{Customer, refusal};
use crate::stand_in::http::{Answer, Request};

/// The tokens that hold.
#[derive(Debug)]
pub struct Tokens {
    /// As `Authorization` must say it.
    credentials: String,
    life: u64,
    given: Mutex<BTreeMap<String, Instant>>,
}

impl Tokens {
    pub fn new(customer: &Customer) -> Self {
        let credentials = STANDARD.encode(format!("{}:{}", customer.client_id, customer.client_secret));
        Self {
            credentials: format!("Basic {credentials}"),
            life: customer.token_life,
            given: Mutex::default(),
        }
    }

    /// Gives a token.
    pub fn grant(&self, request: &Request) -> Answer {
        if request.header("authorization") != Some(self.credentials.as_str()) {
            return refusal(401, "invalid_client", "these are no client credentials of ours");
        }
        let is_form = request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let body = String::from_utf8_lossy(&request.body);
        if !is_form || !body.split('&').any(|pair| pair == "grant_type=client_credentials") {
            return refusal(400, "unsupported_grant_type", "expected grant_type=client_credentials");
        }
        let token = Uuid::new_v4().simple().to_string();
        let ends_at = Instant::now() + Duration::from_secs(self.life);
        self.given.lock().insert(token.clone(), ends_at);
        Answer::new(
            200,
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": self.life }),
        )
        .noting(json!({ "token": "given" }))
    }

    /// The bearer token of a request, where it holds.
    pub fn of<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        let holds = self
            .given
            .lock()
            .get(token)
            .is_some_and(|ends_at| *ends_at > Instant::now());
        holds.then_some(token)
    }

    pub fn end_all(&self) {
        self.given.lock().clear();
    }
}
