//! The server's ids of trucks and drivers. Each is registered when it comes for the first time.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;

use super::phones::Phones;
use crate::{
    SimError,
    server::{Server, master_data::Driver},
    truck::Truck,
};

/// Who is registered.
#[derive(Debug)]
pub struct Registry {
    /// By plate.
    vehicles: Mutex<HashMap<String, i64>>,
    /// By vehicle.
    drivers: Mutex<HashMap<i64, i64>>,
    /// Where drivers have some.
    phones: Option<Arc<Phones>>,
}

impl Registry {
    /// What earlier days have registered.
    pub async fn read(server: &Server, phones: Option<Arc<Phones>>) -> Result<Self, SimError> {
        let vehicles = vehicles(server).await?;
        let of = |driver: Driver| driver.vehicle_ids.into_iter().map(move |vehicle| (vehicle, driver.id));
        let drivers = server.drivers().await?.into_iter().flat_map(of);
        Ok(Self {
            vehicles: Mutex::new(vehicles),
            drivers: Mutex::new(drivers.collect()),
            phones,
        })
    }

    /// The ids of a truck and its driver, registered now where they were not.
    pub async fn ids(&self, server: &Server, truck: &Truck) -> Result<(i64, i64), SimError> {
        // One at a time: a driver's account costs the server a password hash, and the first trucks should not wait.
        let mut known = self.vehicles.lock().await;
        let vehicle = match known.get(&truck.plate) {
            Some(id) => *id,
            None => match server.make_vehicle(truck).await {
                Ok(id) => *known.entry(truck.plate.clone()).or_insert(id),
                Err(refusal) => {
                    // The answer to an earlier try may have been lost.
                    if refusal.is_refusal("DUPLICATE_PLATE") {
                        *known = vehicles(server).await?;
                    }
                    return Err(refusal);
                }
            },
        };
        let mut drivers = self.drivers.lock().await;
        let (driver, account) = match drivers.get(&vehicle) {
            Some(id) => (*id, None),
            None => server.make_driver(truck, vehicle).await?,
        };
        drivers.insert(vehicle, driver);
        if let Some(phones) = &self.phones {
            phones.switch_on(driver, account);
        }
        Ok((vehicle, driver))
    }
}

async fn vehicles(server: &Server) -> Result<HashMap<String, i64>, SimError> {
    Ok(server
        .vehicles()
        .await?
        .into_iter()
        .map(|vehicle| (vehicle.name, vehicle.id))
        .collect())
}
