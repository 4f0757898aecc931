//! Access tokens by client credentials (RFC 6749, section 4.4).

use std::fmt;

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::{
    reply,
    token::{self, Granted, TokenCache},
};
use crate::domain::delivery::Outcome;

/// Whoever needs tokens shares one of these.
pub struct ClientCredentials {
    pub http: Client,
    pub token_url: String,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Empty: none is asked for.
    pub scope: String,
    pub kept: TokenCache,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<Value>,
}

impl ClientCredentials {
    /// A token that counts.
    pub async fn token(&self) -> Result<String, Outcome> {
        self.kept.get(async || self.ask().await).await
    }

    /// Another than `refused`, which the service does not take any more.
    pub async fn after(&self, refused: &str) -> Result<String, Outcome> {
        self.kept.forget(refused).await;
        self.token().await
    }

    async fn ask(&self) -> Result<Granted, Outcome> {
        let mut form = vec![("grant_type", "client_credentials")];
        if !self.scope.is_empty() {
            form.push(("scope", &self.scope));
        }
        let request = self
            .http
            .post(&self.token_url)
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .form(&form);
        let reply = reply::send(request).await.map_err(|error| later(&error.to_string()))?;
        if reply.status != 200 {
            return Err(Outcome::Retry {
                why: format!("no access token: {} {}", reply.status, reply.quoted()),
                after: reply.retry_after(),
            });
        }
        let answer: Answer = serde_json::from_slice(&reply.body)
            .map_err(|_| later("an answer without access_token, expected one by RFC 6749"))?;
        Ok(Granted {
            token: answer.access_token,
            lives: token::life(answer.expires_in.as_ref()),
        })
    }
}

/// Whatever is wrong with the token is wrong for every message: none of them is to blame.
fn later(why: &str) -> Outcome {
    Outcome::Retry {
        why: format!("no access token: {why}"),
        after: None,
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("token_url", &self.token_url)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
