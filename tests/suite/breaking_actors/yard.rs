//! A yard at work on a server that is being broken, and the reckoning at the end.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    edge::Edge,
    process::Process,
    traffic::{Met, Rounds, Truck, Watcher},
};
use crate::support::server::{ADMIN, PASSWORD};

/// As many snapshots as a dashboard is shown first.
pub const TOPICS: usize = 3;

/// A server with stations, their edge, trucks, and dashboards.
pub struct Yard {
    pub server: Process,
    pub edge: Arc<Edge>,
    pub watchers: Vec<Watcher>,
    trucks: Vec<Truck>,
    rounds: Vec<Rounds>,
}

impl Yard {
    /// Nobody drives or watches yet.
    pub async fn open(stations: i64) -> Self {
        let server = Process::start().await;
        let mut ids = Vec::new();
        for number in 1..=stations {
            let station = json!({ "name": format!("{number}번 계량대"), "indicator_type": "CAS", "calling": "AUTO" });
            ids.push(add(&server, "stations", station).await["id"].as_i64().unwrap());
        }
        let gate = json!({ "name": "gate", "station_ids": ids });
        let key = add(&server, "edges", gate).await["api_key"]
            .as_str()
            .unwrap()
            .to_owned();
        let edge = Arc::new(Edge::link(&server.address, &key, ids));
        edge.is_linked(1).await;
        Self {
            server,
            edge,
            watchers: Vec::new(),
            trucks: Vec::new(),
            rounds: Vec::new(),
        }
    }

    /// With three stations, five trucks on their rounds, and dashboards.
    pub async fn at_work(dashboards: usize) -> Self {
        let mut yard = Self::open(3).await;
        yard.watch(dashboards).await;
        yard.drive(5).await;
        yard
    }

    /// Opens dashboards, and waits until they are shown everything.
    pub async fn watch(&mut self, dashboards: usize) {
        let reply = self.server.admin.try_sign_in(ADMIN, PASSWORD).await;
        let token = reply.data()["access_token"].as_str().unwrap().to_owned();
        self.watchers = (0..dashboards)
            .map(|_| Watcher::open(&self.server.address, &token))
            .collect();
        for watcher in &self.watchers {
            watcher.is_shown(TOPICS).await;
        }
    }

    pub async fn truck(&mut self) -> Truck {
        let number = self.trucks.len() + 1;
        let plate = format!("12가{:04}", 1000 + number);
        let vehicle = json!({ "plate_number": plate, "tare_weight": 10_000 });
        let vehicle = add(&self.server, "vehicles", vehicle).await["id"].as_i64().unwrap();
        let phone = format!("010-1234-{:04}", 1000 + number);
        let driver = json!({ "name": format!("기사{number}"), "phone": phone, "vehicle_ids": [vehicle] });
        let driver = add(&self.server, "drivers", driver).await["id"].as_i64().unwrap();
        let truck = Truck { plate, vehicle, driver };
        self.trucks.push(truck.clone());
        truck
    }

    /// Sends new trucks on their rounds.
    pub async fn drive(&mut self, trucks: usize) {
        for _ in 0..trucks {
            let truck = self.truck().await;
            let rounds = truck.make_rounds(self.server.admin.clone(), Arc::clone(&self.edge));
            self.rounds.push(rounds);
        }
    }

    /// Lets the trucks finish; then everything that was told must be there, once, and every promise about the data kept.
    pub async fn reckon(&mut self) -> Met {
        let mut all = Met::default();
        for rounds in self.rounds.drain(..) {
            let met = rounds.finish().await;
            all.weighed += met.weighed;
            all.failures.extend(met.failures);
        }
        self.edge.all_acknowledged().await;
        self.everything_is_stored_once().await;
        let completed = "SELECT count(*) FROM weigh_record WHERE status = 'COMPLETED'";
        let weighed = i64::try_from(all.weighed).unwrap();
        assert_eq!(
            self.server.count(completed).await,
            weighed,
            "a record for each truck that was weighed"
        );
        let (code, findings) = self.server.command(&["verify"], "");
        assert_eq!(code, Some(0), "{findings}");
        all
    }

    pub async fn everything_is_stored_once(&self) {
        let query = "SELECT seq, sha256 FROM v_edge_events ORDER BY seq";
        let rows = self.server.database.connect().await.query(query, &[]).await.unwrap();
        let stored: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let events = self.edge.events();
        let told: Vec<_> = events.into_iter().map(|event| (event.seq, event.sha256)).collect();
        assert_eq!(stored, told);
    }

    /// How often each actor was made, by name.
    pub async fn generations(&self) -> BTreeMap<String, u64> {
        let actors = self.server.actors().await.into_iter();
        actors.map(|(name, row)| (name, row.generation)).collect()
    }
}

async fn add(server: &Process, what: &str, form: Value) -> Value {
    let reply = server.admin.post(&format!("/api/v1/{what}"), form).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.data().clone()
}
