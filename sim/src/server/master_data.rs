//! Stations, the edge, vehicles and drivers: found by their names, or made.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use weighbridge_protocol::kilograms::json_number;

use super::{Server, app::Account};
use crate::{SimError, station::StationSpec, truck::Truck};

/// A row by its id and name.
#[derive(Clone, Debug, Deserialize)]
pub struct Named {
    pub id: i64,
    #[serde(alias = "plate_number")]
    pub name: String,
}

/// A driver, and the trucks he drives.
#[derive(Clone, Debug, Deserialize)]
pub struct Driver {
    pub id: i64,
    pub vehicle_ids: Vec<i64>,
}

/// An edge as it is made: the key is told this once.
#[derive(Clone, Debug, Deserialize)]
pub struct NewEdge {
    pub id: i64,
    pub api_key: String,
}

#[derive(Deserialize)]
struct Made {
    id: i64,
}

impl Server {
    pub async fn stations(&self) -> Result<Vec<Named>, SimError> {
        self.list("/stations").await
    }

    pub async fn edges(&self) -> Result<Vec<Named>, SimError> {
        self.list("/edges").await
    }

    pub async fn vehicles(&self) -> Result<Vec<Named>, SimError> {
        self.list("/vehicles").await
    }

    pub async fn drivers(&self) -> Result<Vec<Driver>, SimError> {
        self.list("/drivers").await
    }

    /// Makes a station that calls by itself; its id.
    pub async fn make_station(&self, name: &str, spec: &StationSpec, approach: Duration) -> Result<i64, SimError> {
        let body = json!({
            "name": name,
            "indicator_type": spec.format.maker(),
            "protocol": spec.format.id(),
            "address": format!("serial://{}?9600-8N1", spec.port.display()),
            "capacity": number(spec.calibration.capacity)?,
            "division": number(spec.calibration.division)?,
            "calling": "AUTO",
            "approach_ms": u64::try_from(approach.as_millis()).unwrap_or(0),
        });
        Ok(self.post::<Made>("/stations", body).await?.id)
    }

    /// Closes a station, or opens it again.
    pub async fn set_station_open(&self, id: i64, open: bool) -> Result<(), SimError> {
        let what = if open { "open" } else { "close" };
        self.post::<Value>(&format!("/stations/{id}/{what}"), json!({}))
            .await
            .map(drop)
    }

    pub async fn make_edge(&self, name: &str, station_ids: &[i64]) -> Result<NewEdge, SimError> {
        self.post("/edges", json!({ "name": name, "station_ids": station_ids }))
            .await
    }

    pub async fn make_vehicle(&self, truck: &Truck) -> Result<i64, SimError> {
        let mut body = json!({
            "plate_number": truck.plate,
            "vehicle_type": truck.kind(),
            "max_load": number(truck.max_load())?,
        });
        if let Some(tare) = truck.tare() {
            body["tare_weight"] = number(tare)?;
        }
        Ok(self.post::<Made>("/vehicles", body).await?.id)
    }

    /// Makes a driver; the id, and the account of the app.
    pub async fn make_driver(&self, truck: &Truck, vehicle_id: i64) -> Result<(i64, Option<Account>), SimError> {
        #[derive(Deserialize)]
        struct Made {
            id: i64,
            app_account: Option<Account>,
        }
        let body = json!({ "name": truck.driver, "phone": truck.phone, "vehicle_ids": [vehicle_id] });
        let made: Made = self.post("/drivers", body).await?;
        Ok((made.id, made.app_account))
    }
}

/// A weight as a JSON number that says exactly it.
fn number(weight: weighbridge_protocol::Kilograms) -> Result<Value, SimError> {
    let text = json_number::number(weight);
    serde_json::from_str(&text).map_err(|error| SimError::Internal(format!("{text} is no JSON number: {error}")))
}
