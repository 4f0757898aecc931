//! `GET /edge/link`: an edge proves itself by its key, and its socket becomes an EdgeLink.

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{Data, Payload},
};
use actix_web_actors::ws::WsResponseBuilder;

use super::{answer::Failure, auth::caller_address, edge_keys::Edge};
use crate::actors::edge_link::{Caller, EdgeLink, LinkServices};

/// A message of the link, escaped, with room to spare.
const LARGEST_FRAME: usize = 256 * 1024;

/// `GET /api/v1/edge/link` with `X-API-Key`: the link of an edge.
#[utoipa::path(
    tag = "edges",
    security(()),
    params(("X-API-Key" = String, Header,)),
    responses((status = 101, description = "The link is open"), (status = 401, body = Failure), (status = 429, body = Failure))
)]
#[get("/edge/link")]
pub async fn open(
    Edge(edge): Edge,
    request: HttpRequest,
    payload: Payload,
    services: Data<LinkServices>,
) -> Result<HttpResponse, actix_web::Error> {
    let caller = Caller {
        edge_id: edge.edge_id,
        key_hash: edge.key_hash,
        address: caller_address(&request),
    };
    let link = EdgeLink::new(caller, services.get_ref().clone());
    WsResponseBuilder::new(link, &request, payload)
        .frame_size(LARGEST_FRAME)
        .start()
}
