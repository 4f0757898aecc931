//! `/admin/outbox`: what is owed to others, and what staff decide on what cannot be delivered.

use actix_web::{get, post, web::Data};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Page, Success},
    auth::Admin,
    code::{Code, FieldCode},
    error::ApiError,
    read::{Body, Filter, Id, Paging},
    rules::Rules,
};
use crate::{
    actors::{
        directory::Directory,
        repository::{Queries, Repository},
    },
    db::outbox::{Decide, Decision, OutboxFilter, OutboxItem, OutboxRows},
    domain::text::Line,
};

const STATES: [&str; 5] = ["PENDING", "LEASED", "SENT", "DEAD", "DISCARDED"];
const DESTINATIONS: [&str; 5] = ["ERP", "PUSH", "SMS", "KAKAO", "EMAIL"];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OutboxQuery {
    /// `PENDING`, `LEASED`, `SENT`, `DEAD` or `DISCARDED`.
    state: Option<String>,
    /// `ERP`, `PUSH`, `SMS`, `KAKAO` or `EMAIL`.
    destination: Option<String>,
    /// `ERP_COMPLETE`
    kind: Option<String>,
    /// What it is about; for the ERP the first slip number.
    aggregate_key: Option<String>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// A message that is owed or was. What it says is not shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutboxView {
    id: i64,
    #[schema(example = "ERP_COMPLETE")]
    kind: String,
    #[schema(example = "ERP")]
    destination: String,
    /// The name under which its receiver applies it once.
    idempotency_key: Uuid,
    /// Messages of one aggregate go in order; a dead one holds back the later ones.
    #[schema(example = "WR20260125001")]
    aggregate_key: String,
    /// `PENDING`, `LEASED` (on its way), `SENT`, `DEAD` (waits for staff) or `DISCARDED`.
    state: String,
    /// Attempts that count: probes of a destination that is down do not.
    attempts: i32,
    #[schema(value_type = String, format = DateTime)]
    next_attempt_at: DateTime<FixedOffset>,
    last_error: Option<String>,
    /// The server that has it on its way.
    lease_owner: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: DateTime<FixedOffset>,
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<DateTime<FixedOffset>>,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionForm {
    reason: Option<String>,
}

/// `GET /api/v1/admin/outbox?state=DEAD&destination=ERP`, newest first.
#[utoipa::path(
    tag = "admin",
    params(OutboxQuery),
    responses((status = 200, body = Success<Page<OutboxView>>), (status = 400, body = Failure), (status = 403, body = Failure))
)]
#[get("/admin/outbox")]
pub async fn list_outbox(
    _: Admin,
    filter: Filter<OutboxQuery>,
    repository: Data<Handle<Repository>>,
    rules: Data<Rules>,
) -> Result<Answer<Page<OutboxView>>, ApiError> {
    let Filter(query) = filter;
    let paging = Paging::parse(query.page, query.limit)?;
    let rows = OutboxRows {
        filter: OutboxFilter {
            id: None,
            state: one_of("state", query.state, &STATES)?,
            destination: one_of("destination", query.destination, &DESTINATIONS)?,
            kind: text("kind", query.kind.as_deref())?,
            aggregate_key: text("aggregate_key", query.aggregate_key.as_deref())?,
        },
        slice: paging.into(),
    };
    let listed = repository.run(rows).await?;
    Ok(Success::ok(Page::of(paging, listed, |item| view(item, &rules))))
}

/// `POST /api/v1/admin/outbox/{id}/retry` with `{"reason":"…"}`: it is tried again now, with all its attempts before it.
#[utoipa::path(
    tag = "admin",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<OutboxView>),
        (status = 403, body = Failure),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is on its way, or settled"),
    )
)]
#[post("/admin/outbox/{id}/retry")]
pub async fn retry_outbox(
    Admin(caller): Admin,
    id: Id,
    form: Body<DecisionForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
    rules: Data<Rules>,
) -> Result<Answer<OutboxView>, ApiError> {
    let decide = Decide {
        id: id.0,
        decision: Decision::Retry,
        reason: text("reason", form.0.reason.as_deref())?,
        author: caller.author(),
    };
    decided(decide, &repository, &directory, &rules).await
}

/// `POST /api/v1/admin/outbox/{id}/discard` with `{"reason":"…"}`: it is never sent; the later ones of its aggregate go on.
#[utoipa::path(
    tag = "admin",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<OutboxView>),
        (status = 403, body = Failure),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is on its way, or settled"),
    )
)]
#[post("/admin/outbox/{id}/discard")]
pub async fn discard_outbox(
    Admin(caller): Admin,
    id: Id,
    form: Body<DecisionForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
    rules: Data<Rules>,
) -> Result<Answer<OutboxView>, ApiError> {
    let decide = Decide {
        id: id.0,
        decision: Decision::Discard,
        reason: text("reason", form.0.reason.as_deref())?,
        author: caller.author(),
    };
    decided(decide, &repository, &directory, &rules).await
}

async fn decided(
    decide: Decide,
    repository: &Handle<Repository>,
    directory: &Directory,
    rules: &Rules,
) -> Result<Answer<OutboxView>, ApiError> {
    let item = repository.run(decide).await?;
    let item = item.ok_or_else(|| ApiError::new(Code::InvalidState))?;
    directory.announce_owed();
    Ok(Success::ok(view(item, rules)))
}

fn text(name: &str, text: Option<&str>) -> Result<Option<String>, ApiError> {
    let line = text.map(Line::<200>::parse).transpose();
    Ok(line.map_err(|error| error.of(name))?.map(|line| line.to_string()))
}

fn one_of(name: &str, word: Option<String>, known: &[&str]) -> Result<Option<String>, ApiError> {
    match word {
        Some(word) if !known.contains(&word.as_str()) => Err(ApiError::field(name, FieldCode::InvalidFormat)),
        word => Ok(word),
    }
}

fn view(item: OutboxItem, rules: &Rules) -> OutboxView {
    let local = |at: DateTime<chrono::Utc>| at.with_timezone(&rules.time_zone).fixed_offset();
    OutboxView {
        id: item.id,
        kind: item.kind,
        destination: item.destination,
        idempotency_key: item.idempotency_key,
        aggregate_key: item.aggregate_key,
        state: item.state,
        attempts: item.attempts,
        next_attempt_at: local(item.next_attempt_at),
        last_error: item.last_error,
        lease_owner: item.lease_owner,
        created_at: local(item.created_at),
        settled_at: item.settled_at.map(local),
    }
}
