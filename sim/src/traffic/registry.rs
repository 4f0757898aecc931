//! The server's ids of trucks and drivers. Each is registered when it comes for the first time.

use std::collections::HashMap;

use tokio::sync::Mutex;

use crate::{SimError, server::Server, truck::Truck};

/// Who is registered, by plate and by driver's name.
#[derive(Debug)]
pub struct Registry {
    vehicles: Mutex<HashMap<String, i64>>,
    drivers: Mutex<HashMap<String, i64>>,
}

impl Registry {
    /// What earlier days have registered.
    pub async fn read(server: &Server) -> Result<Self, SimError> {
        let vehicles = server
            .vehicles()
            .await?
            .into_iter()
            .map(|vehicle| (vehicle.name, vehicle.id));
        let drivers = server
            .drivers()
            .await?
            .into_iter()
            .map(|driver| (driver.name, driver.id));
        Ok(Self {
            vehicles: Mutex::new(vehicles.collect()),
            drivers: Mutex::new(drivers.collect()),
        })
    }

    /// The ids of a truck and its driver, registered now where they were not.
    pub async fn ids(&self, server: &Server, truck: &Truck) -> Result<(i64, i64), SimError> {
        // One at a time: a driver's account costs the server a password hash, and the first trucks should not wait.
        let mut vehicles = self.vehicles.lock().await;
        let vehicle = match vehicles.get(&truck.plate) {
            Some(id) => *id,
            None => *vehicles
                .entry(truck.plate.clone())
                .or_insert(server.make_vehicle(truck).await?),
        };
        let mut drivers = self.drivers.lock().await;
        let driver = match drivers.get(&truck.driver) {
            Some(id) => *id,
            None => *drivers
                .entry(truck.driver.clone())
                .or_insert(server.make_driver(truck, vehicle).await?),
        };
        Ok((vehicle, driver))
    }
}
