//! `GET /edge/link`: an edge proves itself by its key, and its socket becomes an EdgeLink.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, get,
    web::{Data, Payload},
};
use actix_web_actors::ws::WsResponseBuilder;
use futures_util::future::LocalBoxFuture;
use ipnet::IpNet;
use weighbridge_supervision::Handle;

use super::{answer::Failure, auth::caller_address, code::Code, error::ApiError, guesses::Guesses};
use crate::{
    actors::{
        edge_link::{EdgeLink, LinkServices},
        repository::{Queries, Repository},
    },
    db::{
        DbError,
        edge_key::{EdgeOfKey, KnownEdge},
    },
};

/// A message of the link, escaped, with room to spare.
const LARGEST_FRAME: usize = 256 * 1024;
/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";

/// The edge whose key a request carries. 401 without detail for a wrong one, 429 for who guesses.
#[derive(Clone, Debug)]
pub struct Edge(pub KnownEdge);

impl FromRequest for Edge {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let key = request
            .headers()
            .get(KEY_HEADER)
            .and_then(|key| key.to_str().ok())
            .map(str::to_owned);
        let address = caller_address(request);
        let repository = request.app_data::<Data<Handle<Repository>>>().cloned();
        let guesses = request.app_data::<Data<Guesses>>().cloned();
        Box::pin(async move {
            let missing = || ApiError::internal("the app lacks what edges need");
            let (repository, guesses) = (repository.ok_or_else(missing)?, guesses.ok_or_else(missing)?);
            known(key, address, &repository, &guesses).await.map(Self)
        })
    }
}

async fn known(
    key: Option<String>,
    address: IpAddr,
    repository: &Handle<Repository>,
    guesses: &Guesses,
) -> Result<KnownEdge, ApiError> {
    if let Some(wait) = guesses.wait(address, Instant::now()) {
        return Err(ApiError::new(Code::RateLimited).retry_after(wait.max(Duration::from_secs(1))));
    }
    let found = match key {
        Some(key) => repository.run(EdgeOfKey::new(&key)).await,
        None => Err(DbError::NotFound),
    };
    match found {
        Ok(edge) if may_come_from(&edge, address) => Ok(edge),
        Ok(_) | Err(DbError::NotFound) => {
            guesses.wrong(address, Instant::now());
            Err(ApiError::new(Code::Unauthenticated))
        }
        Err(error) => Err(error.into()),
    }
}

fn may_come_from(edge: &KnownEdge, address: IpAddr) -> bool {
    let within = |network: &String| match network.parse::<IpNet>() {
        Ok(network) => network.contains(&address),
        Err(_) => network.parse::<IpAddr>().is_ok_and(|allowed| allowed == address),
    };
    edge.allowed_addresses.is_empty() || edge.allowed_addresses.iter().any(within)
}

/// `GET /api/v1/edge/link` with `X-API-Key`: the link of an edge.
#[utoipa::path(
    tag = "edges",
    responses((status = 101, description = "The link is open"), (status = 401, body = Failure), (status = 429, body = Failure))
)]
#[get("/edge/link")]
pub async fn open(
    Edge(edge): Edge,
    request: HttpRequest,
    payload: Payload,
    services: Data<LinkServices>,
) -> Result<HttpResponse, actix_web::Error> {
    let link = EdgeLink::new(edge.edge_id, services.get_ref().clone());
    WsResponseBuilder::new(link, &request, payload)
        .frame_size(LARGEST_FRAME)
        .start()
}
