//! Drivers with the app: signed in, with a truck and a phone.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    server::{Client, Reply},
    site::{Clock, Site},
};

/// A driver's app.
#[derive(Clone, Debug)]
pub struct Cab {
    pub app: Client,
    pub driver: i64,
    pub vehicle: i64,
    login: String,
}

const PASSWORD: &str = "Driver1234!";

impl Cab {
    /// Registers driver and truck, and signs in with a password of the driver's own.
    pub async fn new(site: &Site, number: u32) -> Self {
        let vehicle = json!({ "plate_number": format!("12가{:04}", 3000 + number), "tare_weight": 10_000 });
        let vehicle = site.post("/vehicles", vehicle).await.done()["id"].as_i64().unwrap();
        let form = json!({
            "name": format!("기사{number}"), "phone": format!("010-5555-{:04}", 1000 + number), "vehicle_ids": [vehicle],
        });
        let added = site.post("/drivers", form).await.done();
        let account = &added["app_account"];
        let login = account["login_id"].as_str().unwrap().to_owned();
        let temporary = account["temporary_password"].as_str().unwrap();
        let device = Client::of(site.address()).on_device(&format!("app {number}"));
        let app = device.sign_in(&login, temporary).await;
        let change = json!({ "current_password": temporary, "new_password": PASSWORD });
        app.post("/api/v1/auth/password", change).await.done();
        Self {
            app: device.sign_in(&login, PASSWORD).await,
            driver: added["id"].as_i64().unwrap(),
            vehicle,
            login,
        }
    }

    /// The same driver on one more device.
    pub async fn on_second_device(&self) -> Self {
        Self {
            app: self.app.on_device("another app").sign_in(&self.login, PASSWORD).await,
            ..self.clone()
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.app.get(&format!("/api/v1/mobile{path}")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.app.post(&format!("/api/v1/mobile{path}"), body).await
    }

    pub async fn tell_token(&self, token: &str) {
        let told = self
            .app
            .put("/api/v1/mobile/fcm-token", json!({ "fcm_token": token }))
            .await;
        assert_eq!(told.done()["registered"], true);
    }

    /// Joins the line; the entry's id.
    pub async fn check_in(&self, site: &Site) -> i64 {
        let body = json!({ "driver_id": self.driver, "vehicle_id": self.vehicle });
        site.post("/queue", body).await.done()["id"].as_i64().unwrap()
    }

    /// Leaves the line.
    pub async fn cancel(&self, site: &Site, entry: i64) {
        let reason = json!({ "reason": "기사 취소" });
        site.post(&format!("/queue/{entry}/cancel"), reason).await.done();
    }

    /// What the driver was told first; waits for it, for it is told in the background.
    pub async fn first_notification(&self) -> i64 {
        loop {
            let items = self.get("/notifications").await.done()["items"].clone();
            if let Some(first) = items.as_array().unwrap().last() {
                return first["id"].as_i64().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Checks in, is called to the first station, drives on with 25 t and off again; the record's id.
    pub async fn be_weighed(&self, site: &Site, clock: &mut Clock) -> i64 {
        self.check_in(site).await;
        let station = site.stations[0];
        site.call_next(station).await.done();
        clock.catch_up();
        site.weigh(station, 25_000, clock).await;
        site.leave(station, clock).await;
        let today = self.get("/records/today").await.done();
        today["items"][0]["id"].as_i64().unwrap()
    }
}
