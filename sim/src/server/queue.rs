//! The waiting line, and what staff decide about captures that no call explains.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Server;
use crate::SimError;

/// An entry of the line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    pub id: i64,
    pub queue_number: i64,
    pub status: Status,
    pub station_id: Option<i64>,
    #[serde(default)]
    pub vehicle_plate: Option<String>,
    /// Differs from call to call.
    #[serde(default)]
    pub called_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Waiting,
    Called,
    Completed,
    Cancelled,
    NoShow,
    Review,
}

/// A capture that waits for staff.
#[derive(Clone, Debug, Deserialize)]
pub struct Unassigned {
    pub id: Value,
    pub station_id: i64,
    pub captured_at: DateTime<Utc>,
}

impl Server {
    /// The line as it stands now: who is called, and who waits.
    pub async fn line(&self) -> Result<Vec<Entry>, SimError> {
        self.list("/queue").await
    }

    /// The newest who missed their call, or wait for staff to decide.
    pub async fn set_aside(&self) -> Result<Vec<Entry>, SimError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Entry>,
        }
        let mut entries = Vec::new();
        for status in ["NO_SHOW", "REVIEW"] {
            let path = format!("/queue?status={status}&limit=100");
            entries.extend(self.get::<Page>(&path).await?.items);
        }
        Ok(entries)
    }

    /// Checks a truck in, once for each `key`. `direction` is IN or OUT where it matters.
    pub async fn check_in(
        &self,
        vehicle_id: i64,
        driver_id: i64,
        direction: Option<&'static str>,
        key: Uuid,
    ) -> Result<Entry, SimError> {
        let mut body = json!({ "driver_id": driver_id, "vehicle_id": vehicle_id });
        if let Some(direction) = direction {
            body["direction"] = direction.into();
        }
        self.post_once("/queue", body, key).await
    }

    /// Calls whoever is next to a station, by hand.
    pub async fn call_next(&self, station_id: i64) -> Result<(), SimError> {
        self.post::<Value>("/queue/call-next", json!({ "station_id": station_id }))
            .await
            .map(drop)
    }

    /// Brings an entry that missed its call, or waits for a decision, back into the line.
    pub async fn put_back(&self, entry_id: i64) -> Result<(), SimError> {
        self.post::<Value>(&format!("/queue/{entry_id}/return"), json!({}))
            .await
            .map(drop)
    }

    pub async fn cancel(&self, entry_id: i64, reason: &str) -> Result<(), SimError> {
        self.post::<Value>(&format!("/queue/{entry_id}/cancel"), json!({ "reason": reason }))
            .await
            .map(drop)
    }

    /// The newest captures that no call explains.
    pub async fn unassigned(&self, station_id: i64) -> Result<Vec<Unassigned>, SimError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Unassigned>,
        }
        let path = format!("/captures?state=unassigned&station_id={station_id}&limit=100");
        Ok(self.get::<Page>(&path).await?.items)
    }

    /// Decides that a capture is of this vehicle.
    pub async fn assign(&self, capture: &Unassigned, vehicle_id: i64, driver_id: i64) -> Result<(), SimError> {
        let id = capture
            .id
            .as_str()
            .map_or_else(|| capture.id.to_string(), str::to_owned);
        let body = json!({ "vehicle_id": vehicle_id, "driver_id": driver_id });
        self.post::<Value>(&format!("/captures/{id}/assign"), body)
            .await
            .map(drop)
    }
}
