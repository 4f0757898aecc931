//! NAVER Cloud SENS: the signature is HMAC-SHA256 over method, path, time and key, in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Access, kind, now, sent, signature};
use crate::{
    clients::http::{builder, words},
    domain::{delivery::Outcome, phone::Phone},
};

/// See the file's head.
#[derive(Debug)]
pub struct Sens {
    http: Client,
    access: Access,
    /// With the service's id, which is signed with it.
    path: String,
}

impl Sens {
    /// `service_id` looks like `ncp:sms:kr:…`.
    pub fn new(access: Access, service_id: &str) -> Result<Self, String> {
        let http = builder(access.timeout).build().map_err(|error| words(&error))?;
        Ok(Self {
            http,
            access,
            path: format!("/sms/v2/services/{service_id}/messages"),
        })
    }

    pub async fn text(&self, to: &Phone, text: &str) -> Outcome {
        let time = now().timestamp_millis().to_string();
        let request = self
            .http
            .post(format!("{}{}", self.access.base_url.trim_end_matches('/'), self.path))
            .header("x-ncp-apigw-timestamp", &time)
            .header("x-ncp-iam-access-key", &self.access.key)
            .header("x-ncp-apigw-signature-v2", self.sign(&time));
        let body = json!({
            "type": kind(text), "contentType": "COMM", "countryCode": "82", "from": self.access.sender, "content": text,
            "messages": [{ "to": to.digits() }],
        });
        sent(request.json(&body)).await
    }

    fn sign(&self, time: &str) -> String {
        let signed = format!("POST {}\n{time}\n{}", self.path, self.access.key);
        STANDARD.encode(signature(self.access.secret.expose_secret(), &signed))
    }
}
