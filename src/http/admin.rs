//! `/admin`: the tree of actors, and restarting one.

use actix_web::{
    get, post,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
    db::audit_log::{Author, Deed, Note},
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
        (status = 403, body = Failure, description = "for administrators only; and no supervisor can be restarted"),
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
    let order = Order {
        author: caller.author(),
        name,
        mode: form.mode,
        reason: reason.map(|reason| reason.to_string()),
    };
    if caller.identity.role != Role::Admin {
        let refused = order.note("actor.restart_refused", None, json!({"role": caller.identity.role}));
        repository.run(refused).await?;
        return Err(ApiError::new(Code::Forbidden));
    }
    // A restart goes on when its asker hangs up, and so must its note.
    let restarting = actix_web::rt::spawn(order.carry_out(tree, repository));
    let ended = |_| ApiError::internal("the task of a restart ended without an answer");
    Ok(Success::ok(restarting.await.map_err(ended)??))
}

/// What an administrator wants restarted.
struct Order {
    author: Author,
    name: String,
    mode: Mode,
    reason: Option<String>,
}

impl Order {
    /// Restarts, and writes down how it went: one row for each restart that was started.
    async fn carry_out(self, tree: Data<Tree>, repository: Data<Handle<Repository>>) -> Result<RestartView, ApiError> {
        let restarted = match tree.restart(&self.name, self.mode).await {
            Ok(restarted) => restarted,
            Err(error) => {
                if let RestartError::NotUp { restart_id, .. } = error {
                    let after = json!({"restart_id": restart_id, "result": "not up in time"});
                    repository.run(self.note("actor.restart", None, after)).await?;
                }
                return Err(error.into());
            }
        };
        let took_ms = u64::try_from(restarted.took.as_millis()).unwrap_or(u64::MAX);
        let before = json!({"generation": restarted.generation_before});
        let after = json!({
            "generation": restarted.generation_after,
            "restart_id": restarted.restart_id,
            "took_ms": took_ms,
        });
        repository.run(self.note("actor.restart", Some(before), after)).await?;
        Ok(RestartView {
            name: self.name,
            restart_id: restarted.restart_id.to_string(),
            generation: restarted.generation_after,
            took_ms,
        })
    }

    fn note(&self, action: &'static str, before: Option<Value>, mut after: Value) -> Note {
        after["mode"] = json!(self.mode);
        after["reason"] = json!(self.reason);
        Note {
            author: self.author.clone(),
            deed: Deed {
                action,
                subject: format!("actor {}", self.name).chars().take(100).collect(),
                before,
                after: Some(after),
            },
        }
    }
}

impl From<RestartError> for ApiError {
    fn from(error: RestartError) -> Self {
        match error {
            RestartError::NotFound(_) => Self::new(Code::NotFound),
            RestartError::Forbidden(_) => Self::new(Code::Forbidden),
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
