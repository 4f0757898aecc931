//! What `/auth` takes and answers.

use chrono::{DateTime, FixedOffset};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::role::Role;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginForm {
    #[schema(example = "driver001")]
    pub(super) login_id: String,
    #[schema(value_type = String, format = Password)]
    pub(super) password: SecretString,
}

/// Tokens of a new session, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedInView {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    /// Seconds until the access token ends.
    #[schema(example = 3600)]
    pub(super) expires_in: u64,
    pub(super) user: UserView,
}

/// A user as the user sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    pub(super) id: i64,
    pub(super) login_id: String,
    #[schema(value_type = String, example = "DRIVER")]
    pub(super) role: Role,
    pub(super) name: String,
    /// Until this is done, only `/auth` answers.
    pub(super) must_change_password: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshForm {
    #[schema(value_type = String)]
    pub(super) refresh_token: SecretString,
}

/// The successors of the tokens that were good until now.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefreshedView {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    /// Seconds until the access token ends.
    pub(super) expires_in: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordForm {
    #[schema(value_type = String, format = Password)]
    pub(super) current_password: SecretString,
    /// At least 8 characters with letters, digits and special characters; at most 72 bytes.
    #[schema(value_type = String, format = Password)]
    pub(super) new_password: SecretString,
}

/// A device on which the user is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    pub(super) id: i64,
    pub(super) user_agent: Option<String>,
    pub(super) address: Option<String>,
    pub(super) created_at: DateTime<FixedOffset>,
    pub(super) last_used_at: DateTime<FixedOffset>,
    /// Whether this request came from it.
    pub(super) current: bool,
}
