//! `POST /stations/{id}/rearm`: something lies on a deck that keeps it from zero, and trucks are to be weighed all the same.

use std::time::Duration;

use actix_web::{post, web::Data};
use chrono::Utc;
use serde_json::json;
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Success},
    auth::Staff,
    code::Code,
    error::ApiError,
    queue::ReasonForm,
    read::{Body, Id},
};
use crate::{
    actors::{
        directory::Directory,
        edge_link::{CommandError, Rearm},
        indicator::{NotDone, RearmFed},
        repository::{Queries, Repository},
    },
    db::{
        audit_log::{Author, Deed, Note},
        deck::SeenEmpty,
        station_view::{StationView, StationViewOf},
    },
};

/// An edge has ten seconds to do as it is told.
const ASK_WITHIN: Duration = Duration::from_secs(12);

/// `POST /api/v1/stations/{id}/rearm` with `{"reason":"…"}`: the cycle ends as it is, and until the deck is seen empty
/// weights count from what lies there. Where nobody reads the station now, a vehicle that is remembered on its deck is
/// forgotten, so that its call and its station do not wait for it. Written to the audit log. `data` is null.
#[utoipa::path(
    tag = "stations",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, description = "It is done; `data` is null"),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: the scale gives no weight now"),
        (status = 503, body = Failure, description = "nobody reads the station now, and nothing is remembered on its deck"),
    )
)]
#[post("/stations/{id}/rearm")]
pub async fn rearm_station(
    Staff(caller): Staff,
    Id(id): Id,
    form: Body<ReasonForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<()>, ApiError> {
    let reason = form.0.reason()?;
    let station = repository.run_grouped(StationViewOf(id)).await?;
    let station = station.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let author = caller.author();
    if !rearm_by_edge(&station, &reason, &author, &directory, &repository).await? {
        let indicator = directory.indicator(station.id).ok_or_else(away)?;
        let rearm = RearmFed {
            reason: reason.clone(),
            author: author.clone(),
        };
        match indicator.ask(rearm, ASK_WITHIN).await? {
            Err(NotDone::NotFed) if station.deck().is_some() => {
                forget_vehicle(&station, (author, reason), &directory, &repository).await?;
            }
            done => done?,
        }
    }
    Ok(Success::ok(()))
}

/// Lets the station's edge do it. Says whether there is one that is linked.
async fn rearm_by_edge(
    station: &StationView,
    reason: &str,
    author: &Author,
    directory: &Directory,
    repository: &Handle<Repository>,
) -> Result<bool, ApiError> {
    let Some(link) = station.edge_id.and_then(|edge| directory.edge_link(edge)) else {
        return Ok(false);
    };
    let rearm = Rearm {
        station_id: station.id,
        reason: reason.to_owned(),
    };
    link.ask(rearm, ASK_WITHIN).await??;
    let note = Note {
        author: author.clone(),
        deed: Deed {
            action: "station.rearm",
            subject: format!("station {}", station.id),
            before: None,
            after: Some(json!({ "reason": reason })),
        },
    };
    repository.run(note).await?;
    Ok(true)
}

/// Nobody reads the station: what staff see on its deck is all that is known.
async fn forget_vehicle(
    station: &StationView,
    said_by: (Author, String),
    directory: &Directory,
    repository: &Handle<Repository>,
) -> Result<(), ApiError> {
    let seen = SeenEmpty {
        station_id: station.id,
        deck: station.deck(),
        said_by: Some(said_by),
        now: Utc::now(),
    };
    let changes = repository.run(seen).await?.ok_or_else(away)?;
    directory.announce(&changes);
    Ok(())
}

fn away() -> ApiError {
    ApiError::new(Code::Unavailable).retry_after(Duration::from_secs(5))
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        tracing::warn!("a station was not rearmed: {error}");
        match error {
            CommandError::Refused(_) => Self::new(Code::InvalidState),
            CommandError::NoAnswer => away(),
        }
    }
}

impl From<NotDone> for ApiError {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::NotFed => away(),
            NotDone::NotRearmed(_) => Self::new(Code::InvalidState),
            NotDone::Database(error) => error.into(),
        }
    }
}
