//! `/queue`: the waiting line, and who is called where.

pub mod changes;

use std::time::Duration;

use actix_web::{get, post, web::Data};
use chrono::Utc;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Created, Failure, Page, Success},
    auth::Staff,
    code::{Code, FieldCode},
    error::ApiError,
    fields::parse_day,
    read::{Body, Filter, Id, Paging},
};
use crate::{
    actors::{
        directory::Directory,
        queue::{CallTruck, JoinLine, Queue},
        repository::{Queries, Repository},
        screen::QueueItem,
    },
    db::{
        DbError,
        site::SiteChosen,
        station_view::StationViewOf,
        wait_queue::{CheckIn, EntryById, Lines, NotJoined, Refusal},
    },
    domain::text::Line,
};

/// How long a line's actor may take; it answers after the commit.
pub(super) const ASK_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LineFilter {
    /// All sites where it is missing.
    site_id: Option<i64>,
    /// `WAITING`, `CALLED`, `COMPLETED`, `CANCELLED`, `NO_SHOW` or `REVIEW`. The open ones where this and `day` are missing.
    status: Option<String>,
    /// The local day of the check-in: all its entries, or those of the status.
    #[param(format = Date, example = "2026-01-25")]
    day: Option<String>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// Who joins the line, with what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckInForm {
    /// May be left out where there is one site.
    site_id: Option<i64>,
    driver_id: i64,
    vehicle_id: i64,
    product_id: Option<i64>,
    customer_id: Option<i64>,
    direction: Option<Direction>,
    /// Before those who have none; needs a reason.
    #[serde(default)]
    priority: bool,
    reason: Option<String>,
}

/// Whether goods come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    In,
    Out,
}

/// Where a truck is called to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallForm {
    station_id: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonForm {
    pub(super) reason: String,
}

/// `GET /api/v1/queue?site_id=1`: those who are called, then those who wait, in the order in which they will be called.
/// `?status=NO_SHOW&day=2026-01-25` lists others, the newest first.
#[utoipa::path(
    tag = "queue",
    params(LineFilter),
    responses((status = 200, body = Success<Page<QueueItem>>), (status = 403, body = Failure))
)]
#[get("/queue")]
pub async fn show_line(
    _: Staff,
    filter: Filter<LineFilter>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<QueueItem>>, ApiError> {
    let Filter(filter) = filter;
    let paging = Paging::parse(filter.page, filter.limit)?;
    let lines = Lines {
        site_id: filter.site_id,
        status: status(filter.status)?,
        day: filter.day.map(|day| parse_day("day", &day)).transpose()?,
        slice: paging.into(),
    };
    let listed = repository.run(lines).await?;
    Ok(Success::ok(Page::of(paging, listed, |entry| QueueItem::from(&entry))))
}

/// `POST /api/v1/queue` with `{"driver_id":7,"vehicle_id":3,"product_id":2,"direction":"IN"}`: check-in by staff.
#[utoipa::path(
    tag = "queue",
    responses(
        (status = 201, body = Success<QueueItem>),
        (status = 400, body = Failure, description = "VALIDATION_FAILED, also where an id names nothing"),
        (status = 409, body = Failure, description = "ALREADY_QUEUED: the driver or the vehicle"),
    )
)]
#[post("/queue")]
pub async fn check_in(
    _: Staff,
    form: Body<CheckInForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Created<QueueItem>, ApiError> {
    let Body(form) = form;
    let priority = form.priority_reason()?;
    let site_id = chosen_site(form.site_id, &repository).await?;
    let check_in = CheckIn {
        site_id,
        driver_id: form.driver_id,
        vehicle_id: form.vehicle_id,
        product_id: form.product_id,
        customer_id: form.customer_id,
        direction: form.direction.map(|direction| direction.name().to_owned()),
        priority,
        own_vehicle: false,
        now: Utc::now(),
    };
    let joined = line_of(&directory, site_id)?
        .ask(JoinLine(check_in), ASK_WITHIN)
        .await??;
    Ok(Success::created(QueueItem::from(&joined?)))
}

/// `POST /api/v1/queue/call-next` with `{"station_id":1}`: the first in line whom the station takes.
#[utoipa::path(
    tag = "queue",
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure, description = "nobody waits"),
        (status = 409, body = Failure, description = "INVALID_STATE: the station is taken or closed"),
    )
)]
#[post("/queue/call-next")]
pub async fn call_next(
    _: Staff,
    form: Body<CallForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<QueueItem>, ApiError> {
    call(form.0.station_id, None, &repository, &directory).await
}

/// `POST /api/v1/queue/{id}/call` with `{"station_id":1}`: this truck, before its turn.
#[utoipa::path(
    tag = "queue",
    params(("id" = i64, Path,)),
    responses(
        (status = 200, body = Success<QueueItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it does not wait, or the station is taken or closed"),
    )
)]
#[post("/queue/{id}/call")]
pub async fn call_entry(
    _: Staff,
    Id(id): Id,
    form: Body<CallForm>,
    repository: Data<Handle<Repository>>,
    directory: Data<Directory>,
) -> Result<Answer<QueueItem>, ApiError> {
    let entry = repository.run(EntryById { id }).await?;
    call(form.0.station_id, Some(entry.id), &repository, &directory).await
}

