//! `/edges`: the gateways on site, their stations and their keys.

mod losses;

use actix_web::{
    delete, get, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, FixedOffset};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Created, Failure, Page, Success},
    auth::Admin,
    code::{Code, FieldCode},
    error::ApiError,
    fields::{ids, line, required},
    read::{Body, Filter, Id, Paging},
    rules::Rules,
    stations::site,
};
use crate::{
    actors::{
        directory::Directory,
        edge_link::EndLink,
        repository::{Queries, Repository},
    },
    db::{
        edge_epoch::LossesOf,
        edge_gateway::{AddEdge, AddEdgeKey, ChangeEdge, EdgeById, EdgeChange, EdgeWhole, Edges, EndEdgeKey, Key},
    },
    domain::edge_key::EdgeSecret,
};
use losses::EdgeDetail;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EdgeFilter {
    page: Option<i64>,
    limit: Option<i64>,
}

/// A gateway to be set up or changed. A change leaves out what is to stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeForm {
    /// Required for a new gateway.
    #[schema(example = "edge-1")]
    name: Option<String>,
    /// May be left out where the server has one site.
    site_id: Option<i64>,
    /// The stations that it reads.
    #[schema(example = json!([1, 2]))]
    station_ids: Option<Vec<i64>>,
    /// Networks or addresses it may come from; any where empty.
    #[schema(example = json!(["10.0.0.0/24"]))]
    allowed_addresses: Option<Vec<String>>,
    is_active: Option<bool>,
}

/// A new gateway with its key, which is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewEdgeView {
    id: i64,
    name: String,
    station_ids: Vec<i64>,
    #[schema(example = "wbk_1_…")]
    api_key: String,
}

/// A gateway.
#[derive(Debug, Serialize, ToSchema)]
pub struct EdgeView {
    id: i64,
    name: String,
    site_id: i64,
    station_ids: Vec<i64>,
    allowed_addresses: Vec<String>,
    last_seen_at: Option<DateTime<FixedOffset>>,
    software_version: Option<String>,
    is_active: bool,
    created_at: DateTime<FixedOffset>,
    /// Its live keys: two while one is rotated.
    keys: Vec<KeyView>,
}

/// A live key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    id: i64,
    created_at: DateTime<FixedOffset>,
}

/// A second key, which is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKeyView {
    key_id: i64,
    api_key: String,
}

/// `GET /api/v1/edges`.
#[utoipa::path(tag = "edges", params(EdgeFilter), responses((status = 200, body = Success<Page<EdgeView>>)))]
#[get("/edges")]
pub async fn list_edges(
    _: Admin,
    Filter(filter): Filter<EdgeFilter>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<EdgeView>>, ApiError> {
    let paging = Paging::parse(filter.page, filter.limit)?;
    let found = repository.run(Edges(paging.into())).await?;
    Ok(Success::ok(Page::of(paging, found, |edge| EdgeView::of(edge, &rules))))
}

/// `GET /api/v1/edges/{id}`: one gateway, with what is missing of what it saw.
#[utoipa::path(
    tag = "edges",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<EdgeDetail>), (status = 404, body = Failure))
)]
#[get("/edges/{id}")]
pub async fn one_edge(
    _: Admin,
    Id(id): Id,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<EdgeDetail>, ApiError> {
    let edge = repository.run(EdgeById(id)).await?;
    let losses = repository.run(LossesOf { edge_id: id }).await?;
    Ok(Success::ok(EdgeDetail::of(EdgeView::of(edge, &rules), losses, &rules)))
}

/// `POST /api/v1/edges` with `{"name":"edge-1","station_ids":[1,2]}` answers the API key, this once.
#[utoipa::path(
    tag = "edges",
    responses(
        (status = 201, body = Success<NewEdgeView>),
        (status = 400, body = Failure),
        (status = 409, body = Failure, description = "the name is taken, or a station is another edge's"),
    )
)]
#[post("/edges")]
pub async fn add_edge(
    Admin(caller): Admin,
    Body(form): Body<EdgeForm>,
    repository: Data<Handle<Repository>>,
) -> Result<Created<NewEdgeView>, ApiError> {
    required("name", form.name.as_ref())?;
    let site_id = site(form.site_id, &repository).await?;
    let change = form.checked()?;
    let secret = EdgeSecret::new(rand::random());
    let added = repository
        .run(AddEdge {
            name: required("name", change.name)?,
            site_id,
            station_ids: change.station_ids.unwrap_or_default(),
            allowed_addresses: change.allowed_addresses.unwrap_or_default(),
            secret: secret.clone(),
            author: Some(caller.author()),
        })
        .await?;
    Ok(Success::created(NewEdgeView {
        id: added.edge.id,
        api_key: secret.reveal(added.edge.id),
        name: added.edge.name,
        station_ids: added.station_ids,
    }))
}

