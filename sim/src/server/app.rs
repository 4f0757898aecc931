//! A driver's app, as far as a yard needs it: it signs in, and tells the server where its phone is pushed to.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Login, Method, Server};
use crate::SimError;

/// An account as a new driver gets it.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub login_id: String,
    pub temporary_password: String,
}

impl Server {
    /// Changes a temporary password into one of the driver's own, which has to be signed in with anew.
    pub async fn settle_in(url: &str, account: Account, password: &str) -> Result<Login, SimError> {
        let temporary = Login {
            login_id: account.login_id.clone(),
            password: account.temporary_password.clone(),
        };
        let change = json!({ "current_password": account.temporary_password, "new_password": password });
        Self::new(url, temporary)?
            .post::<Value>("/auth/password", change)
            .await?;
        Ok(Login {
            login_id: account.login_id,
            password: password.to_owned(),
        })
    }

    /// This driver's phone is pushed to from now on.
    pub async fn tell_fcm_token(&self, token: &str) -> Result<(), SimError> {
        let told = Call {
            method: Method::PUT,
            path: "/mobile/fcm-token",
            body: Some(json!({ "fcm_token": token })),
            key: None,
        };
        self.call::<Value>(told).await.map(drop)
    }
}
