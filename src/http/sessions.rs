//! `/auth`: signing in and out, refreshing, the user's own password and devices.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use actix_web::{HttpMessage, HttpRequest, delete, get, http::header::USER_AGENT, post, web::Data};
use chrono::{TimeDelta, Utc};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Success},
    auth::{Asking, AuthData, Identity, SignedIn, ended},
    code::{Code, FieldCode},
    error::ApiError,
    hashing::Hasher,
    read::{Body, Id},
    refresh::{RefreshKey, RefreshToken},
    rules::Rules,
    throttle::{Attempt, Throttle, Try},
};
use crate::{
    actors::repository::{Queries, Repository},
    db::{
        app_user::{ChangePassword, User, UserByLogin},
        login_session::{EndSession, KnownDevice, OpenSession, Session, SessionsOf, SpendRefresh, Spent, Which},
    },
    domain::{
        password::{Password, PasswordError},
        text::Login,
    },
};

use forms::{LoginForm, PasswordForm, RefreshForm, RefreshedView, SessionView, SignedInView, UserView};

mod forms;

/// What signing in is done with.
#[derive(Debug)]
pub struct SignIn {
    pub hasher: Hasher,
    pub throttle: Throttle,
    pub refresh: RefreshKey,
    /// How long a session may be refreshed.
    pub lifetime: TimeDelta,
    /// How long a refresh token that was just spent answers its successor again.
    pub grace: TimeDelta,
    /// Devices a user may be signed in on.
    pub most_sessions: i64,
    /// How long a temporary password works.
    pub temporary_password: TimeDelta,
}