/// `PUT /api/v1/edges/{id}` with the fields that change.
#[utoipa::path(
    tag = "edges",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<EdgeView>),
        (status = 400, body = Failure),
        (status = 404, body = Failure),
        (status = 409, body = Failure),
    )
)]
#[put("/edges/{id}")]
pub async fn change_edge(
    Admin(caller): Admin,
    Id(id): Id,
    Body(form): Body<EdgeForm>,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<EdgeView>, ApiError> {
    if form.site_id.is_some() {
        return Err(ApiError::field("site_id", FieldCode::UnknownField));
    }
    let change = ChangeEdge {
        id,
        change: form.checked()?,
        author: caller.author(),
    };
    let changed = changed(change, &repository, &directory).await?;
    Ok(Success::ok(EdgeView::of(changed, &rules)))
}

/// `DELETE /api/v1/edges/{id}`: its keys open nothing any more; what it told stays.
#[utoipa::path(
    tag = "edges",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<EdgeView>), (status = 404, body = Failure))
)]
#[delete("/edges/{id}")]
pub async fn deactivate_edge(
    Admin(caller): Admin,
    Id(id): Id,
    rules: Data<Rules>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<EdgeView>, ApiError> {
    let out_of_use = EdgeChange {
        is_active: Some(false),
        ..EdgeChange::default()
    };
    let change = ChangeEdge {
        id,
        change: out_of_use,
        author: caller.author(),
    };
    let changed = changed(change, &repository, &directory).await?;
    Ok(Success::ok(EdgeView::of(changed, &rules)))
}

/// `POST /api/v1/edges/{id}/rotate-key` makes a second key; the first lives until it is deleted.
#[utoipa::path(
    tag = "edges",
    params(("id" = i64, Path,)),
    responses(
        (status = 201, body = Success<NewKeyView>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it has two keys already"),
    )
)]
#[post("/edges/{id}/rotate-key")]
pub async fn rotate_key(
    Admin(caller): Admin,
    Id(id): Id,
    repository: Data<Handle<Repository>>,
) -> Result<Created<NewKeyView>, ApiError> {
    let secret = EdgeSecret::new(rand::random());
    let key = repository
        .run(AddEdgeKey {
            edge_id: id,
            secret: secret.clone(),
            author: caller.author(),
        })
        .await?;
    let key = key.ok_or_else(|| ApiError::new(Code::InvalidState))?;
    Ok(Success::created(NewKeyView {
        key_id: key.id,
        api_key: secret.reveal(id),
    }))
}

/// `DELETE /api/v1/edges/{id}/keys/{key_id}` ends a key, and the connection that may have been opened with it.
#[utoipa::path(
    tag = "edges",
    params(("id" = i64, Path,), ("key_id" = i64, Path,)),
    responses((status = 200, description = "`data` is null"), (status = 404, body = Failure))
)]
#[delete("/edges/{id}/keys/{key_id}")]
pub async fn end_key(
    Admin(caller): Admin,
    path: Path<(String, String)>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<()>, ApiError> {
    let (edge, key) = path.into_inner();
    let edge_id = Id::parse("id", &edge)?.0;
    let end = EndEdgeKey {
        edge_id,
        key_id: Id::parse("key_id", &key)?.0,
        author: caller.author(),
    };
    repository.run(end).await?;
    end_link(&directory, edge_id, EndLink::KeyEnded);
    Ok(Success::ok(()))
}

/// The edge as it is now. One that is out of use keeps no connection.
async fn changed(
    change: ChangeEdge,
    repository: &Handle<Repository>,
    directory: &Directory,
) -> Result<EdgeWhole, ApiError> {
    let (id, ends) = (change.id, change.change.is_active == Some(false));
    let changed = repository.run(change).await?;
    if ends {
        end_link(directory, id, EndLink::OutOfUse);
    } else {
        directory.touch_edge(id);
    }
    Ok(changed)
}

fn end_link(directory: &Directory, edge_id: i64, end: EndLink) {
    if let Some(link) = directory.edge_link(edge_id) {
        link.listener().announce(end);
    }
}

impl EdgeForm {
    fn checked(self) -> Result<EdgeChange, ApiError> {
        Ok(EdgeChange {
            name: self.name.map(|name| line::<50>("name", &name)).transpose()?,
            allowed_addresses: self.allowed_addresses.map(networks).transpose()?,
            station_ids: self
                .station_ids
                .map(|stations| ids("station_ids", stations))
                .transpose()?,
            is_active: self.is_active,
        })
    }
}

/// Networks in their one form; an address alone is a network of one.
fn networks(given: Vec<String>) -> Result<Vec<String>, ApiError> {
    let network = |(at, text): (usize, String)| {
        let text = text.trim();
        let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(address);
        let network = network.map(|network| network.trunc().to_string());
        network.ok_or_else(|| ApiError::field(format!("allowed_addresses[{at}]"), FieldCode::InvalidFormat))
    };
    given.into_iter().take(100).enumerate().map(network).collect()
}

impl EdgeView {
    fn of(whole: EdgeWhole, rules: &Rules) -> Self {
        let edge = whole.edge;
        let key = |key: Key| KeyView {
            id: key.id,
            created_at: rules.local(key.created_at),
        };
        Self {
            id: edge.id,
            name: edge.name,
            site_id: edge.site_id,
            station_ids: whole.station_ids,
            allowed_addresses: edge.allowed_addresses,
            last_seen_at: edge.last_seen_at.map(|at| rules.local(at)),
            software_version: edge.software_version,
            is_active: edge.is_active,
            created_at: rules.local(edge.created_at),
            keys: whole.keys.into_iter().map(key).collect(),
        }
    }
}
