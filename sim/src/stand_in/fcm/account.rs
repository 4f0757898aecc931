//! The service account of the stand-in. Its key is for everybody to read: it opens nothing but this stand-in.

use std::net::SocketAddr;

use serde_json::{Value, json};

const PRIVATE_KEY: &str = include_str!("key.pem");
pub const PUBLIC_KEY: &str = include_str!("key.pub.pem");
pub const KEY_ID: &str = "stand-in-1";

/// Who may send.
#[derive(Clone, Debug)]
pub struct Account {
    project: String,
    /// Where tokens are given out, and whom an assertion must be for.
    pub token_uri: String,
    pub client_email: String,
}

impl Account {
    pub fn new(project: &str, address: SocketAddr) -> Self {
        Self {
            project: project.to_owned(),
            token_uri: format!("http://{address}/token"),
            client_email: format!("weighbridge@{project}.iam.gserviceaccount.com"),
        }
    }

    /// The file that Google gives out for a service account.
    pub fn credentials(&self) -> Value {
        json!({
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": KEY_ID,
            "private_key": PRIVATE_KEY,
            "client_email": self.client_email,
            "client_id": "100000000000000000000",
            "token_uri": self.token_uri,
        })
    }
}
