//! What a user may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// ADMIN does everything, STAFF runs the day, a DRIVER sees what is their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    Admin,
    Staff,
    Driver,
}

/// A text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role, expected ADMIN, STAFF or DRIVER")]
pub struct NotARole(String);

impl Role {
    /// As it stands in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Staff => "STAFF",
            Self::Driver => "DRIVER",
        }
    }

    /// Whether this role may run the daily operation.
    pub const fn is_staff(self) -> bool {
        matches!(self, Self::Admin | Self::Staff)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        [Self::Admin, Self::Staff, Self::Driver]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| NotARole(text.chars().take(20).collect()))
    }
}

impl TryFrom<String> for Role {
    type Error = NotARole;

    fn try_from(text: String) -> Result<Self, NotARole> {
        text.parse()
    }
}
