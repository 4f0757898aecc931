//! A scale as it is shown to staff.

use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    db::weigh_station::Station,
    http::{fields::Kg, rules::Rules},
};

/// A scale.
#[derive(Debug, Serialize, ToSchema)]
pub struct StationView {
    id: i64,
    name: String,
    site_id: i64,
    edge_id: Option<i64>,
    indicator_type: String,
    protocol: Option<String>,
    address: Option<String>,
    /// IDLE, WEIGHING or ERROR.
    status: String,
    last_heartbeat: Option<DateTime<FixedOffset>>,
    #[schema(value_type = Option<f64>)]
    capacity: Option<Kg>,
    #[schema(value_type = Option<f64>)]
    division: Option<Kg>,
    verified_until: Option<NaiveDate>,
    #[schema(value_type = Object)]
    capture: Value,
    /// What of `capture` and `division` its edge does not follow, and why: it does not go with the settings in edge.toml.
    #[schema(value_type = Vec<Object>, example = json!([{"key": "tolerance_kg", "value": "700.00", "why": "tolerance_kg is 700.00, expected 0 to less than min_weight_kg (500.00)"}]))]
    capture_unfit: Value,
    calling: String,
    directions: Vec<String>,
    product_ids: Vec<i64>,
    approach_ms: i32,
    open: bool,
    is_active: bool,
    created_at: DateTime<FixedOffset>,
}

impl StationView {
    pub(super) fn of(station: Station, rules: &Rules) -> Self {
        Self {
            id: station.id,
            name: station.name,
            site_id: station.site_id,
            edge_id: station.edge_id,
            indicator_type: station.indicator_type,
            protocol: station.protocol,
            address: station.address,
            status: station.status,
            last_heartbeat: station.last_heartbeat.map(|at| rules.local(at)),
            capacity: station.capacity.map(Kg),
            division: station.division.map(Kg),
            verified_until: station.verified_until,
            capture: station.capture_settings,
            capture_unfit: station.capture_unfit,
            calling: station.calling,
            directions: station.directions,
            product_ids: station.product_ids,
            approach_ms: station.least_approach_ms,
            open: station.is_open,
            is_active: station.is_active,
            created_at: rules.local(station.created_at),
        }
    }
}
