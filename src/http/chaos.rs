//! `/admin/_chaos`: breaks actors on purpose, for the fault tests. Compiled only with the feature `chaos`.

use actix_web::{HttpResponse, post, web::Data};
use serde::Deserialize;
use serde_json::json;
use weighbridge_supervision::{Handle, Moment, Tree};

use super::{
    auth::Admin,
    code::{Code, FieldCode},
    error::ApiError,
    read::Body,
};
use crate::{
    actors::{
        repository::{Queries, Repository},
        stations::Stations,
    },
    db::chaos::BreakInside,
};

/// Whom to break, and how often.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanicForm {
    actor: String,
    on: Option<On>,
    times: Option<u32>,
    /// With a plate: captures that come while it is called.
    plate: Option<String>,
}

/// At what an actor is to panic.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum On {
    #[default]
    Message,
    Started,
    /// Not the actor but a query in its care, at once.
    Query,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeForm {
    actor: String,
    seconds: u64,
}

/// `POST /api/v1/admin/_chaos/panic` with `{"actor":"indicator-1","on":"message","times":1}`.
#[utoipa::path(tag = "chaos", responses((status = 200)))]
#[post("/panic")]
pub async fn panic(
    _: Admin,
    form: Body<PanicForm>,
    tree: Data<Tree>,
    stations: Data<Stations>,
    repository: Data<Handle<Repository>>,
) -> Result<HttpResponse, ApiError> {
    let Body(PanicForm {
        actor,
        on,
        times,
        plate,
    }) = form;
    if let Some(plate) = plate {
        stations.poison.set(&plate, times.unwrap_or(u32::MAX));
        return Ok(done());
    }
    let moment = match on.unwrap_or_default() {
        On::Message => Moment::Message,
        On::Started => Moment::Started,
        On::Query => {
            repository.run(BreakInside).await?;
            return Ok(done());
        }
    };
    if tree.chaos_panic(&actor, moment, times.unwrap_or(1)) {
        Ok(done())
    } else {
        Err(ApiError::new(Code::NotFound))
    }
}

/// `POST /api/v1/admin/_chaos/freeze` with `{"actor":"queue-1","seconds":60}`.
#[utoipa::path(tag = "chaos", responses((status = 200)))]
#[post("/freeze")]
pub async fn freeze(_: Admin, form: Body<FreezeForm>, tree: Data<Tree>) -> Result<HttpResponse, ApiError> {
    let Body(FreezeForm { actor, seconds }) = form;
    if seconds > 600 {
        return Err(ApiError::field("seconds", FieldCode::OutOfRange));
    }
    if tree.chaos_freeze(&actor, seconds) {
        Ok(done())
    } else {
        Err(ApiError::new(Code::NotFound))
    }
}

fn done() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "success": true, "data": {} }))
}
