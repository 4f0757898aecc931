//! Who may watch: what was established before the upgrade, and again by each later token.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::actors::live::{
    seat::Holder,
    topics::{Scope, Topic},
};

/// What an access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub watcher: Watcher,
    pub user: i64,
    /// The login session; when it is revoked the socket is closed.
    pub login: Uuid,
    pub expires_at: DateTime<Utc>,
}

/// What decides on the topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watcher {
    /// ADMIN and STAFF.
    Staff,
    /// A driver, who sees only what is their own.
    Driver(i64),
}

/// Checks access tokens. Implemented by authentication, used at the upgrade and for `token` messages.
pub trait VerifyToken: Debug + Send + Sync + 'static {
    fn verify(&self, token: &str) -> BoxFuture<'static, Result<Admitted, Refused>>;
}

/// Why a token admits nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the access token is not one of ours")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
    #[error("the session was revoked")]
    Revoked,
    #[error("the temporary password must be changed first")]
    PasswordChangeRequired,
    #[error("the token cannot be checked now: {0}")]
    Unavailable(String),
}

impl Refused {
    /// The code that clients read.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "TOKEN_INVALID",
            Self::Expired => "TOKEN_EXPIRED",
            Self::Revoked => "SESSION_REVOKED",
            Self::PasswordChangeRequired => "PASSWORD_CHANGE_REQUIRED",
            Self::Unavailable(_) => "UNAVAILABLE",
        }
    }
}

impl Admitted {
    pub fn is_same_watcher(&self, other: &Self) -> bool {
        self.user == other.user && self.watcher == other.watcher
    }

    /// For the seat, whose clock does not jump.
    pub fn holder(&self) -> Holder {
        let left = (self.expires_at - Utc::now()).to_std().unwrap_or(Duration::ZERO);
        Holder {
            user: self.user,
            login: self.login,
            until: Instant::now() + left,
        }
    }
}

impl Watcher {
    pub fn may_watch(self, topic: Topic) -> bool {
        matches!(self, Self::Driver(_)) == (topic == Topic::Driver)
    }

    /// The part of a topic that a subscription means; a driver's is the driver's own, whatever site was named.
    pub fn scope(self, site: Option<i64>) -> Scope {
        match (self, site) {
            (Self::Driver(driver), _) => Scope::Driver(driver),
            (Self::Staff, Some(site)) => Scope::Site(site),
            (Self::Staff, None) => Scope::AllSites,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_watches_what_is_the_drivers_and_staff_all_the_rest() {
        for topic in Topic::ALL {
            assert_eq!(Watcher::Driver(7).may_watch(topic), topic == Topic::Driver);
            assert_eq!(Watcher::Staff.may_watch(topic), topic != Topic::Driver);
        }
        assert_eq!(Watcher::Driver(7).scope(Some(2)), Scope::Driver(7));
        assert_eq!(Watcher::Staff.scope(Some(2)), Scope::Site(2));
    }
}
