//! `/captures`: weights that no call explains, and what staff decide about them.

use std::str::FromStr;

use actix_web::{
    get, post,
    web::{Data, Path},
};
use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weighbridge_protocol::{Kilograms, kilograms::json_number, link::Receipt};
use weighbridge_supervision::Handle;

use super::{
    answer::{Answer, Failure, Page, Success},
    auth::Staff,
    code::{Code, FieldCode},
    error::ApiError,
    queue::ReasonForm,
    read::{Body, Filter, Paging},
};
use crate::{
    actors::{
        edge_link::LinkServices,
        repository::{Queries, Repository},
        screen::{RecordItem, in_zone},
    },
    db::{
        capture::{Assign, CaptureItem, CaptureKey, CaptureNamed, CapturesIn, Decision, Dismiss, State},
        parties::Parties,
        weigh_record::Items,
    },
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CaptureFilter {
    /// `unassigned` (the default), `assigned`, `dismissed`, or `rejected` for events that were wrong in themselves.
    state: Option<String>,
    station_id: Option<i64>,
    page: Option<i64>,
    limit: Option<i64>,
}

/// A weight that waits for a decision, or on which one was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaptureView {
    id: CaptureId,
    station_id: Option<i64>,
    station_name: Option<String>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    weight: Option<Kilograms>,
    #[schema(example = "KG")]
    unit: &'static str,
    #[schema(value_type = String, format = DateTime)]
    captured_at: DateTime<FixedOffset>,
    /// `UNASSIGNED`, `ASSIGNED`, `DISMISSED`, `REJECTED` or `QUARANTINED`.
    state: String,
    /// What its event told: `capture`; of what was set aside perhaps another, or null where that cannot be read.
    #[schema(example = "capture")]
    kind: Option<String>,
    /// Taken after an outage in which the truck may have changed.
    gap: bool,
    /// `captured_at` is what an edge's own clock said, which may be wrong.
    doubtful: bool,
    record_id: Option<i64>,
    /// Why it was set aside, or decided on.
    reason: Option<String>,
    /// What was printed of it before the database was restored, where it could not be brought back by that; or what another
    /// server printed.
    printed: Option<PrintedView>,
}

/// What an edge was once told of a capture.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrintedView {
    slip_number: Option<String>,
    vehicle_plate: Option<String>,
    driver_name: Option<String>,
    /// Whether its edge was with another server when it was told so.
    by_another_server: bool,
}

impl PrintedView {
    /// As far as it can be read.
    fn of(receipt: serde_json::Value, by_another_server: bool) -> Option<Self> {
        let receipt: Receipt = serde_json::from_value(receipt).ok()?;
        Some(Self {
            slip_number: receipt.slip_number,
            vehicle_plate: receipt.vehicle_plate,
            driver_name: receipt.driver_name,
            by_another_server,
        })
    }
}

/// A number; of an event that was set aside `<epoch>-<seq>`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CaptureId {
    Row(i64),
    Event(String),
}

/// Whose weighing it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "so they are named in the body")]
pub struct AssignForm {
    vehicle_id: i64,
    driver_id: Option<i64>,
    product_id: Option<i64>,
    customer_id: Option<i64>,
}

