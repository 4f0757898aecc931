//! Trucks that are called, one after the other: each check-in becomes a record with a slip.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;
use weighbridge_sim::{
    server::queue::Status,
    traffic::least_approach,
    truck::{Habit, Truck},
    yard::{Call, Visit},
};

use super::world::{HASTE, World};

const SOON: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A truck with a registered tare, and its driver.
#[derive(Debug)]
pub struct Known {
    truck: Truck,
    vehicle: i64,
    driver: i64,
}

/// Registers so many trucks.
pub async fn register(world: &World, count: usize) -> Vec<Known> {
    let mut known = Vec::new();
    let trucks = (1..).map(|number| world.site.yard.truck(number));
    for truck in trucks.filter(|truck| truck.habit == Habit::OnePass).take(count) {
        let vehicle = world.client.make_vehicle(&truck).await.unwrap();
        let (driver, _) = world.client.make_driver(&truck, vehicle).await.unwrap();
        known.push(Known { truck, vehicle, driver });
    }
    known
}

/// Checks it in, drives to where it is called, and is weighed; answers when the server has let it go.
pub async fn weigh(world: &World, known: &Known, visit: u32) {
    let entry = world
        .client
        .check_in(known.vehicle, known.driver, None, Uuid::new_v4())
        .await
        .unwrap();
    let called = || async {
        let line = world.client.line().await.unwrap();
        let mine = line.into_iter().find(|other| other.id == entry.id)?;
        (mine.status == Status::Called).then_some(mine.station_id)?
    };
    let began = Instant::now();
    let station = loop {
        if let Some(station) = called().await {
            break station;
        }
        assert!(
            began.elapsed() < SOON,
            "nobody calls {}:\n{}",
            known.truck.plate,
            world.server.log_tail()
        );
        sleep(LOOK_AGAIN).await;
    };
    // The way there: a truck that came sooner would be taken for another one.
    sleep(least_approach(HASTE) * 2).await;
    let call = Call {
        vehicle_id: known.vehicle,
        driver_id: known.driver,
        queue_id: entry.id,
        queue_number: entry.queue_number,
    };
    let yard = Arc::clone(&world.site.yard);
    let stay = yard
        .weigh(Visit::called(&known.truck, station, visit, 0, call))
        .await
        .unwrap();
    assert!(stay.is_confirmed(), "{stay:?}");
    while world
        .client
        .line()
        .await
        .unwrap()
        .iter()
        .any(|other| other.id == entry.id)
    {
        assert!(
            began.elapsed() < SOON,
            "{} is not let go:\n{}",
            known.truck.plate,
            world.server.log_tail()
        );
        sleep(LOOK_AGAIN).await;
    }
}
