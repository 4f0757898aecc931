//! Live sockets are let in by the same access tokens as requests.

use std::sync::Arc;

use actix_web::web::Data;
use futures_util::future::BoxFuture;

use crate::{
    actors::session::{Admitted, Refused, VerifyToken, Watcher},
    domain::role::Role,
    http::{
        auth::{Auth, Identity},
        code::Code,
        error::ApiError,
    },
};

/// Asks [`Auth`] for each token.
#[derive(Clone, Debug)]
pub struct ByAuth(pub Arc<Auth>);

impl ByAuth {
    /// For the `Auth` that the App holds.
    pub fn new(auth: Data<Auth>) -> Self {
        Self(auth.into_inner())
    }
}

impl VerifyToken for ByAuth {
    fn verify(&self, token: &str) -> BoxFuture<'static, Result<Admitted, Refused>> {
        let (auth, token) = (Arc::clone(&self.0), token.to_owned());
        Box::pin(async move { admitted(&auth.identify(&token).await.map_err(|error| refused(&error))?) })
    }
}

fn admitted(identity: &Identity) -> Result<Admitted, Refused> {
    if identity.must_change_password {
        return Err(Refused::PasswordChangeRequired);
    }
    let watcher = match (identity.role, identity.driver_id) {
        (Role::Admin | Role::Staff, _) => Watcher::Staff,
        (Role::Driver, Some(driver)) => Watcher::Driver(driver),
        // An account whose driver was taken away sees nothing.
        (Role::Driver, None) => return Err(Refused::Invalid),
    };
    Ok(Admitted {
        watcher,
        user: identity.user,
        login: identity.session,
        expires_at: identity.expires_at,
    })
}

fn refused(error: &ApiError) -> Refused {
    match error.code() {
        Code::TokenExpired => Refused::Expired,
        Code::SessionRevoked | Code::SessionEvicted => Refused::Revoked,
        Code::TokenInvalid | Code::Unauthenticated => Refused::Invalid,
        _ => Refused::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use uuid::Uuid;

    use super::*;

    fn identity(role: Role, driver_id: Option<i64>, must_change_password: bool) -> Identity {
        Identity {
            user: 5,
            login: "kim".to_owned(),
            name: "Kim".to_owned(),
            role,
            driver_id,
            session: Uuid::from_u128(9),
            must_change_password,
            expires_at: Utc::now(),
        }
    }

    #[track_caller]
    fn check(identity: &Identity, watcher: &Result<Watcher, Refused>) {
        assert_eq!(admitted(identity).map(|admitted| admitted.watcher), *watcher);
    }

    #[test]
    fn staff_watch_the_yard_and_drivers_their_own_turn() {
        check(&identity(Role::Admin, None, false), &Ok(Watcher::Staff));
        check(&identity(Role::Staff, None, false), &Ok(Watcher::Staff));
        check(&identity(Role::Driver, Some(7), false), &Ok(Watcher::Driver(7)));
        check(&identity(Role::Driver, None, false), &Err(Refused::Invalid));
    }

    #[test]
    fn whoever_has_a_temporary_password_watches_nothing() {
        check(
            &identity(Role::Staff, None, true),
            &Err(Refused::PasswordChangeRequired),
        );
    }

    #[test]
    fn a_token_that_cannot_be_checked_is_not_called_wrong() {
        assert_eq!(refused(&ApiError::new(Code::SessionEvicted)), Refused::Revoked);
        assert!(matches!(
            refused(&ApiError::new(Code::Unavailable)),
            Refused::Unavailable(_)
        ));
    }
}
