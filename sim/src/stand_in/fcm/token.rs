//! Access tokens, given for an assertion that the service account has signed (RFC 7523).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::account::{Account, KEY_ID, PUBLIC_KEY};
use crate::stand_in::http::{Answer, Request};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const LONGEST_LIFE: i64 = 3600;
/// How far the clocks of two honest machines may differ, in seconds.
const SKEW: i64 = 300;

/// The tokens that were given out.
#[derive(Debug)]
pub struct Tokens {
    account: Account,
    life: u64,
    given: Mutex<HashMap<String, Instant>>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    scope: String,
    aud: String,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Form {
    grant_type: String,
    assertion: String,
}

impl Tokens {
    /// Each lives so many seconds.
    pub fn new(account: Account, life: u64) -> Self {
        Self {
            account,
            life,
            given: Mutex::default(),
        }
    }

    pub fn is_good(&self, token: &str) -> bool {
        self.given
            .lock()
            .get(token)
            .is_some_and(|until| Instant::now() < *until)
    }

    pub fn grant(&self, request: &Request) -> Answer {
        let form = request
            .header("content-type")
            .filter(|kind| kind.starts_with("application/x-www-form-urlencoded"))
            .and_then(|_| serde_urlencoded::from_bytes::<Form>(&request.body).ok());
        let Some(form) = form else {
            return refusal("invalid_request", "Required parameter is missing: grant_type");
        };
        if form.grant_type != GRANT {
            return refusal("unsupported_grant_type", "Invalid grant_type");
        }
        if let Err((error, why)) = self.check(&form.assertion) {
            return refusal(error, why);
        }
        let token = format!("ya29.{}", Uuid::new_v4().simple());
        let until = Instant::now() + Duration::from_secs(self.life);
        self.given.lock().insert(token.clone(), until);
        Answer::new(
            200,
            json!({ "access_token": token, "expires_in": self.life, "token_type": "Bearer" }),
        )
    }

    fn check(&self, assertion: &str) -> Result<(), (&'static str, &'static str)> {
        let grant = |why| Err(("invalid_grant", why));
        let key =
            DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).map_err(|_| ("server_error", "the key is broken"))?;
        let Ok(header) = decode_header(assertion) else {
            return grant("Invalid JWT: it cannot be decoded.");
        };
        if header.alg != Algorithm::RS256 || header.kid.as_deref() != Some(KEY_ID) {
            return grant("Invalid JWT: alg is not RS256, or kid names no key.");
        }
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        validation.validate_exp = false;
        let Ok(token) = decode::<Claims>(assertion, &key, &validation) else {
            return grant("Invalid JWT Signature.");
        };
        let (claims, now) = (token.claims, Utc::now().timestamp());
        if claims.iss != self.account.client_email {
            return grant("Invalid grant: account not found");
        }
        if claims.aud != self.account.token_uri {
            return grant("Invalid JWT: Failed audience check.");
        }
        if claims.scope != SCOPE {
            return Err(("invalid_scope", "Invalid OAuth scope or ID token audience provided."));
        }
        let in_time = claims.iat <= now + SKEW && claims.exp > now - SKEW && claims.exp > claims.iat;
        if !in_time || claims.exp - claims.iat > LONGEST_LIFE {
            return grant("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.");
        }
        Ok(())
    }
}

fn refusal(error: &str, why: &str) -> Answer {
    Answer::new(400, json!({ "error": error, "error_description": why }))
}
