//! What the HTTP versions share: a token that is renewed once when it is refused, and an answer's meaning.

use std::{fs, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use reqwest::{Certificate, Client, header::HeaderMap};
use serde_json::Value;
use uuid::Uuid;

use super::{Erp, ErpError, Message};
use crate::{
    clients::{
        http,
        oauth::ClientCredentials,
        reply::{self, Reply},
        token::TokenCache,
    },
    config::ErpSettings,
    domain::delivery::{
        Outcome,
        answer::{Verdict, verdict},
    },
};

/// One version of an ERP's interface.
pub(super) trait Dialect: Send + Sync + 'static {
    /// How the message is sent.
    fn call(&self, message: &Message, stamp: &Stamp) -> Call;

    /// Whether the receiver must be asked if an earlier attempt arrived, since it does not know a message by its key.
    fn asks_before_it_repeats(&self) -> bool;

    /// How to ask that.
    fn inquiry(&self, message: &Message, stamp: &Stamp) -> Call;

    /// Whether the answer says that it did.
    fn has_arrived(&self, answer: &Value) -> bool;

    /// Headers that prove who calls, made anew for each request.
    fn sign(&self, path: &str, token: &str, stamp: &Stamp) -> HeaderMap;

    /// What an answer with 200 to 299, or 409, says.
    fn read(&self, reply: &Reply) -> Outcome;
}

/// What one request is.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Behind the base address: `/v1/weighings`
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// What makes one request unlike any other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) transaction: Uuid,
    pub(super) at: DateTime<Utc>,
}

/// An ERP that speaks a dialect.
struct OverHttp<D> {
    http: Client,
    /// Without a slash at the end.
    base_url: String,
    tokens: ClientCredentials,
    dialect: D,
}

pub(super) fn over_http<D: Dialect>(
    settings: &ErpSettings,
    base_url: &str,
    dialect: D,
) -> Result<Arc<dyn Erp>, ErpError> {
    let mut builder = http::builder(settings.timeout).no_proxy();
    if let Some(path) = &settings.ca_file {
        builder = builder.tls_certs_merge(authorities(path)?);
    }
    let http = builder.build().map_err(ErpError::Client)?;
    let tokens = ClientCredentials {
        http: http.clone(),
        token_url: settings.token_url.clone(),
        client_id: settings.client_id.clone(),
        client_secret: settings.client_secret.clone(),
        scope: settings.scope.clone(),
        kept: TokenCache::default(),
    };
    Ok(Arc::new(OverHttp {
        http,
        base_url: base_url.trim_end_matches('/').to_owned(),
        tokens,
        dialect,
    }))
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, ErpError> {
    let unreadable = |source| ErpError::Authorities {
        path: path.display().to_string(),
        source,
    };
    let pem = fs::read(path).map_err(|error| unreadable(error.into()))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.into()))
}

impl<D: Dialect> Erp for OverHttp<D> {
    fn tell(&self, message: Message) -> BoxFuture<'_, Outcome> {
        Box::pin(async move { self.told(&message).await.unwrap_or_else(|failure| failure) })
    }
}

impl<D: Dialect> OverHttp<D> {
    async fn told(&self, message: &Message) -> Result<Outcome, Outcome> {
        if message.may_have_arrived && self.dialect.asks_before_it_repeats() {
            let reply = self.call(|stamp| self.dialect.inquiry(message, stamp)).await?;
            let answer = reply.json().ok_or_else(|| reply.unreadable())?;
            if self.dialect.has_arrived(&answer) {
                return Ok(Outcome::Sent { response: answer });
            }
        }
        let reply = self.call(|stamp| self.dialect.call(message, stamp)).await?;
        Ok(self.dialect.read(&reply))
    }

    /// Sends with a token that holds; once more where the token is refused. Answers what is for the dialect to read.
    async fn call(&self, call: impl Fn(&Stamp) -> Call) -> Result<Reply, Outcome> {
        let token = self.tokens.token().await?;
        let mut reply = self.send(&call, &token).await?;
        if verdict(reply.status) == Verdict::Unauthorized {
            let renewed = self.tokens.after(&token).await?;
            reply = self.send(&call, &renewed).await?;
        }
        if verdict(reply.status) == Verdict::Accepted || reply.status == 409 {
            return Ok(reply);
        }
        Err(reply.failure())
    }

    async fn send(&self, call: &impl Fn(&Stamp) -> Call, token: &str) -> Result<Reply, Outcome> {
        let stamp = Stamp {
            transaction: Uuid::new_v4(),
            at: Utc::now(),
        };
        let call = call(&stamp);
        let signature = self.dialect.sign(&call.path, token, &stamp);
        let request = self
            .http
            .post(format!("{}{}", self.base_url, call.path))
            .bearer_auth(token)
            .headers(call.headers)
            .headers(signature)
            .json(&call.body);
        Ok(reply::send(request).await?)
    }
}