/// `POST /api/v1/auth/login` with `{"login_id":"driver001","password":"…"}`. A login beyond the third ends the session
/// that was used least recently.
#[utoipa::path(
    tag = "auth",
    security(()),
    responses(
        (status = 200, body = Success<SignedInView>),
        (status = 401, body = Failure, description = "INVALID_CREDENTIALS"),
        (status = 429, body = Failure, description = "LOGIN_THROTTLED; Retry-After says how long to wait"),
    )
)]
#[post("/auth/login")]
pub async fn log_in(
    form: Body<LoginForm>,
    request: HttpRequest,
    auth: AuthData,
    sign_in: Data<SignIn>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<SignedInView>, ApiError> {
    let Body(form) = form;
    let login = Login::parse(&form.login_id).ok();
    let attempt = Attempt {
        login: login
            .as_ref()
            .map_or_else(String::new, |login| login.as_str().to_owned()),
        address: address_of(&request),
        user_agent: user_agent(&request),
    };
    let attempting = admitted(&sign_in.throttle, &attempt, &repository).await?;
    let user = match login {
        Some(login) => repository.run(UserByLogin { login }).await?,
        None => None,
    };
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let matches = sign_in.hasher.verify(form.password, hash).await?;
    let may = |user: &User| {
        let stale = user.must_change_password && Utc::now() - user.created_at > sign_in.temporary_password;
        matches && user.is_active && !stale
    };
    let Some(user) = user.filter(may) else {
        tracing::info!(client.address = %attempt.address, "a login from {} failed", attempt.address);
        return Err(ApiError::new(Code::InvalidCredentials));
    };
    attempting.succeeded();
    tracing::info!(user.id = user.id, client.address = %attempt.address, "user {} signed in from {}", user.id, attempt.address);
    open_session(user, &attempt, &auth, &sign_in, &repository)
        .await
        .map(Success::ok)
}

/// `POST /api/v1/auth/refresh` with `{"refresh_token":"…"}`. Answers a new refresh token too; the old one is spent. One
/// that was spent a while ago ends the session, for somebody else has it.
#[utoipa::path(
    tag = "auth",
    security(()),
    responses(
        (status = 200, body = Success<RefreshedView>),
        (status = 401, body = Failure, description = "TOKEN_INVALID, SESSION_REVOKED or SESSION_EVICTED"),
    )
)]
#[post("/auth/refresh")]
pub async fn refresh(
    form: Body<RefreshForm>,
    request: HttpRequest,
    auth: AuthData,
    sign_in: Data<SignIn>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<RefreshedView>, ApiError> {
    use secrecy::ExposeSecret;
    let presented = RefreshToken::parse(form.0.refresh_token.expose_secret(), &sign_in.refresh);
    let presented = presented.ok_or_else(|| ApiError::new(Code::TokenInvalid))?;
    let family = presented.family();
    let successor = presented.successor(&sign_in.refresh);
    let spent = repository
        .run(SpendRefresh {
            family,
            presented: presented.hash(),
            successor: successor.hash(),
            user_agent: user_agent(&request),
            grace: sign_in.grace,
        })
        .await?;
    let (user, role) = match spent {
        Spent::Rotated { user, role } => (user, role),
        Spent::Unknown => return Err(ApiError::new(Code::TokenInvalid)),
        Spent::Ended { why } => return Err(ended(&why)),
        Spent::Reused => {
            auth.forget(&[family]);
            tracing::warn!("a spent refresh token was presented again; its session has been ended");
            return Err(ApiError::new(Code::SessionRevoked));
        }
    };
    let access_token = auth
        .tokens()
        .sign(user, role, family, Utc::now())
        .map_err(ApiError::internal)?;
    Ok(Success::ok(RefreshedView {
        access_token,
        refresh_token: successor.reveal(),
        expires_in: auth.tokens().lifetime().as_secs(),
    }))
}

/// `POST /api/v1/auth/logout` ends the session of the access token.
#[utoipa::path(tag = "auth", responses((status = 200, description = "The session has ended; `data` is null")))]
#[post("/auth/logout")]
pub async fn log_out(
    SignedIn(caller): SignedIn,
    auth: AuthData,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<()>, ApiError> {
    let session = Which::Family(caller.identity.session);
    end(caller.identity, session, &auth, &repository).await
}

/// `POST /api/v1/auth/password` with `{"current_password":"…","new_password":"…"}` ends all other sessions.
#[utoipa::path(
    tag = "auth",
    responses(
        (status = 200, description = "The password is changed; `data` is null"),
        (status = 400, body = Failure, description = "VALIDATION_FAILED or PASSWORD_TOO_LONG"),
        (status = 401, body = Failure, description = "INVALID_CREDENTIALS: the current password is wrong"),
    )
)]
#[post("/auth/password")]
pub async fn change_password(
    SignedIn(caller): SignedIn,
    form: Body<PasswordForm>,
    request: HttpRequest,
    auth: AuthData,
    sign_in: Data<SignIn>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<()>, ApiError> {
    use secrecy::ExposeSecret;
    let Body(form) = form;
    let new = Password::parse(form.new_password.expose_secret())?;
    let attempt = Attempt {
        login: caller.identity.login.clone(),
        address: caller.address,
        user_agent: user_agent(&request),
    };
    let attempting = sign_in
        .throttle
        .begin(&attempt, true, Instant::now())
        .map_err(throttled)?;
    let login = Login::parse(&caller.identity.login).map_err(ApiError::internal)?;
    let user = repository.run(UserByLogin { login }).await?;
    let hash = user.map(|user| user.password_hash);
    if !sign_in.hasher.verify(form.current_password, hash).await? {
        return Err(ApiError::new(Code::InvalidCredentials));
    }
    attempting.succeeded();
    let change = ChangePassword {
        user: caller.identity.user,
        password_hash: sign_in.hasher.hash(&new).await?,
        keep: caller.identity.session,
        author: caller.author(),
    };
    let ended = repository.run(change).await?;
    auth.forget(&ended);
    auth.forget(&[caller.identity.session]);
    Ok(Success::ok(()))
}

/// `GET /api/v1/auth/sessions`: the devices on which the user is signed in.
#[utoipa::path(tag = "auth", responses((status = 200, body = Success<Vec<SessionView>>)))]
#[get("/auth/sessions")]
pub async fn list_sessions(
    SignedIn(caller): SignedIn,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Vec<SessionView>>, ApiError> {
    let user = caller.identity.user;
    let sessions = repository.run(SessionsOf { user }).await?;
    let show = |session: Session| SessionView {
        id: session.id,
        user_agent: session.user_agent,
        address: session.address,
        created_at: rules.local(session.created_at),
        last_used_at: rules.local(session.last_used_at),
        current: session.family == caller.identity.session,
    };
    Ok(Success::ok(sessions.into_iter().map(show).collect()))
}

/// `DELETE /api/v1/auth/sessions/{id}` signs another device of the user out.
#[utoipa::path(
    tag = "auth",
    params(("id" = i64, Path,)),
    responses((status = 200, description = "`data` is null"), (status = 404, body = Failure))
)]
#[delete("/auth/sessions/{id}")]
pub async fn end_session(
    SignedIn(caller): SignedIn,
    Id(id): Id,
    auth: AuthData,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<()>, ApiError> {
    end(caller.identity, Which::Row(id), &auth, &repository).await
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        let code = match error {
            PasswordError::TooLong => return Self::new(Code::PasswordTooLong),
            PasswordError::TooShort => FieldCode::TooShort,
            PasswordError::TooSimple => FieldCode::TooSimple,
            PasswordError::Unprintable => FieldCode::InvalidFormat,
        };
        Self::field("new_password", code)
    }
}

