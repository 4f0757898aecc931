//! What a screen shows of a station, a weight, a record or a line: the shapes of the interface's description, the same over
//! HTTP and over a WebSocket.

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use weighbridge_protocol::{
    Kilograms,
    kilograms::json_number,
    link::messages::{DeckState, LiveReading},
};

use crate::db::{
    station_view::StationView, summary::DaySummary, wait_queue::Entry, weigh_record::Item, weight::Weight,
};

/// A station's newest weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WeightItem {
    pub station_id: i64,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub weight: Option<Kilograms>,
    pub unit: String,
    pub stable: Option<bool>,
    #[schema(value_type = String)]
    pub state: DeckState,
    /// Whether the indicator has said nothing for three seconds.
    pub stale: bool,
    #[schema(value_type = String, format = DateTime)]
    pub at: DateTime<FixedOffset>,
}

impl WeightItem {
    pub fn new(reading: &LiveReading, stale: bool) -> Self {
        Self {
            station_id: reading.station_id,
            weight: reading.weight,
            unit: reading.unit.clone(),
            stable: reading.stable,
            state: reading.state,
            stale,
            at: reading.at,
        }
    }
}

/// A station on the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StationItem {
    pub id: i64,
    pub name: String,
    /// `IDLE`, `WEIGHING` or `ERROR`.
    pub status: String,
    pub open: bool,
    pub current_vehicle: Option<String>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub last_weight: Option<Kilograms>,
    /// `UP` or `DOWN`: whether the edge is connected.
    pub link: &'static str,
    /// `UP` or `DOWN`: whether the indicator is heard.
    pub indicator: &'static str,
}

impl StationItem {
    pub fn new(view: &StationView, link_up: bool, indicator_up: bool) -> Self {
        let word = |up| if up { "UP" } else { "DOWN" };
        Self {
            id: view.id,
            name: view.name.clone(),
            status: view.status.clone(),
            open: view.is_open,
            current_vehicle: view.current_vehicle.clone(),
            last_weight: view.last_weight.map(Into::into),
            link: word(link_up),
            indicator: word(indicator_up),
        }
    }
}

/// A record in a list and on the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecordItem {
    pub id: i64,
    pub slip_number: Option<String>,
    /// `PENDING`, `WEIGHING`, `COMPLETED` or `VOIDED`.
    pub status: String,
    pub station_id: i64,
    pub station_name: String,
    pub vehicle_id: i64,
    pub vehicle_plate: String,
    pub driver_id: Option<i64>,
    pub driver_name: Option<String>,
    pub product_name: Option<String>,
    pub customer_name: Option<String>,
    /// `IN` or `OUT`.
    pub direction: Option<String>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub gross_weight: Option<Kilograms>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub tare_weight: Option<Kilograms>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub net_weight: Option<Kilograms>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub first_weight: Option<Kilograms>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_weighed_at: Option<DateTime<FixedOffset>>,
    #[serde(with = "json_number::option")]
    #[schema(value_type = Option<f64>)]
    pub second_weight: Option<Kilograms>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub second_weighed_at: Option<DateTime<FixedOffset>>,
    #[schema(value_type = String, format = DateTime)]
    pub weighed_at: DateTime<FixedOffset>,
    pub manual: bool,
    pub voided: bool,
    pub overload: Option<String>,
    pub needs_review: bool,
    pub erp_sent: bool,
}

impl From<&Item> for RecordItem {
    fn from(item: &Item) -> Self {
        let kg = |weight: Option<Weight>| weight.map(Into::into);
        let at = |moment: DateTime<Utc>| in_zone(moment, &item.time_zone);
        Self {
            id: item.id,
            slip_number: item.slip_number.clone(),
            status: item.status.clone(),
            station_id: item.station_id,
            station_name: item.station_name.clone(),
            vehicle_id: item.vehicle_id,
            vehicle_plate: item.vehicle_plate.clone(),
            driver_id: item.driver_id,
            driver_name: item.driver_name.clone(),
            product_name: item.product_name.clone(),
            customer_name: item.customer_name.clone(),
            direction: item.direction.clone(),
            gross_weight: kg(item.gross_weight),
            tare_weight: kg(item.tare_weight),
            net_weight: kg(item.net_weight),
            first_weight: kg(item.first_weight),
            first_weighed_at: item.first_weighed_at.map(at),
            second_weight: kg(item.second_weight),
            second_weighed_at: item.second_weighed_at.map(at),
            weighed_at: at(item.weighed_at),
            manual: item.manual,
            voided: item.voided,
            overload: item.overload.clone(),
            needs_review: item.needs_review,
            erp_sent: item.erp_sent,
        }
    }
}

