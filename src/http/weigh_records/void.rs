//! `POST /weigh-records/{id}/void`: a weighing does not count.

use actix_web::{post, web::Data};
use chrono::Utc;
use serde::Deserialize;
use utoipa::ToSchema;
use weighbridge_supervision::Handle;

use crate::{
    actors::{
        directory::Directory,
        repository::{Queries, Repository},
        screen::RecordItem,
    },
    db::weigh_record::{Items, VoidRecord},
    domain::text::Line,
    http::{
        answer::{Answer, Failure, Success},
        auth::Staff,
        code::Code,
        error::ApiError,
        read::{Body, Id},
    },
};

/// Why a weighing does not count.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidForm {
    reason: String,
    /// Another truck was weighed under the call: the called one gets its place at the head of the line back.
    #[serde(default)]
    requeue: bool,
}

/// `POST /api/v1/weigh-records/{id}/void` with `{"reason":"…","requeue":true}`. Its weights wait for a decision among the
/// captures again, and the ERP is told. Written to the audit log.
#[utoipa::path(
    tag = "records",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<RecordItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it is void, nothing was weighed yet, its truck is called \
            now, or with `requeue` nobody was called for it; ALREADY_QUEUED: who was has checked in anew"),
    )
)]
#[post("/weigh-records/{id}/void")]
pub async fn void_record(
    Staff(caller): Staff,
    Id(record_id): Id,
    form: Body<VoidForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<RecordItem>, ApiError> {
    let Body(form) = form;
    let reason = Line::<200>::parse(&form.reason).map_err(|error| error.of("reason"))?;
    let void = VoidRecord {
        record_id,
        reason: reason.into_string(),
        requeue: form.requeue,
        author: caller.author(),
        now: Utc::now(),
    };
    let changes = repository.run_contended(void).await??;
    directory.announce(&changes);
    let items = repository.run_grouped(Items { ids: vec![record_id] }).await?;
    let item = items.first().ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Success::ok(RecordItem::from(item)))
}
