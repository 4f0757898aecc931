//! Who is asking: access tokens become identities here, and handlers name the role they need by their extractor.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weighbridge_supervision::Handle;

use super::{
    code::Code,
    error::ApiError,
    tokens::{Bearer, TokenError, Tokens},
};
use crate::{
    actors::repository::{Queries, Repository},
    db::{
        audit_log::Author,
        login_session::{SessionStanding, Standing},
    },
    domain::role::Role,
};

/// How long what was learnt of a session counts: a session that is ended on another node is refused after this.
const FRESH: Duration = Duration::from_secs(2);
/// Tokens and sessions remembered before all are forgotten and learnt again.
const REMEMBERED: usize = 20_000;

/// Knows who bears a token, and whether they may still.
#[derive(Debug)]
pub struct Auth {
    tokens: Tokens,
    repository: Handle<Repository>,
    /// Tokens whose signature was found good, by their hash: checking one costs more than most requests.
    read: Mutex<HashMap<[u8; 32], Bearer>>,
    standings: Mutex<HashMap<Uuid, (Instant, Standing)>>,
}

/// A signed-in user.
#[derive(Clone, Debug)]
pub struct Identity {
    pub user: i64,
    pub login: String,
    pub name: String,
    pub role: Role,
    /// Of an account that is a driver's.
    pub driver_id: Option<i64>,
    /// The login session.
    pub session: Uuid,
    pub must_change_password: bool,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}

/// A request's user and where the request came from.
#[derive(Clone, Debug)]
pub struct Caller {
    pub identity: Identity,
    pub address: IpAddr,
    pub request_id: String,
}

impl Auth {
    pub fn new(tokens: Tokens, repository: Handle<Repository>) -> Self {
        Self {
            tokens,
            repository,
            read: Mutex::default(),
            standings: Mutex::default(),
        }
    }

    /// Signs the access tokens of sessions.
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The user of an access token, as they are at most two seconds ago. Where the database cannot be asked nobody is
    /// let in.
    pub async fn identify(&self, token: &str) -> Result<Identity, ApiError> {
        let bearer = self.bearer(token)?;
        let standing = self.standing(bearer.session).await?;
        let standing = standing.filter(|standing| standing.user == bearer.user);
        let Some(standing) = standing else {
            return Err(ApiError::new(Code::TokenInvalid));
        };
        if let Some(why) = &standing.ended {
            return Err(ended(why));
        }
        Ok(Identity {
            user: standing.user,
            login: standing.login,
            name: standing.name,
            role: standing.role,
            driver_id: standing.driver_id,
            session: bearer.session,
            must_change_password: standing.must_change_password,
            expires_at: bearer.expires_at,
        })
    }

    /// Learns anew about sessions at their next request; called where they were ended or their user was changed.
    pub fn forget(&self, sessions: &[Uuid]) {
        let mut standings = self.standings.lock();
        for session in sessions {
            standings.remove(session);
        }
    }

    fn bearer(&self, token: &str) -> Result<Bearer, ApiError> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let known = self.read.lock().get(&hash).cloned();
        let bearer = match known {
            Some(bearer) if bearer.expires_at <= Utc::now() => return Err(TokenError::Expired.into()),
            Some(bearer) => return Ok(bearer),
            None => self.tokens.read(token)?,
        };
        let mut read = self.read.lock();
        if read.len() >= REMEMBERED {
            read.clear();
        }
        read.insert(hash, bearer.clone());
        Ok(bearer)
    }

    async fn standing(&self, session: Uuid) -> Result<Option<Standing>, ApiError> {
        let fresh = |(learnt_at, _): &&(Instant, Standing)| learnt_at.elapsed() < FRESH;
        if let Some((_, standing)) = self.standings.lock().get(&session).filter(fresh) {
            return Ok(Some(standing.clone()));
        }
        let asked_at = Instant::now();
        let standing = self.repository.run(SessionStanding { family: session }).await?;
        if let Some(standing) = &standing {
            let mut standings = self.standings.lock();
            if standings.len() >= REMEMBERED {
                standings.clear();
            }
            standings.insert(session, (asked_at, standing.clone()));
        }
        Ok(standing)
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::new(match error {
            TokenError::Invalid => Code::TokenInvalid,
            TokenError::Expired => Code::TokenExpired,
        })
    }
}

