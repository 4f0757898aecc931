//! Firebase Cloud Messaging, HTTP v1, over one HTTP/2 connection: many messages are on their way on it at once.
//!
//! - [`account`]: the service account, and the assertion that it signs for an access token
//! - [`answer`]: what an answer says about the device, the message or the service

pub mod account;
pub mod answer;

use std::{path::Path, time::Duration};

use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;

use self::{
    account::{Account, AccountError},
    answer::{Sent, WAIT_AFTER_TROUBLE},
};
use super::{
    http::{builder, words},
    reply,
    token::{self, Granted, TokenCache},
};

/// The connection to FCM.
#[derive(Debug)]
pub struct Fcm {
    http: Client,
    send_url: String,
    account: Account,
    token: TokenCache,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    expires_in: Option<Value>,
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const UNAUTHORIZED: u16 = 401;

impl Fcm {
    /// Sends as the service account of `credentials`, the file that Google gives out. Nothing is sent yet.
    pub fn new(base_url: &str, credentials: &Path, timeout: Duration) -> Result<Self, AccountError> {
        let account = Account::read(credentials)?;
        let base_url = base_url.trim_end_matches('/');
        let mut client = builder(timeout);
        if base_url.starts_with("http://") {
            // Without TLS nobody offers HTTP/2: it is begun with.
            client = client.http2_prior_knowledge();
        }
        let client = client
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_keep_alive_while_idle(true)
            .build();
        Ok(Self {
            http: client.map_err(|error| AccountError::Client(words(&error)))?,
            send_url: format!("{base_url}/v1/projects/{}/messages:send", account.project_id),
            account,
            token: TokenCache::default(),
        })
    }

    /// Sends one message to one device.
    pub async fn send(&self, message: &Value) -> Sent {
        let first = self.send_once(message).await;
        match first {
            // Its token was taken back before its time: another is asked for, once.
            Attempt::Unauthenticated => match self.send_once(message).await {
                Attempt::Done(sent) => sent,
                Attempt::Unauthenticated => Sent::later("FCM does not accept the access token that it gave", None),
            },
            Attempt::Done(sent) => sent,
        }
    }

    async fn send_once(&self, message: &Value) -> Attempt {
        let token = match self.token.get(async || self.ask_for_token().await).await {
            Ok(token) => token,
            Err(why) => return Attempt::Done(Sent::later(why, None)),
        };
        let request = self.http.post(&self.send_url).bearer_auth(&token).json(message);
        let reply = match reply::send(request).await {
            Ok(reply) => reply,
            Err(error) => return Attempt::Done(Sent::later(error.to_string(), Some(WAIT_AFTER_TROUBLE))),
        };
        let body = reply.json().unwrap_or(Value::Null);
        if reply.status == UNAUTHORIZED && answer::fcm_code(&body).is_none() {
            self.token.forget(&token).await;
            return Attempt::Unauthenticated;
        }
        Attempt::Done(answer::read(reply.status, reply.retry_after(), &body))
    }

    async fn ask_for_token(&self) -> Result<Granted, String> {
        let assertion = self
            .account
            .assertion(chrono::Utc::now())
            .map_err(|error| error.to_string())?;
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let request = self.http.post(&self.account.token_uri).form(&form);
        let reply = reply::send(request)
            .await
            .map_err(|error| format!("no access token for FCM: {error}"))?;
        if reply.status != 200 {
            return Err(format!("no access token for FCM: {} {}", reply.status, reply.quoted()));
        }
        let grant: Grant = serde_json::from_slice(&reply.body)
            .map_err(|error| format!("no access token for FCM: its answer has {error}"))?;
        Ok(Granted {
            token: grant.access_token,
            lives: token::life(grant.expires_in.as_ref()),
        })
    }
}

enum Attempt {
    Done(Sent),
    Unauthenticated,
}
