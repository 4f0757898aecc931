//! `/admin`: the tree of actors, and restarting one.

use actix_web::{
    get, post,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use weighbridge_supervision::{ActorRow, Handle, Mode, RestartError, Tree};

use super::{
    answer::{Answer, Failure, Success},
    auth::{Admin, Staff},
    code::Code,
    error::ApiError,
    read::Body,
};
use crate::{
    actors::repository::{Queries, Repository},
    db::audit_log::{Deed, Note},
    domain::{role::Role, text::Line},
};

/// Everyone in the tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct Actors {
    #[schema(value_type = Vec<Object>)]
    actors: Vec<ActorRow>,
}

/// How and why to restart an actor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestartForm {
    /// `graceful` (the default) lets it finish the message in hand; `kill` does not.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "graceful")]
    mode: Mode,
    reason: Option<String>,
}

/// A restart that is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestartView {
    name: String,
    restart_id: String,
    /// The value that is up now.
    generation: u64,
    took_ms: u64,
}

/// `GET /api/v1/admin/actors`: name, kind, parent, state, generation, uptime, restarts, mailbox, last failure.
#[utoipa::path(tag = "admin", responses((status = 200, body = Success<Actors>), (status = 403, body = Failure)))]
#[get("/admin/actors")]
pub async fn list_actors(_: Admin, tree: Data<Tree>) -> Answer<Actors> {
    Success::ok(Actors {
        actors: tree.snapshot(),
    })
}

/// `POST /api/v1/admin/actors/indicator-3/restart` with `{"mode":"graceful","reason":"…"}`. Callers of the actor see
/// only latency. Also who may not is written to the audit log.
#[utoipa::path(
    tag = "admin",
    params(("name" = String, Path,)),
    responses(
        (status = 200, body = Success<RestartView>),
        (status = 403, body = Failure),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "ALREADY_RESTARTING, with `error.restart_id`"),
        (status = 429, body = Failure, description = "more than ten restarts of it in a minute"),
    )
)]
#[post("/admin/actors/{name}/restart")]
pub async fn restart_actor(
    Staff(caller): Staff,
    name: Path<String>,
    form: Body<RestartForm>,
    tree: Data<Tree>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<RestartView>, ApiError> {
    let (name, Body(form)) = (name.into_inner(), form);
    let reason = form.reason.as_deref().map(Line::<200>::parse).transpose();
    let reason = reason.map_err(|error| error.of("reason"))?;
    let subject: String = format!("actor {name}").chars().take(100).collect();
    let note = |action, after| Note {
        author: caller.author(),
        deed: Deed {
            action,
            subject: subject.clone(),
            before: None,
            after: Some(after),
        },
    };
    if caller.identity.role != Role::Admin {
        repository
            .run(note("actor.restart_refused", json!({"role": caller.identity.role})))
            .await?;
        return Err(ApiError::new(Code::Forbidden));
    }
    let restarted = tree.restart(&name, form.mode).await?;
    let after = json!({
        "mode": form.mode,
        "reason": reason,
        "restart_id": restarted.restart_id,
        "generation_before": restarted.generation_before,
        "generation_after": restarted.generation_after,
    });
    repository.run(note("actor.restart", after)).await?;
    Ok(Success::ok(RestartView {
        name,
        restart_id: restarted.restart_id.to_string(),
        generation: restarted.generation_after,
        took_ms: u64::try_from(restarted.took.as_millis()).unwrap_or(u64::MAX),
    }))
}

impl From<RestartError> for ApiError {
    fn from(error: RestartError) -> Self {
        match error {
            RestartError::NotFound(_) => Self::new(Code::NotFound),
            RestartError::Forbidden(_) => Self::new(Code::InvalidState),
            RestartError::AlreadyRestarting { restart_id } => {
                Self::new(Code::AlreadyRestarting).with("restart_id", restart_id.to_string())
            }
            RestartError::RateLimited { retry_after } => Self::new(Code::RateLimited).retry_after(retry_after),
            RestartError::NotUp { restart_id, within } => Self::new(Code::Unavailable)
                .retry_after(within)
                .with("restart_id", restart_id.to_string()),
        }
    }
}