/// What a client is told whose session has ended, by the reason kept with it.
pub(super) fn ended(why: &str) -> ApiError {
    ApiError::new(match why {
        "EVICTED" => Code::SessionEvicted,
        _ => Code::SessionRevoked,
    })
}

impl Caller {
    /// For the audit log.
    pub fn author(&self) -> Author {
        Author {
            user_id: self.identity.user,
            login: self.identity.login.clone(),
            address: self.address.to_string(),
            request_id: self.request_id.clone(),
        }
    }
}

/// Anybody who is signed in, also with a temporary password: for `/auth` alone.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Caller);

/// ADMIN alone.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

/// STAFF and ADMIN.
#[derive(Clone, Debug)]
pub struct Staff(pub Caller);

/// A DRIVER whose account belongs to a driver.
#[derive(Clone, Debug)]
pub struct Driver {
    pub caller: Caller,
    pub driver_id: i64,
}

/// What the gate found out about a request; extractors read it.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) address: IpAddr,
    pub(super) request_id: String,
    pub(super) identity: Result<Identity, ApiError>,
}

impl Asking {
    fn caller(self) -> Result<Caller, ApiError> {
        Ok(Caller {
            identity: self.identity?,
            address: self.address,
            request_id: self.request_id,
        })
    }

    fn with_own_password(self) -> Result<Caller, ApiError> {
        let caller = self.caller()?;
        if caller.identity.must_change_password {
            return Err(ApiError::new(Code::PasswordChangeRequired));
        }
        Ok(caller)
    }
}

/// Where a request comes from, by what the gate found out.
pub(super) fn caller_address(request: &actix_web::HttpRequest) -> IpAddr {
    use actix_web::HttpMessage;
    let asking = request.extensions().get::<Asking>().map(|asking| asking.address);
    asking.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

mod extractors {
    //! Extractors refuse a request before its handler runs.

    use std::future::{Ready, ready};

    use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};

    use super::{Admin, ApiError, Asking, Caller, Code, Driver, Role, SignedIn, Staff};

    fn asking(request: &HttpRequest) -> Result<Asking, ApiError> {
        let found = request.extensions().get::<Asking>().cloned();
        found.ok_or_else(|| ApiError::internal("a route that needs a user is not behind the gate"))
    }

    fn in_role(request: &HttpRequest, may: fn(Role) -> bool) -> Result<Caller, ApiError> {
        let caller = asking(request)?.with_own_password()?;
        if may(caller.identity.role) {
            return Ok(caller);
        }
        tracing::warn!(
            user.id = caller.identity.user,
            http.path = request.path(),
            "user {} was refused {}",
            caller.identity.user,
            request.path()
        );
        Err(ApiError::new(Code::Forbidden))
    }

    macro_rules! extractor {
        ($name:ident, $request:ident => $found:expr) => {
            impl FromRequest for $name {
                type Error = ApiError;
                type Future = Ready<Result<Self, ApiError>>;

                fn from_request($request: &HttpRequest, _: &mut Payload) -> Self::Future {
                    ready($found)
                }
            }
        };
    }

    extractor!(SignedIn, request => asking(request).and_then(Asking::caller).map(SignedIn));
    extractor!(Admin, request => in_role(request, |role| role == Role::Admin).map(Admin));
    extractor!(Staff, request => in_role(request, Role::is_staff).map(Staff));
    extractor!(Driver, request => in_role(request, |role| role == Role::Driver).and_then(|caller| {
        let driver_id = caller.identity.driver_id.ok_or_else(|| ApiError::new(Code::Forbidden))?;
        Ok(Driver { caller, driver_id })
    }));
}

/// The state of authentication as handlers and middleware find it.
pub type AuthData = Data<Auth>;