/// `GET /api/v1/captures?state=unassigned&station_id=1`, newest first.
#[utoipa::path(
    tag = "captures",
    params(CaptureFilter),
    responses((status = 200, body = Success<Page<CaptureView>>), (status = 400, body = Failure))
)]
#[get("/captures")]
pub async fn list_captures(
    _: Staff,
    filter: Filter<CaptureFilter>,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Page<CaptureView>>, ApiError> {
    let Filter(filter) = filter;
    let paging = Paging::parse(filter.page, filter.limit)?;
    let captures = CapturesIn {
        state: state(filter.state.as_deref())?,
        station_id: filter.station_id,
        slice: paging.into(),
    };
    let listed = repository.run(captures).await?;
    Ok(Success::ok(Page::of(paging, listed, CaptureView::from)))
}

/// `POST /api/v1/captures/{id}/assign` with `{"vehicle_id":3,"driver_id":7}`: the second pass of a vehicle that has an open
/// record, else a weighing of its own. Answers the record.
#[utoipa::path(
    tag = "captures",
    params(("id" = String, Path, description = "a number, or `<epoch>-<seq>`")),
    responses(
        (status = 200, body = Success<RecordItem>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it was decided on before, or its weight cannot be read"),
    )
)]
#[post("/captures/{id}/assign")]
pub async fn assign_capture(
    Staff(caller): Staff,
    id: Path<String>,
    form: Body<AssignForm>,
    links: Data<LinkServices>,
) -> Result<Answer<RecordItem>, ApiError> {
    let assign = Assign {
        key: key(&id)?,
        parties: form.0.into(),
        min_net: links.min_net,
        author: caller.author(),
        now: Utc::now(),
    };
    let record_id = decided(links.repository.run_contended(assign).await?, &links)?;
    let ids = record_id.into_iter().collect();
    let record = links.repository.run_grouped(Items { ids }).await?.pop();
    let record = record.ok_or_else(|| ApiError::internal("a capture was assigned to a record that is not there"))?;
    Ok(Success::ok(RecordItem::from(&record)))
}

/// `POST /api/v1/captures/{id}/dismiss` with `{"reason":"…"}`: no truck was weighed. Answers the capture.
#[utoipa::path(
    tag = "captures",
    params(("id" = String, Path, description = "a number, or `<epoch>-<seq>`")),
    responses(
        (status = 200, body = Success<CaptureView>),
        (status = 404, body = Failure),
        (status = 409, body = Failure, description = "INVALID_STATE: it was decided on before"),
    )
)]
#[post("/captures/{id}/dismiss")]
pub async fn dismiss_capture(
    Staff(caller): Staff,
    id: Path<String>,
    form: Body<ReasonForm>,
    links: Data<LinkServices>,
) -> Result<Answer<CaptureView>, ApiError> {
    let key = key(&id)?;
    let dismiss = Dismiss {
        key,
        reason: form.0.reason()?,
        author: caller.author(),
        now: Utc::now(),
    };
    decided(links.repository.run(dismiss).await?, &links)?;
    let dismissed = links.repository.run(CaptureNamed(key)).await?;
    Ok(Success::ok(dismissed.into()))
}

/// Tells those concerned; answers the record that took the weight.
fn decided(decision: Decision, links: &LinkServices) -> Result<Option<i64>, ApiError> {
    match decision {
        Decision::InvalidState => Err(ApiError::new(Code::InvalidState)),
        Decision::Unknown(missing) => Err(missing.into()),
        Decision::Made { record_id, changes } => {
            links.directory.announce(&changes);
            Ok(record_id)
        }
    }
}

fn state(text: Option<&str>) -> Result<State, ApiError> {
    match text.unwrap_or("unassigned") {
        "unassigned" => Ok(State::Unassigned),
        "assigned" => Ok(State::Assigned),
        "dismissed" => Ok(State::Dismissed),
        "rejected" => Ok(State::Rejected),
        _ => Err(ApiError::field("state", FieldCode::InvalidFormat)),
    }
}

fn key(text: &str) -> Result<CaptureKey, ApiError> {
    CaptureKey::parse(text).ok_or_else(|| ApiError::field("id", FieldCode::InvalidFormat))
}

impl From<AssignForm> for Parties {
    fn from(form: AssignForm) -> Self {
        Self {
            vehicle_id: form.vehicle_id,
            driver_id: form.driver_id,
            product_id: form.product_id,
            customer_id: form.customer_id,
        }
    }
}

impl From<CaptureItem> for CaptureView {
    fn from(item: CaptureItem) -> Self {
        let captured_at = in_zone(item.taken_at(), &item.time_zone);
        Self {
            id: i64::from_str(&item.key).map_or(CaptureId::Event(item.key), CaptureId::Row),
            station_id: item.station_id,
            station_name: item.station_name,
            weight: item.weight.map(Into::into),
            unit: "KG",
            captured_at,
            state: item.state,
            kind: item.kind,
            gap: item.gap,
            doubtful: item.doubtful,
            record_id: item.record_id,
            reason: item.reason,
            printed: item
                .receipt
                .and_then(|receipt| PrintedView::of(receipt, item.told_elsewhere)),
        }
    }
}
