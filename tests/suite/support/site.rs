//! A site as staff set it up over HTTP: stations that call by hand, their edge's key, trucks and their drivers.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, FixedOffset, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    database::Database,
    server::{Client, Reply, TestServer},
    stand_in::StandIn,
};

/// A server with at least one station.
#[derive(Debug)]
pub struct Site {
    server: TestServer,
    admin: Client,
    pub stations: Vec<i64>,
    /// The key of the edge that the stations are of.
    pub key: String,
    drivers: AtomicI64,
}

/// A truck with its driver.
#[derive(Clone, Copy, Debug)]
pub struct Truck {
    pub vehicle: i64,
    pub driver: i64,
}

/// When readings of a test are from.
#[derive(Clone, Copy, Debug)]
pub struct Clock(DateTime<FixedOffset>);

impl Site {
    pub async fn new() -> Self {
        Self::with_stations(1).await
    }

    /// Stations capture after a tenth of a second.
    pub async fn with_stations(count: usize) -> Self {
        Self::with_settings(count, &[]).await
    }

    /// The same on a server with other settings.
    pub async fn with_settings(count: usize, settings: &[(&str, &str)]) -> Self {
        let server = TestServer::start_with(settings).await;
        let admin = server.admin().await;
        let post = async |path: &str, body: Value| admin.post(&format!("/api/v1{path}"), body).await.done();
        let mut stations = Vec::new();
        for number in 1..=count {
            let station = json!({
                "name": format!("{number}번 계량대"), "indicator_type": "CAS", "calling": "MANUAL", "capacity": 60_000,
                "capture": { "dwell_ms": 100, "leave_ms": 0 },
            });
            stations.push(post("/stations", station).await["id"].as_i64().unwrap());
        }
        let edge = json!({ "name": "gate", "station_ids": stations });
        let edge = post("/edges", edge).await;
        Self {
            server,
            admin,
            stations,
            key: edge["api_key"].as_str().unwrap().to_owned(),
            drivers: AtomicI64::new(0),
        }
    }

    /// One station, on a server that pushes to this stand-in, with further settings.
    pub async fn pushing_to(fcm: &StandIn, more: &[(&str, &str)]) -> Self {
        let (url, credentials) = (fcm.url(), fcm.credentials().display().to_string());
        let settings = [
            ("fcm.base_url", url.as_str()),
            ("fcm.credentials_file", credentials.as_str()),
        ];
        Self::with_settings(1, &[&settings, more].concat()).await
    }

    /// A station of one more edge, and that edge's key.
    pub async fn another_edge(&self) -> (i64, String) {
        let station = json!({ "name": "뒷문 계량대", "indicator_type": "CAS", "calling": "MANUAL" });
        let station = self.post("/stations", station).await.done()["id"].as_i64().unwrap();
        let edge = self
            .post("/edges", json!({ "name": "back gate", "station_ids": [station] }))
            .await
            .done();
        (station, edge["api_key"].as_str().unwrap().to_owned())
    }

    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// One more server on its database, whose connections have this for `witness.server`.
    pub async fn another_server(&self, name: &str, settings: &[(&str, &str)]) -> TestServer {
        self.server.start_another(name, settings).await
    }