/// Begins an attempt. Where too many failed, it still may come from a device that signed in before.
async fn admitted<'a>(
    throttle: &'a Throttle,
    attempt: &Attempt,
    repository: &Handle<Repository>,
) -> Result<Try<'a>, ApiError> {
    let wait = match throttle.begin(attempt, false, Instant::now()) {
        Ok(attempting) => return Ok(attempting),
        Err(wait) => wait,
    };
    let question = KnownDevice {
        login: attempt.login.clone(),
        address: attempt.address.to_string(),
        user_agent: attempt.user_agent.clone(),
    };
    if !repository.run(question).await? {
        return Err(throttled(wait));
    }
    throttle.begin(attempt, true, Instant::now()).map_err(throttled)
}

fn throttled(wait: std::time::Duration) -> ApiError {
    ApiError::new(Code::LoginThrottled).retry_after(wait)
}

async fn open_session(
    user: User,
    attempt: &Attempt,
    auth: &AuthData,
    sign_in: &SignIn,
    repository: &Handle<Repository>,
) -> Result<SignedInView, ApiError> {
    let token = RefreshToken::first(&sign_in.refresh);
    let now = Utc::now();
    let evicted = repository
        .run(OpenSession {
            user: user.id,
            family: token.family(),
            refresh_hash: token.hash(),
            user_agent: attempt.user_agent.clone(),
            address: attempt.address.to_string(),
            expires_at: now + sign_in.lifetime,
            most: sign_in.most_sessions,
        })
        .await?;
    auth.forget(&evicted);
    let tokens = auth.tokens();
    Ok(SignedInView {
        access_token: tokens
            .sign(user.id, user.role, token.family(), now)
            .map_err(ApiError::internal)?,
        refresh_token: token.reveal(),
        expires_in: tokens.lifetime().as_secs(),
        user: UserView {
            id: user.id,
            login_id: user.login_id,
            role: user.role,
            name: user.name,
            must_change_password: user.must_change_password,
        },
    })
}

async fn end(
    identity: Identity,
    session: Which,
    auth: &AuthData,
    repository: &Handle<Repository>,
) -> Result<Answer<()>, ApiError> {
    let user = identity.user;
    let ended = repository.run(EndSession { user, session }).await?;
    auth.forget(&[ended]);
    Ok(Success::ok(()))
}

fn address_of(request: &HttpRequest) -> IpAddr {
    let asking = request.extensions().get::<Asking>().map(|asking| asking.address);
    asking.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// What the client calls itself, without what does not belong into a log or a table.
fn user_agent(request: &HttpRequest) -> String {
    let said = request
        .headers()
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or("");
    said.chars()
        .filter(|character| !character.is_control())
        .take(300)
        .collect()
}
