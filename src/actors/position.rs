//! What a driver sees of the line: the own place in it, the call, and the slip. The same over HTTP and over a WebSocket.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use super::{
    live::{DriverChanged, DriverNews, Json},
    screen::{RecordItem, in_zone},
};
use crate::db::{wait_queue::Entry, weigh_record::Item};

/// A driver's own place in the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PositionItem {
    pub id: i64,
    pub queue_number: i32,
    /// How many wait before it.
    pub ahead_count: i64,
    /// Minutes: those ahead × the mean time of a weighing ÷ the stations that are open.
    pub estimated_wait_time: i32,
    /// Minutes within which it is called, as likely as not.
    pub eta_p50: Option<i32>,
    /// Minutes within which it is called four times in five.
    pub eta_p80: Option<i32>,
    /// `WAITING`, `CALLED`, `NO_SHOW` or `REVIEW`.
    pub status: String,
    pub vehicle_id: i64,
    pub vehicle_plate: String,
    /// Where it is called to.
    pub station: Option<StationRef>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub called_at: Option<DateTime<FixedOffset>>,
    /// When the call ends; null while no deadline runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<DateTime<FixedOffset>>,
    /// When the driver said that he comes.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<DateTime<FixedOffset>>,
}

/// A station by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StationRef {
    pub id: i64,
    pub name: String,
}

/// What a driver is told who is called.
#[derive(Serialize)]
struct CalledItem<'a> {
    station: &'a Option<StationRef>,
    deadline: Option<DateTime<FixedOffset>>,
}

/// What the drivers of a line were last told, so that each hears of changes alone.
#[derive(Debug, Default)]
pub struct Positions {
    /// By driver: what was told, and of which call.
    told: BTreeMap<i64, (Json, i32)>,
    /// Whether the line was seen before: what stands there at first was told by another.
    seen: bool,
}

impl From<&Entry> for PositionItem {
    fn from(entry: &Entry) -> Self {
        let at = |moment: DateTime<Utc>| in_zone(moment, &entry.time_zone);
        let station = entry.station_id.zip(entry.station_name.clone());
        Self {
            id: entry.id,
            queue_number: entry.queue_number,
            ahead_count: entry.ahead_count,
            estimated_wait_time: entry.estimated_time,
            eta_p50: entry.eta_p50,
            eta_p80: entry.eta_p80,
            status: entry.status.clone(),
            vehicle_id: entry.vehicle_id,
            vehicle_plate: entry.vehicle_plate.clone(),
            station: station.map(|(id, name)| StationRef { id, name }),
            called_at: entry.called_at.map(at),
            deadline: entry.deadline_at.map(at),
            acknowledged_at: entry.acknowledged_at.map(at),
        }
    }
}

impl PositionItem {
    /// As it goes over a WebSocket.
    pub fn json(entry: &Entry) -> Option<Json> {
        told(&Self::from(entry))
    }
}

impl Positions {
    /// What has changed for whom since the line was shown last.
    pub fn changes(&mut self, line: &[Entry]) -> Vec<DriverChanged> {
        let mut news = Vec::new();
        let mut now = BTreeMap::new();
        for entry in line {
            let Some(position) = PositionItem::json(entry) else {
                continue;
            };
            let call = if entry.status == "CALLED" { entry.calls_made } else { 0 };
            let before = self.told.get(&entry.driver_id);
            if before.is_none_or(|(told, _)| *told != position) {
                news.push(changed(entry.driver_id, DriverNews::Position(Some(position.clone()))));
            }
            let is_new = call > 0 && self.seen && before.is_none_or(|(_, told)| *told != call);
            if is_new && let Some(called) = called(entry) {
                news.push(changed(entry.driver_id, DriverNews::Called(called)));
            }
            now.insert(entry.driver_id, (position, call));
        }
        let gone = self.told.keys().filter(|driver| !now.contains_key(driver));
        news.extend(gone.map(|driver| changed(*driver, DriverNews::Position(None))));
        (self.told, self.seen) = (now, true);
        news
    }
}

/// What the driver of a completed record is told; none where there is no driver, or nothing is completed.
pub fn completed(item: &Item) -> Option<DriverChanged> {
    #[derive(Serialize)]
    struct Completed {
        slip: RecordItem,
    }
    let driver = item.driver_id.filter(|_| item.status == "COMPLETED")?;
    let slip = RecordItem::from(item);
    Some(changed(driver, DriverNews::Completed(told(&Completed { slip })?)))
}

fn called(entry: &Entry) -> Option<Json> {
    let PositionItem { station, deadline, .. } = PositionItem::from(entry);
    told(&CalledItem {
        station: &station,
        deadline,
    })
}

const fn changed(driver: i64, news: DriverNews) -> DriverChanged {
    DriverChanged { driver, news }
}

fn told<T: Serialize>(item: &T) -> Option<Json> {
    Json::of(item)
        .map_err(|error| warn!("a driver's place cannot be shown: {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(driver_id: i64, status: &str, calls_made: i32) -> Entry {
        Entry {
            id: driver_id * 10,
            site_id: 1,
            queue_number: 3,
            day: chrono::NaiveDate::default(),
            status: status.to_owned(),
            vehicle_id: 1,
            vehicle_plate: "12가3456".to_owned(),
            driver_id,
            driver_name: String::new(),
            product_id: None,
            customer_id: None,
            direction: None,
            priority: false,
            priority_reason: None,
            station_id: (calls_made > 0).then_some(2),
            station_name: (calls_made > 0).then(|| "2번".to_owned()),
            record_id: None,
            ahead_count: 0,
            estimated_time: 0,
            eta_p50: None,
            eta_p80: None,
            called_at: None,
            deadline_at: None,
            calls_made,
            acknowledged_at: None,
            created_at: DateTime::default(),
            time_zone: "Asia/Seoul".to_owned(),
        }
    }

    fn kinds(news: &[DriverChanged]) -> Vec<String> {
        let kind = |changed: &DriverChanged| match &changed.news {
            DriverNews::Position(Some(_)) => format!("{} position", changed.driver),
            DriverNews::Position(None) => format!("{} gone", changed.driver),
            DriverNews::Called(_) => format!("{} called", changed.driver),
            DriverNews::Completed(_) => format!("{} completed", changed.driver),
        };
        news.iter().map(kind).collect()
    }

    #[test]
    fn each_driver_hears_of_changes_and_of_each_call_once() {
        let mut positions = Positions::default();
        let mut changes = |line: &[Entry]| kinds(&positions.changes(line));
        assert_eq!(
            changes(&[entry(1, "WAITING", 0), entry(2, "CALLED", 1)]),
            ["1 position", "2 position"]
        );
        assert!(changes(&[entry(1, "WAITING", 0), entry(2, "CALLED", 1)]).is_empty());
        assert_eq!(
            changes(&[entry(1, "CALLED", 1), entry(2, "CALLED", 1)]),
            ["1 position", "1 called"]
        );
        assert_eq!(changes(&[entry(1, "CALLED", 2)]), ["1 called", "2 gone"]);
        assert_eq!(changes(&[entry(1, "WAITING", 2)]), ["1 position"]);
        assert_eq!(changes(&[entry(1, "CALLED", 3)]), ["1 position", "1 called"]);
    }
}
