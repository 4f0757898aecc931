//! What staff do to one entry of the line.

use actix_web::{post, web::Data};
use chrono::Utc;
use serde::Deserialize;
use utoipa::ToSchema;
use weighbridge_supervision::Handle;

use super::{ASK_WITHIN, ReasonForm, line_of};
use crate::{
    actors::{
        directory::Directory,
        queue::{ChangeLine, LineChange},
        repository::{Queries, Repository},
        screen::QueueItem,
    },
    db::wait_queue::{Acknowledge, Cancel, EntryById, Move, Return},
    domain::text::Line,
    http::{
        answer::{Answer, Failure, Success},
        auth::Staff,
        error::ApiError,
        read::{Body, Id},
    },
};

/// No fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkipForm {
    reason: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveForm {
    /// The entry behind which it is put; to the head of the line where it is missing.
    after_id: Option<i64>,
}

/// What handlers need that change the line.
pub type Stage = (Data<Handle<Repository>>, Data<Directory>);

/// `POST /api/v1/queue/{id}/recall`: board and phone call once more, and the deadline begins anew. One that has missed its
/// call is called anew to the same station. Written to the audit log.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is not called, its truck is being weighed, or the \
            station where it was expected is taken or closed; ALREADY_QUEUED: it has checked in anew"),
    )
)]
#[post("/queue/{id}/recall")]
pub async fn recall(
    Staff(caller): Staff,
    Id(entry_id): Id,
    _: Body<Nothing>,
    stage: Stage,
) -> Result<Answer<QueueItem>, ApiError> {
    let author = caller.author();
    change(entry_id, LineChange::Recall { entry_id, author }, stage).await
}

/// `POST /api/v1/queue/{id}/acknowledge`: the driver was heard to say that he comes.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is not called"),
    )
)]
#[post("/queue/{id}/acknowledge")]
pub async fn acknowledge(
    _: Staff,
    Id(entry_id): Id,
    _: Body<Nothing>,
    stage: Stage,
) -> Result<Answer<QueueItem>, ApiError> {
    let acknowledge = Acknowledge {
        entry_id,
        driver_id: None,
        now: Utc::now(),
    };
    change(entry_id, LineChange::Acknowledge(acknowledge), stage).await
}

/// `POST /api/v1/queue/{id}/skip` with `{"reason":"…"}`, or without: the next one goes first. One that is called waits at
/// the head of the line again and the next is called in its stead; one that waits changes places with the one behind it.
/// Written to the audit log.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure, description = "no such entry, or nobody is next"),
        (status = 409, body = Failure, description = "INVALID_STATE: it is neither called nor waiting, or its truck is being weighed"),
    )
)]
#[post("/queue/{id}/skip")]
pub async fn skip(
    Staff(caller): Staff,
    Id(entry_id): Id,
    form: Body<SkipForm>,
    stage: Stage,
) -> Result<Answer<QueueItem>, ApiError> {
    let reason = form.0.reason.as_deref().map(Line::<200>::parse).transpose();
    let reason = reason.map_err(|error| error.of("reason"))?;
    let skip = LineChange::Skip {
        entry_id,
        reason: reason.map(Line::into_string),
        author: caller.author(),
    };
    change(entry_id, skip, stage).await
}

/// `POST /api/v1/queue/{id}/return`: one that missed its call, or that staff had to look at, waits at the head of the line.
/// Written to the audit log.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is neither; ALREADY_QUEUED: it has checked in anew"),
    )
)]
#[post("/queue/{id}/return")]
pub async fn put_back(
    Staff(caller): Staff,
    Id(entry_id): Id,
    _: Body<Nothing>,
    stage: Stage,
) -> Result<Answer<QueueItem>, ApiError> {
    let author = caller.author();
    change(entry_id, LineChange::Return(Return { entry_id, author }), stage).await
}

/// `POST /api/v1/queue/{id}/cancel` with `{"reason":"…"}`. Written to the audit log.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it has ended, or its truck is being weighed"),
    )
)]
#[post("/queue/{id}/cancel")]
pub async fn cancel(
    Staff(caller): Staff,
    Id(entry_id): Id,
    form: Body<ReasonForm>,
    stage: Stage,
) -> Result<Answer<QueueItem>, ApiError> {
    let cancel = Cancel {
        entry_id,
        driver_id: None,
        reason: form.0.reason()?,
        author: caller.author(),
    };
    change(entry_id, LineChange::Cancel(cancel), stage).await
}

/// `POST /api/v1/queue/{id}/move` with `{"after_id":7}`, or `{}` for the head of the line. Written to the audit log.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it, or the other, does not wait in this line"),
    )
)]
#[post("/queue/{id}/move")]
pub async fn move_entry(
    Staff(caller): Staff,
    Id(entry_id): Id,
    form: Body<MoveForm>,
    stage: Stage,
) -> Result<Answer<QueueItem>, ApiError> {
    let to = Move {
        entry_id,
        after_id: form.0.after_id,
        author: caller.author(),
    };
    change(entry_id, LineChange::Move(to), stage).await
}

/// Changes an entry through the line of its site.
async fn change(entry_id: i64, change: LineChange, stage: Stage) -> Result<Answer<QueueItem>, ApiError> {
    let (repository, directory) = stage;
    let site_id = repository.run(EntryById { id: entry_id }).await?.site_id;
    let changed = line_of(&directory, site_id)?
        .ask(ChangeLine(change), ASK_WITHIN)
        .await??;
    Ok(Success::ok(QueueItem::from(&changed?.entry)))
}