/// An entry of the waiting line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueueItem {
    pub id: i64,
    pub site_id: i64,
    pub queue_number: i32,
    /// The local day of the check-in, within which the number is unique.
    pub day: NaiveDate,
    /// `WAITING`, `CALLED`, `COMPLETED`, `CANCELLED`, `NO_SHOW` or `REVIEW`.
    pub status: String,
    pub vehicle_id: i64,
    pub vehicle_plate: String,
    pub driver_id: i64,
    pub driver_name: String,
    pub product_id: Option<i64>,
    pub customer_id: Option<i64>,
    /// `IN` or `OUT`.
    pub direction: Option<String>,
    pub priority: bool,
    pub priority_reason: Option<String>,
    pub station_id: Option<i64>,
    pub station_name: Option<String>,
    pub ahead_count: i64,
    /// Minutes: those ahead × the mean time of a weighing ÷ the stations that are open.
    pub estimated_time: i32,
    /// Minutes within which it is called, as likely as not; null where it does not wait, or no station takes it.
    pub eta_p50: Option<i32>,
    /// Minutes within which it is called four times in five.
    pub eta_p80: Option<i32>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub called_at: Option<DateTime<FixedOffset>>,
    /// When the call ends as a no-show; null while that does not run, for nobody could see the truck come.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<DateTime<FixedOffset>>,
    /// How often it was called or recalled.
    pub calls_made: i32,
    /// When the driver said that he comes.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<DateTime<FixedOffset>>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<FixedOffset>,
}

impl From<&Entry> for QueueItem {
    fn from(entry: &Entry) -> Self {
        let at = |moment: DateTime<Utc>| in_zone(moment, &entry.time_zone);
        Self {
            id: entry.id,
            site_id: entry.site_id,
            queue_number: entry.queue_number,
            day: entry.day,
            status: entry.status.clone(),
            vehicle_id: entry.vehicle_id,
            vehicle_plate: entry.vehicle_plate.clone(),
            driver_id: entry.driver_id,
            driver_name: entry.driver_name.clone(),
            product_id: entry.product_id,
            customer_id: entry.customer_id,
            direction: entry.direction.clone(),
            priority: entry.priority,
            priority_reason: entry.priority_reason.clone(),
            station_id: entry.station_id,
            station_name: entry.station_name.clone(),
            ahead_count: entry.ahead_count,
            estimated_time: entry.estimated_time,
            eta_p50: entry.eta_p50,
            eta_p80: entry.eta_p80,
            called_at: entry.called_at.map(at),
            deadline: entry.deadline_at.map(at),
            calls_made: entry.calls_made,
            acknowledged_at: entry.acknowledged_at.map(at),
            created_at: at(entry.created_at),
        }
    }
}

/// A day's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SummaryItem {
    pub total_count: i64,
    pub completed_count: i64,
    /// Seconds from call to completion, on average.
    pub avg_process_time: i64,
    pub hourly_stats: Vec<HourItem>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HourItem {
    pub hour: i32,
    pub count: i64,
}

impl From<&DaySummary> for SummaryItem {
    fn from(day: &DaySummary) -> Self {
        Self {
            total_count: day.total,
            completed_count: day.completed,
            avg_process_time: day.process_seconds,
            hourly_stats: day
                .hours
                .iter()
                .map(|(hour, count)| HourItem {
                    hour: *hour,
                    count: *count,
                })
                .collect(),
        }
    }
}

/// A moment as a site's clock shows it; in Korea's zone where the site's is not known.
pub fn in_zone(moment: DateTime<Utc>, zone: &str) -> DateTime<FixedOffset> {
    moment
        .with_timezone(&zone.parse().unwrap_or(chrono_tz::Asia::Seoul))
        .fixed_offset()
}
