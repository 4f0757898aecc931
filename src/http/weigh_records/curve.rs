//! `/weigh-records/{id}/curve`: how the weights of a record settled.

use actix_web::{get, web::Data};
use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use utoipa::ToSchema;
use weighbridge_protocol::{Kilograms, kilograms::json_number, link::event::CurvePoint};
use weighbridge_supervision::Handle;

use crate::{
    actors::{
        repository::{Queries, Repository},
        screen::in_zone,
    },
    db::capture::{CaptureCurve, CurvesOf},
    http::{
        answer::{Answer, Failure, Success},
        auth::Staff,
        error::ApiError,
        read::Id,
    },
};

/// How one weight settled.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurveView {
    capture_id: i64,
    station_id: i64,
    /// The weight that was taken.
    #[serde(with = "json_number")]
    #[schema(value_type = f64)]
    weight: Kilograms,
    #[schema(value_type = String, format = DateTime)]
    captured_at: DateTime<FixedOffset>,
    /// At most 600; null where the curve was erased after its time, or never came.
    points: Option<Vec<PointView>>,
}

/// What the indicator showed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointView {
    /// Milliseconds since the vehicle drove on.
    ms: u32,
    #[serde(with = "json_number")]
    #[schema(value_type = f64)]
    weight: Kilograms,
}

/// `GET /api/v1/weigh-records/{id}/curve`: the curve of each weight that the record took, in the order of the weights.
#[utoipa::path(
    tag = "records",
    params(("id" = i64, Path,)),
    responses((status = 200, body = Success<Vec<CurveView>>), (status = 404, body = Failure))
)]
#[get("/weigh-records/{id}/curve")]
pub async fn show_curve(
    _: Staff,
    Id(id): Id,
    repository: Data<Handle<Repository>>,
) -> Result<Answer<Vec<CurveView>>, ApiError> {
    let curves = repository.run(CurvesOf(id)).await?;
    Ok(Success::ok(curves.into_iter().map(CurveView::from).collect()))
}

impl From<CaptureCurve> for CurveView {
    fn from(curve: CaptureCurve) -> Self {
        let point = |CurvePoint(ms, weight): CurvePoint| PointView { ms, weight };
        Self {
            capture_id: curve.capture_id,
            station_id: curve.station_id,
            weight: curve.weight,
            captured_at: in_zone(curve.captured_at, &curve.time_zone),
            points: curve.points.map(|points| points.into_iter().map(point).collect()),
        }
    }
}
