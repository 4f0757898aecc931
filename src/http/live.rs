//! Who may open a live socket: `POST /ws/ticket` and `GET /ws`.

use std::{sync::Arc, time::Instant};

use actix_http::ws;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        Uri,
        header::{
            AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
            SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        },
    },
    web::{Data, Query},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    code::{Code, FieldCode},
    error::ApiError,
    tickets::{LIFETIME, Tickets},
};
use crate::actors::session::{Admitted, Refused, VerifyToken};

/// The one protocol that is spoken.
const PROTOCOL: &str = "weighbridge.v1";
const TICKET: &str = "ticket.";
/// Where a token must not stand: addresses end up in logs and histories.
const SECRETS: [&str; 4] = ["token", "access_token", "ticket", "authorization"];

/// What admission needs; an `app_data` of the App.
#[derive(Debug)]
pub struct Gate {
    verify: Arc<dyn VerifyToken>,
    tickets: Tickets,
    allowed_origins: Vec<String>,
}

impl Gate {
    /// `allowed_origins` may open a socket beside the server's own.
    pub fn new(verify: Arc<dyn VerifyToken>, allowed_origins: Vec<String>) -> Self {
        Self {
            verify,
            tickets: Tickets::default(),
            allowed_origins,
        }
    }
}

/// `POST /api/v1/ws/ticket` with `Authorization: Bearer …`: answers `{ticket, expires_in}`, to be sent as the second entry
/// of `Sec-WebSocket-Protocol`.
pub async fn ticket(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, ApiError> {
    let token = bearer(&request).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
    let admitted = gate.verify.verify(token).await?;
    let ticket = gate.tickets.issue(admitted, Instant::now());
    let ticket = ticket.ok_or_else(|| ApiError::new(Code::Unavailable).retry_after(LIFETIME))?;
    let data = json!({"ticket": ticket, "expires_in": LIFETIME.as_secs()});
    Ok(HttpResponse::Ok().json(json!({"success": true, "data": data})))
}

/// `GET /api/v1/ws`: decides whether the socket opens; [`upgrade`](super::upgrade) then hands it over.
pub async fn admit(request: HttpRequest, gate: Data<Gate>) -> Result<HttpResponse, ApiError> {
    refuse_secrets_in_the_address(&request)?;
    let key = verify_handshake(&request)?;
    let offered = offered_protocols(&request);
    let admitted = gate.who(&request, &offered).await?;
    let mut response = HttpResponse::SwitchingProtocols();
    response
        .upgrade("websocket")
        .insert_header((SEC_WEBSOCKET_ACCEPT, &ws::hash_key(key)[..]));
    if offered.contains(&PROTOCOL) {
        response.insert_header((SEC_WEBSOCKET_PROTOCOL, PROTOCOL));
    }
    request.extensions_mut().insert(admitted);
    Ok(response.finish())
}

impl Gate {
    /// A token in the header, or a ticket. Only the former may come without an origin: no browser can send it.
    async fn who(&self, request: &HttpRequest, offered: &[&str]) -> Result<Admitted, ApiError> {
        let origin = text(request, &ORIGIN);
        if !origin.is_none_or(|origin| self.accepts_origin(origin, text(request, &HOST))) {
            return Err(ApiError::new(Code::Forbidden));
        }
        if let Some(token) = bearer(request) {
            return Ok(self.verify.verify(token).await?);
        }
        let number = offered.iter().find_map(|entry| entry.strip_prefix(TICKET));
        let number = number.ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
        if origin.is_none() {
            return Err(ApiError::new(Code::Forbidden));
        }
        self.tickets
            .spend(number, Instant::now())
            .ok_or_else(|| ApiError::new(Code::TokenInvalid))
    }

    fn accepts_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let ours = origin
            .parse::<Uri>()
            .ok()
            .and_then(|origin| origin.authority().map(ToString::to_string));
        let same = ours
            .zip(host)
            .is_some_and(|(ours, host)| ours.eq_ignore_ascii_case(host));
        same || self
            .allowed_origins
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

fn refuse_secrets_in_the_address(request: &HttpRequest) -> Result<(), ApiError> {
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string());
    let named = |name: &str| SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
    if query.is_ok_and(|query| query.iter().any(|(name, _)| named(name))) {
        return Err(ApiError::new(Code::TokenInUrl));
    }
    Ok(())
}

/// The key to be answered (RFC 6455 section 4.2.1).
fn verify_handshake(request: &HttpRequest) -> Result<&[u8], ApiError> {
    let wrong = |header: &HeaderName| ApiError::field(header.as_str(), FieldCode::InvalidFormat);
    ws::verify_handshake(request.head()).map_err(|error| match error {
        ws::HandshakeError::NoVersionHeader | ws::HandshakeError::UnsupportedVersion => wrong(&SEC_WEBSOCKET_VERSION),
        ws::HandshakeError::BadWebsocketKey => wrong(&SEC_WEBSOCKET_KEY),
        _ => ApiError::field("upgrade", FieldCode::Required),
    })?;
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    key.filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or_else(|| wrong(&SEC_WEBSOCKET_KEY))
}

fn offered_protocols(request: &HttpRequest) -> Vec<&str> {
    let lines = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = text(request, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn text<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid => Self::new(Code::TokenInvalid),
            Refused::Expired => Self::new(Code::TokenExpired),
            Refused::Revoked => Self::new(Code::SessionRevoked),
            Refused::PasswordChangeRequired => Self::new(Code::PasswordChangeRequired),
            Refused::Unavailable(reason) => {
                tracing::warn!("an access token could not be checked: {reason}");
                Self::new(Code::Unavailable).retry_after(std::time::Duration::from_secs(1))
            }
        }
    }
}