    pub const fn admin(&self) -> &Client {
        &self.admin
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.admin.get(&format!("/api/v1{path}")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.admin.post(&format!("/api/v1{path}"), body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        let request = self.admin.request(Method::PUT, &format!("/api/v1{path}")).json(&body);
        self.admin.send(request).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.admin.delete(&format!("/api/v1{path}")).await
    }

    /// A request that nobody has signed, with these headers.
    pub async fn ask_as(&self, headers: &[(&str, &str)], method: Method, path: &str, body: &Value) -> Reply {
        let stranger = self.server.stranger();
        let request = stranger.request(method, &format!("/api/v1{path}")).json(body);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        stranger.send(request).await
    }

    /// As a gateway does, by its key.
    pub async fn post_as_edge(&self, path: &str, key: &str, body: Value) -> Reply {
        self.ask_as(&[("x-api-key", key)], Method::POST, path, &body).await
    }

    /// A connection to its database.
    pub async fn connect(&self) -> tokio_postgres::Client {
        self.server.database().connect().await
    }

    pub fn database(&self) -> &Database {
        self.server.database()
    }

    /// One number of the database.
    pub async fn count(&self, query: &str) -> i64 {
        self.connect().await.query_one(query, &[]).await.unwrap().get(0)
    }

    /// One text of it.
    pub async fn text(&self, query: &str) -> String {
        self.connect().await.query_one(query, &[]).await.unwrap().get(0)
    }

    pub async fn execute(&self, statements: &str) {
        self.connect().await.batch_execute(statements).await.unwrap();
    }

    /// A truck whose empty weight is registered.
    pub async fn truck(&self, plate: &str) -> Truck {
        self.make(json!({ "plate_number": plate, "tare_weight": 10_000 })).await
    }

    /// A truck that has to be weighed twice.
    pub async fn untared_truck(&self, plate: &str) -> Truck {
        self.make(json!({ "plate_number": plate })).await
    }

    async fn make(&self, vehicle: Value) -> Truck {
        let vehicle = self.post("/vehicles", vehicle).await.done()["id"].as_i64().unwrap();
        let number = self.drivers.fetch_add(1, Ordering::Relaxed);
        let driver = json!({
            "name": format!("기사{number}"), "phone": format!("010-1234-{:04}", 1000 + number), "vehicle_ids": [vehicle],
        });
        let driver = self.post("/drivers", driver).await.done()["id"].as_i64().unwrap();
        Truck { vehicle, driver }
    }

    pub async fn check_in(&self, truck: Truck) -> Reply {
        let body = json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle });
        self.post("/queue", body).await
    }

    pub async fn call_next(&self, station: i64) -> Reply {
        self.post("/queue/call-next", json!({ "station_id": station })).await
    }

    /// Posts what an indicator shows of a truck that drives on and stands; answers the capture.
    pub async fn weigh(&self, station: i64, kg: i32, clock: &mut Clock) -> i64 {
        let mut capture = None;
        for weight in [0, kg, kg, kg, kg] {
            let taken = self.post_reading(station, weight, clock).await.done();
            capture = capture.or(taken["capture_id"].as_i64());
        }
        capture.unwrap()
    }

    /// The truck drives off.
    pub async fn leave(&self, station: i64, clock: &mut Clock) {
        self.post_reading(station, 0, clock).await.done();
    }

    /// The next reading of this clock.
    pub async fn post_reading(&self, station: i64, kg: i32, clock: &mut Clock) -> Reply {
        let reading = reading(station, kg, &clock.tick());
        self.post_as_edge("/internal/weigh-data", &self.key, reading).await
    }
}

/// A reading as the requirements have it.
pub fn reading(station: i64, kg: i32, timestamp: &str) -> Value {
    json!({ "station_id": station, "weight": kg, "unit": "KG", "stable": true, "timestamp": timestamp })
}

impl Clock {
    pub fn now() -> Self {
        Self(Utc::now().fixed_offset())
    }

    pub fn at(moment: &str) -> Self {
        Self(moment.parse().unwrap())
    }

    pub fn long_ago() -> Self {
        Self(Utc::now().fixed_offset() - Duration::hours(2))
    }

    /// At least the time that it is: what comes next comes after what was asked of the server by now.
    pub fn catch_up(&mut self) {
        self.0 = self.0.max(Utc::now().fixed_offset());
    }

    /// Waits until it is as late as this clock says: what another one says then is later.
    pub async fn has_come(&self) {
        let ahead = self.0.signed_duration_since(Utc::now()).to_std().unwrap_or_default();
        tokio::time::sleep(ahead).await;
    }

    /// Fifty milliseconds later.
    pub fn tick(&mut self) -> String {
        self.0 += Duration::milliseconds(50);
        self.0.to_rfc3339()
    }
}
