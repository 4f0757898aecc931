//! Trucks that check in, obey their calls and are weighed, again and again; and dashboards that watch them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    task::{JoinHandle, spawn_local},
    time::sleep,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{
    edge::{Edge, farewell},
    process::eventually,
};
use crate::support::server::{Client, Reply};

const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// A truck and who drives it.
#[derive(Clone, Debug)]
pub struct Truck {
    pub plate: String,
    pub vehicle: i64,
    pub driver: i64,
}

/// A truck on its rounds, and what it met with.
pub struct Rounds {
    over: Arc<AtomicBool>,
    task: JoinHandle<Met>,
}

#[derive(Debug, Default)]
pub struct Met {
    pub weighed: usize,
    /// Answers of 500 and above.
    pub failures: Vec<String>,
}

/// A dashboard that watches everything, and comes again when its socket closes.
pub struct Watcher {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    messages: AtomicUsize,
    snapshots: AtomicUsize,
    /// What it was told of stations, the newest last.
    stations: Mutex<Vec<String>>,
    closed: Mutex<Vec<u16>>,
}

impl Truck {
    /// Makes the rounds until it is told that they are over, and then finishes the one it is on.
    pub fn make_rounds(self, api: Client, edge: Arc<Edge>) -> Rounds {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let task = spawn_local(async move {
            let mut met = Met::default();
            while !told.load(Ordering::SeqCst) {
                self.be_weighed(&api, &edge, &mut met).await;
            }
            met
        });
        Rounds { over, task }
    }

    async fn be_weighed(&self, api: &Client, edge: &Edge, met: &mut Met) {
        self.check_in(api, met).await;
        let station = self.is_called(api, met).await;
        edge.stay(station, 25_000);
        self.is_gone(api, met).await;
        met.weighed += 1;
    }

    /// Joins the line; one that is told to try again may stand in it already.
    pub async fn check_in(&self, api: &Client, met: &mut Met) {
        let form = json!({ "driver_id": self.driver, "vehicle_id": self.vehicle });
        eventually("the truck is in line", async || {
            let reply = api.post("/api/v1/queue", form.clone()).await;
            let outcome = met.note(&reply)?;
            assert!(outcome == "201" || outcome == "409 ALREADY_QUEUED", "{}", reply.text);
            Some(())
        })
        .await;
    }

    /// Waits for its call; answers where to.
    pub async fn is_called(&self, api: &Client, met: &mut Met) -> i64 {
        eventually("the truck is called", async || {
            sleep(LOOKS_EVERY).await;
            let line = met.line(api).await?;
            let entry = line.iter().find(|entry| entry["vehicle_id"] == self.vehicle)?;
            entry["station_id"].as_i64()
        })
        .await
    }

    async fn is_gone(&self, api: &Client, met: &mut Met) {
        eventually("the truck is weighed", async || {
            sleep(LOOKS_EVERY).await;
            let line = met.line(api).await?;
            line.iter()
                .all(|entry| entry["vehicle_id"] != self.vehicle)
                .then_some(())
        })
        .await;
    }
}

impl Rounds {
    pub async fn finish(self) -> Met {
        self.over.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

impl Met {
    /// Status and code; none, and a failure, where the server could not answer.
    fn note(&mut self, reply: &Reply) -> Option<String> {
        if reply.status.is_server_error() {
            self.failures.push(reply.text.clone());
            return None;
        }
        Some(reply.outcome())
    }

    async fn line(&mut self, api: &Client) -> Option<Vec<Value>> {
        let reply = api.get("/api/v1/queue?limit=100").await;
        self.note(&reply)?;
        Some(
            reply.data()["items"]
                .as_array()
                .unwrap_or_else(|| panic!("{}", reply.text))
                .clone(),
        )
    }
}

impl Watcher {
    pub fn open(address: &str, token: &str) -> Self {
        let seen = Arc::<Seen>::default();
        let (address, token, noted) = (address.to_owned(), token.to_owned(), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Some(code) = watch(&address, &token, &noted).await {
                noted.closed.lock().push(code);
            }
        });
        Self { seen, task }
    }

    /// With what codes its sockets were closed; 0 for one that was cut off.
    pub fn closed(&self) -> Vec<u16> {
        self.seen.closed.lock().clone()
    }

    /// Waits until it has been shown everything anew.
    pub async fn is_shown(&self, snapshots: usize) {
        let shown = async || (self.snapshots() >= snapshots).then_some(());
        eventually("the dashboard is shown everything", shown).await;
    }

    pub fn snapshots(&self) -> usize {
        self.seen.snapshots.load(Ordering::SeqCst)
    }

    /// Waits until a station shows this truck.
    pub async fn sees_at_a_station(&self, plate: &str) {
        let shown = async || {
            self.seen
                .stations
                .lock()
                .iter()
                .any(|text| text.contains(plate))
                .then_some(())
        };
        eventually("the truck is shown at a station", shown).await;
    }

    /// Waits for some message more than there were.
    pub async fn hears_more(&self) {
        let before = self.seen.messages.load(Ordering::SeqCst);
        let more = async || (self.seen.messages.load(Ordering::SeqCst) > before).then_some(());
        eventually("the dashboard hears more", more).await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One socket, until it closes; none where the server is not there any more.
async fn watch(address: &str, token: &str, seen: &Seen) -> Option<u16> {
    let mut request = format!("ws://{address}/api/v1/ws").into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = connect_async(request).await.ok()?;
    let subscribe = r#"{"type":"subscribe","topics":["stations","queue","weighings"]}"#;
    if socket.send(Message::text(subscribe)).await.is_err() {
        return Some(0);
    }
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                seen.messages.fetch_add(1, Ordering::SeqCst);
                if text.contains(r#""type":"station""#) {
                    seen.stations.lock().push(text.to_string());
                }
                if text.contains(r#""type":"snapshot""#) {
                    seen.snapshots.fetch_add(1, Ordering::SeqCst);
                }
            }
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map_or(0, |frame| frame.code.into());
                farewell(&mut socket).await;
                return Some(code);
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Some(0),
        }
    }
}
