//! The service account: a file that Google gives out, and the assertion (RFC 7523) that it signs for an access token.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

use crate::config::destination_complaint;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// The longest that Google takes.
const LIFE: i64 = 3600;

/// Who sends.
pub struct Account {
    pub project_id: String,
    pub token_uri: String,
    client_email: String,
    key_id: String,
    key: EncodingKey,
}

/// Why there is no account; always the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("cannot read fcm.credentials_file {}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("fcm.credentials_file {} is no service account's file: {why}", .path.display())]
    Malformed { path: PathBuf, why: String },
    #[error("the connection to FCM cannot be prepared: {0}")]
    Client(String),
    #[error("the assertion for FCM cannot be signed: {0}")]
    Unsigned(#[from] jsonwebtoken::errors::Error),
}

#[derive(Deserialize)]
struct File {
    project_id: String,
    private_key_id: String,
    private_key: String,
    client_email: String,
    token_uri: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl Account {
    pub fn read(path: &Path) -> Result<Self, AccountError> {
        let text = fs::read(path).map_err(|source| AccountError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        // The file's own words never stand in the message: it is a secret.
        let malformed = |why: &str| AccountError::Malformed {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let file: File =
            serde_json::from_slice(&text).map_err(|error| malformed(&format!("{:?} error", error.classify())))?;
        if let Some(complaint) = destination_complaint("token_uri", &file.token_uri, None) {
            return Err(malformed(&complaint));
        }
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes());
        Ok(Self {
            key: key.map_err(|_| malformed("private_key is no RSA key in PEM"))?,
            project_id: file.project_id,
            token_uri: file.token_uri,
            client_email: file.client_email,
            key_id: file.private_key_id,
        })
    }

    /// What an access token is asked for with, good for an hour from `now`.
    pub fn assertion(&self, now: DateTime<Utc>) -> Result<String, AccountError> {
        let header = Header {
            kid: Some(self.key_id.clone()),
            ..Header::new(Algorithm::RS256)
        };
        let claims = Claims {
            iss: &self.client_email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now.timestamp(),
            exp: now.timestamp() + LIFE,
        };
        Ok(encode(&header, &claims, &self.key)?)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({} of {})", self.client_email, self.project_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_goes_to_no_address_that_is_not_encrypted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account.json");
        let file = serde_json::json!({
            "project_id": "p", "private_key_id": "k", "private_key": "none", "client_email": "e",
            "token_uri": "http://oauth2.example/token",
        });
        fs::write(&path, file.to_string()).unwrap();
        let error = Account::read(&path).unwrap_err().to_string();
        assert!(error.contains("token_uri is not encrypted"), "{error}");
    }
}
