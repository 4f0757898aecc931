//! `POST /internal/weigh-data`: readings of a gateway that speaks only HTTP.

use std::time::Duration;

use actix_web::{post, web::Data};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;
use weighbridge_protocol::reading::Unit;

use super::{
    answer::{Answer, Failure, Success},
    code::{Code, FieldCode},
    edge_keys::PostingEdge,
    error::ApiError,
    read::Body,
};
use crate::{
    actors::{
        directory::Directory,
        indicator::{NotTaken, PostedReading},
    },
    db::station_cycle::Outcome,
    domain::feed::{Impossible, Posted},
};

/// How long an indicator may take; it answers after the commit.
const ASK_WITHIN: Duration = Duration::from_secs(15);

/// One reading. A stream of them, at least one each 30 s, lets the server see when a truck has been weighed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadingForm {
    station_id: i64,
    #[schema(value_type = f64, example = 25000.5)]
    weight: Box<RawValue>,
    unit: PostedUnit,
    /// Whether the indicator says that the weight stands still; null where it does not say.
    stable: Option<bool>,
    #[schema(format = DateTime, example = "2026-01-25T14:30:00+09:00")]
    timestamp: String,
    /// The sender's own name for this reading: with it, it is stored exactly once.
    event_id: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PostedUnit {
    Kg,
    G,
    T,
    Lb,
}

/// What became of a reading.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenView {
    /// Always true: it is committed, now or before.
    stored: bool,
    /// It was stored before.
    duplicate: bool,
    /// The weighing of a truck that this reading settled.
    capture_id: Option<i64>,
}

/// `POST /api/v1/internal/weigh-data` with `X-API-Key` and
/// `{"station_id":1,"weight":25000.5,"unit":"KG","stable":true,"timestamp":"2026-01-25T14:30:00+09:00"}`. Answers after the
/// commit.
#[utoipa::path(
    tag = "edges",
    security(()),
    params(("X-API-Key" = String, Header,)),
    responses(
        (status = 200, body = Success<TakenView>),
        (status = 400, body = Failure, description = "an impossible weight, unit or time"),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "the station is not the key's"),
        (status = 409, body = Failure, description = "CONFLICT: the event_id stands for another reading"),
    )
)]
#[post("/internal/weigh-data")]
pub async fn take_reading(
    PostingEdge(edge): PostingEdge,
    // Who may not post is not told what is wrong with the body.
    form: Result<Body<ReadingForm>, ApiError>,
    directory: Data<Directory>,
) -> Result<Answer<TakenView>, ApiError> {
    let Body(form) = form?;
    let reading = form.posted().examined(edge.edge_id, Utc::now())?;
    let station_id = reading.station_id;
    // Whether such a station exists is not for everyone to know.
    let foreign = || ApiError::new(Code::Forbidden).with("station_id", station_id);
    let indicator = directory.indicator(station_id).ok_or_else(foreign)?;
    match indicator.ask(PostedReading(reading), ASK_WITHIN).await?? {
        Outcome::Stored { duplicate, capture_id } => Ok(Success::ok(TakenView {
            stored: true,
            duplicate,
            capture_id,
        })),
        Outcome::Conflict => Err(ApiError::new(Code::Conflict)),
        Outcome::Impossible => Err(Impossible::Weight.into()),
        Outcome::Foreign => Err(foreign()),
    }
}

impl ReadingForm {
    fn posted(&self) -> Posted<'_> {
        Posted {
            station_id: self.station_id,
            weight: self.weight.get(),
            unit: self.unit.into(),
            stable: self.stable,
            timestamp: &self.timestamp,
            event_id: self.event_id,
        }
    }
}

impl From<PostedUnit> for Unit {
    fn from(unit: PostedUnit) -> Self {
        match unit {
            PostedUnit::Kg => Self::Kilogram,
            PostedUnit::G => Self::Gram,
            PostedUnit::T => Self::Tonne,
            PostedUnit::Lb => Self::Pound,
        }
    }
}

impl From<Impossible> for ApiError {
    fn from(impossible: Impossible) -> Self {
        match impossible {
            Impossible::Weight => Self::field("weight", FieldCode::OutOfRange),
            Impossible::Time => Self::field("timestamp", FieldCode::OutOfRange),
        }
    }
}

impl From<NotTaken> for ApiError {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Unavailable => Self::new(Code::Unavailable).retry_after(Duration::from_secs(1)),
            NotTaken::Refused => Self::internal(why),
        }
    }
}
