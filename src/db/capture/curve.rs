//! How the weights of a record settled: kept by differences, read as points.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use weighbridge_protocol::{
    Kilograms,
    link::{
        curve::{self, Step},
        event::CurvePoint,
    },
};

use crate::db::{DbError, Query, schema, weigh_record::DetailOf, weight::Weight};

/// A capture with its curve.
#[derive(Clone, Debug)]
pub struct CaptureCurve {
    pub capture_id: i64,
    pub station_id: i64,
    pub weight: Kilograms,
    pub captured_at: DateTime<Utc>,
    /// None where it was erased after its time, or never came.
    pub points: Option<Vec<CurvePoint>>,
    /// Of the record's site.
    pub time_zone: String,
}

/// The curves of a record's captures, in the order in which they were taken. `NotFound` where there is no such record.
#[derive(Clone, Copy, Debug)]
pub struct CurvesOf(pub i64);

/// Id, station, weight, when, curve.
type Row = (i64, i64, Weight, DateTime<Utc>, Option<Value>);

impl Query for CurvesOf {
    type Output = Vec<CaptureCurve>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<CaptureCurve>, DbError> {
        use schema::capture::dsl;
        let time_zone = DetailOf(self.0).run(conn).await?.item.time_zone;
        let rows: Vec<Row> = dsl::capture
            .filter(dsl::record_id.eq(self.0))
            .order((dsl::captured_at, dsl::id))
            .select((dsl::id, dsl::station_id, dsl::weight, dsl::captured_at, dsl::curve))
            .load(conn)
            .await?;
        rows.into_iter()
            .map(|(capture_id, station_id, Weight(weight), captured_at, curve)| {
                Ok(CaptureCurve {
                    capture_id,
                    station_id,
                    weight,
                    captured_at,
                    points: curve.map(points).transpose()?,
                    time_zone: time_zone.clone(),
                })
            })
            .collect()
    }
}

fn points(curve: Value) -> Result<Vec<CurvePoint>, DbError> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        DbError::from(diesel::result::Error::DeserializationError(error))
    };
    let steps: Vec<Step> = serde_json::from_value(curve).map_err(|error| unreadable(error.into()))?;
    curve::decode(&steps).map_err(|error| unreadable(error.into()))
}