impl Direction {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::In => "IN",
            Self::Out => "OUT",
        }
    }
}

impl CheckInForm {
    /// Why it goes before the others, where it does.
    fn priority_reason(&self) -> Result<Option<String>, ApiError> {
        if !self.priority {
            return Ok(None);
        }
        let reason = self.reason.as_deref().unwrap_or_default();
        let reason = Line::<200>::parse(reason).map_err(|error| error.of("reason"))?;
        Ok(Some(reason.into_string()))
    }
}

impl ReasonForm {
    pub(super) fn reason(&self) -> Result<String, ApiError> {
        let reason = Line::<200>::parse(&self.reason).map_err(|error| error.of("reason"))?;
        Ok(reason.into_string())
    }
}

impl From<NotJoined> for ApiError {
    fn from(why: NotJoined) -> Self {
        match why {
            NotJoined::AlreadyQueued => Self::new(Code::AlreadyQueued),
            NotJoined::ForeignVehicle => Self::new(Code::Forbidden),
            NotJoined::Unknown(missing) => missing.into(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(why: Refusal) -> Self {
        Self::new(match why {
            Refusal::NobodyWaits => Code::NotFound,
            Refusal::AlreadyQueued => Code::AlreadyQueued,
            Refusal::StationTaken | Refusal::StationClosed | Refusal::NotWaiting | Refusal::InvalidState => {
                Code::InvalidState
            }
        })
    }
}

const STATUSES: [&str; 6] = ["WAITING", "CALLED", "COMPLETED", "CANCELLED", "NO_SHOW", "REVIEW"];

/// A status that an entry may have.
fn status(given: Option<String>) -> Result<Option<String>, ApiError> {
    match given {
        Some(status) if !STATUSES.contains(&status.as_str()) => {
            Err(ApiError::field("status", FieldCode::InvalidFormat))
        }
        given => Ok(given),
    }
}

/// Calls to a station through the line of its site.
async fn call(
    station_id: i64,
    entry_id: Option<i64>,
    repository: &Handle<Repository>,
    directory: &Directory,
) -> Result<Answer<QueueItem>, ApiError> {
    let station = repository.run_grouped(StationViewOf(station_id)).await?;
    let station = station.ok_or_else(|| ApiError::field("station_id", FieldCode::NotFound))?;
    let call = CallTruck {
        station_id: station.id,
        entry_id,
    };
    let called = line_of(directory, station.site_id)?.ask(call, ASK_WITHIN).await??;
    Ok(Success::ok(QueueItem::from(&called?)))
}

/// The site that a body names, or the only one.
pub(super) async fn chosen_site(given: Option<i64>, repository: &Handle<Repository>) -> Result<i64, ApiError> {
    let code = if given.is_some() {
        FieldCode::NotFound
    } else {
        FieldCode::Required
    };
    let site: Result<_, DbError> = repository.run(SiteChosen(given)).await;
    site?.ok_or_else(|| ApiError::field("site_id", code))
}

/// A line that is not up yet will be in a moment.
pub(super) fn line_of(directory: &Directory, site_id: i64) -> Result<Handle<Queue>, ApiError> {
    let line = directory.queue(site_id);
    line.ok_or_else(|| ApiError::new(Code::Unavailable).retry_after(Duration::from_secs(1)))
}
