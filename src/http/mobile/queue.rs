//! `/mobile/queue`: a driver's own place in the line.

use actix_web::{get, post, web::Data};
use chrono::Utc;
use serde::Deserialize;
use utoipa::ToSchema;
use weighbridge_supervision::Handle;

use crate::{
    actors::{
        directory::Directory,
        position::PositionItem,
        queue::{ChangeLine, JoinLine, LineChange},
        repository::{Queries, Repository},
    },
    db::{
        driver::DriverById,
        wait_queue::{Acknowledge, Cancel, CheckIn, Entry, EntryOf},
    },
    domain::text::Line,
    http::{
        answer::{Answer, Created, Failure, Success},
        auth::Driver,
        code::{Code, FieldCode},
        error::ApiError,
        queue::{
            ASK_WITHIN, Direction,
            changes::{Nothing, Stage},
            chosen_site, line_of,
        },
        read::Body,
    },
};

/// Said where a driver gives no reason.
const CANCELLED_BY_DRIVER: &str = "기사 취소";

/// With what a driver joins the line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnCheckInForm {
    /// One of the driver's vehicles; where it is missing, the one that the driver usually drives.
    vehicle_id: Option<i64>,
    product_id: Option<i64>,
    customer_id: Option<i64>,
    direction: Option<Direction>,
    /// May be left out where there is one site.
    site_id: Option<i64>,
}

/// Why a driver leaves the line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnCancelForm {
    reason: Option<String>,
}

/// `GET /api/v1/mobile/queue/my`: `data` is null without an entry. One that missed its call, or that staff look at, is shown
/// for a day.
#[utoipa::path(
    tag = "mobile",
    responses((status = 200, body = Success<Option<PositionItem>>), (status = 403, body = Failure))
)]
#[get("/mobile/queue/my")]
pub async fn my_place(
    driver: Driver,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Option<PositionItem>>, ApiError> {
    let entry = repository
        .run(EntryOf {
            driver_id: driver.driver_id,
        })
        .await?;
    Ok(Success::ok(entry.as_ref().map(PositionItem::from)))
}

/// `POST /api/v1/mobile/queue/check-in` with `{"vehicle_id":3}`, or `{}` for the usual vehicle.
#[utoipa::path(
    tag = "mobile",
    responses(
        (status = 201, body = Success<PositionItem>),
        (status = 400, body = Failure),
        (status = 403, body = Failure, description = "another driver's vehicle"),
        (status = 409, body = Failure, description = "ALREADY_QUEUED: the driver or the vehicle"),
    )
)]
#[post("/mobile/queue/check-in")]
pub async fn check_myself_in(
    driver: Driver,
    Body(form): Body<OwnCheckInForm>,
    stage: Stage,
) -> Result<Created<PositionItem>, ApiError> {
    let (repository, directory) = stage;
    let vehicle_id = match form.vehicle_id {
        Some(vehicle) => vehicle,
        None => usual_vehicle(driver.driver_id, &repository).await?,
    };
    let site_id = chosen_site(form.site_id, &repository).await?;
    let check_in = CheckIn {
        site_id,
        driver_id: driver.driver_id,
        vehicle_id,
        product_id: form.product_id,
        customer_id: form.customer_id,
        direction: form.direction.map(|direction| direction.name().to_owned()),
        priority: None,
        own_vehicle: true,
        now: Utc::now(),
    };
    let joined = line_of(&directory, site_id)?
        .ask(JoinLine(check_in), ASK_WITHIN)
        .await??;
    Ok(Success::created(PositionItem::from(&joined?)))
}

/// `POST /api/v1/mobile/queue/acknowledge`: the called driver comes. Done twice it is as done once.
#[utoipa::path(
    tag = "mobile",
    responses(
        (status = 200, body = Success<PositionItem>),
        (status = 404, body = Failure, description = "the driver stands in no line"),
        (status = 409, body = Failure, description = "INVALID_STATE: not called"),
    )
)]
#[post("/mobile/queue/acknowledge")]
pub async fn acknowledge_my_call(
    driver: Driver,
    _: Body<Nothing>,
    stage: Stage,
) -> Result<Answer<PositionItem>, ApiError> {
    let entry = own(&driver, &stage.0).await?;
    let acknowledge = Acknowledge {
        entry_id: entry.id,
        driver_id: Some(driver.driver_id),
        now: Utc::now(),
    };
    change(&entry, LineChange::Acknowledge(acknowledge), &stage.1).await
}

/// `POST /api/v1/mobile/queue/cancel` with `{"reason":"…"}`, or `{}`: the driver leaves the line. Written to the audit log.
#[utoipa::path(
    tag = "mobile",
    responses(
        (status = 200, body = Success<PositionItem>),
        (status = 404, body = Failure, description = "the driver stands in no line"),
        (status = 409, body = Failure, description = "INVALID_STATE: the truck is being weighed"),
    )
)]
#[post("/mobile/queue/cancel")]
pub async fn cancel_my_place(
    driver: Driver,
    Body(form): Body<OwnCancelForm>,
    stage: Stage,
) -> Result<Answer<PositionItem>, ApiError> {
    let reason = form.reason.as_deref().map(Line::<200>::parse).transpose();
    let reason = reason.map_err(|error| error.of("reason"))?;
    let entry = own(&driver, &stage.0).await?;
    let cancel = Cancel {
        entry_id: entry.id,
        driver_id: Some(driver.driver_id),
        reason: reason.map_or_else(|| CANCELLED_BY_DRIVER.to_owned(), Line::into_string),
        author: driver.caller.author(),
    };
    change(&entry, LineChange::Cancel(cancel), &stage.1).await
}

/// The place in a line that the driver has; what he missed or staff look at is none.
async fn own(driver: &Driver, repository: &Handle<Repository>) -> Result<Entry, ApiError> {
    let own = EntryOf {
        driver_id: driver.driver_id,
    };
    let entry = repository.run(own).await?;
    let open = entry.filter(|entry| ["WAITING", "CALLED"].contains(&entry.status.as_str()));
    open.ok_or_else(|| ApiError::new(Code::NotFound))
}

async fn usual_vehicle(driver_id: i64, repository: &Handle<Repository>) -> Result<i64, ApiError> {
    let vehicles = repository.run(DriverById(driver_id)).await?.vehicle_ids;
    let usual = vehicles.first().copied();
    usual.ok_or_else(|| ApiError::field("vehicle_id", FieldCode::Required))
}

async fn change(entry: &Entry, change: LineChange, directory: &Directory) -> Result<Answer<PositionItem>, ApiError> {
    let line = line_of(directory, entry.site_id)?;
    let changed = line.ask(ChangeLine(change), ASK_WITHIN).await???;
    Ok(Success::ok(PositionItem::from(&changed.entry)))
}
