//! Who may open a live socket: `POST /ws/ticket` and `GET /ws`.

use std::{sync::Arc, time::Instant};

use actix_http::ws;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, get,
    http::{
        Uri,
        header::{
            AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
            SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        },
    },
    post,
    web::Data,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Failure, Success},
    code::{Code, FieldCode},
    error::ApiError,
    tickets::{LIFETIME, Tickets},
};
use crate::actors::session::{Admitted, Refused, VerifyToken};

pub use tokens::ByAuth;

mod tokens;

/// The one protocol that is spoken.
const PROTOCOL: &str = "weighbridge.v1";
const TICKET: &str = "ticket.";

/// What admission needs; an `app_data` of the App.
#[derive(Debug)]
pub struct Door {
    verify: Arc<dyn VerifyToken>,
    tickets: Tickets,
    allowed_origins: Vec<String>,
}

impl Door {
    /// `allowed_origins` may open a socket beside the server's own.
    pub fn new(verify: Arc<dyn VerifyToken>, allowed_origins: Vec<String>) -> Self {
        Self {
            verify,
            tickets: Tickets::default(),
            allowed_origins,
        }
    }
}

/// A ticket for one socket.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketView {
    /// Sent as `ticket.<…>`, the second entry of `Sec-WebSocket-Protocol`, after `weighbridge.v1`.
    ticket: String,
    /// Seconds.
    expires_in: u64,
}

/// `POST /api/v1/ws/ticket`: for browsers, which cannot send a header with a WebSocket.
#[utoipa::path(tag = "live", responses((status = 200, body = Success<TicketView>)))]
#[post("/ws/ticket")]
pub async fn issue_ticket(request: HttpRequest, door: Data<Door>) -> Result<Answer<TicketView>, ApiError> {
    let token = bearer(&request).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
    let admitted = door.verify.verify(token).await?;
    let ticket = door.tickets.issue(admitted, Instant::now());
    let ticket = ticket.ok_or_else(|| ApiError::new(Code::Unavailable).retry_after(LIFETIME))?;
    let expires_in = LIFETIME.as_secs();
    Ok(Success::ok(TicketView { ticket, expires_in }))
}

/// `GET /api/v1/ws`: decides whether the socket opens; [`upgrade`](super::upgrade) then hands it over.
#[utoipa::path(
    tag = "live",
    responses(
        (status = 101, description = "The socket is open"),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "FORBIDDEN: the Origin is not allowed"),
    )
)]
#[get("/ws")]
pub async fn open(request: HttpRequest, door: Data<Door>) -> Result<HttpResponse, ApiError> {
    let key = verify_handshake(&request)?;
    let offered = offered_protocols(&request);
    let admitted = door.who(&request, &offered).await?;
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

impl Door {
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
