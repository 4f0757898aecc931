//! An edge as the server sees one: it keeps its events, sends them in order, and comes again when it is cut off.

use std::{convert::Infallible, sync::Arc, time::Duration};

use chrono::Utc;
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
    time::{interval, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        Event, EventBody, EventKind, FromEdge, FromServer,
        event::{Capture, sha256_hex},
        limits::{PROTOCOL, WINDOW_EVENTS},
        messages::{DeckState, EdgeClock, EpochState, Hello, LiveReading, NackCode, StationState},
    },
};

use super::process::eventually;
use crate::support::link::clock;

const COMES_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// An edge that is linked, or is about to be again, until this is dropped.
pub struct Edge {
    file: Arc<File>,
    task: JoinHandle<()>,
}

struct File {
    key: String,
    epoch: Epoch,
    stations: Vec<i64>,
    kept: Mutex<Kept>,
    more: Notify,
}

#[derive(Default)]
struct Kept {
    address: String,
    events: Vec<Event>,
    acknowledged: usize,
    /// With what codes its sockets closed; 0 for one that was cut off.
    closed: Vec<u16>,
    linked: usize,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Edge {
    pub fn link(address: &str, key: &str, stations: Vec<i64>) -> Self {
        let file = Arc::new(File {
            key: key.to_owned(),
            epoch: Epoch::from_bits(rand::random()),
            stations,
            kept: Mutex::default(),
            more: Notify::new(),
        });
        address.clone_into(&mut file.kept.lock().address);
        let task = tokio::spawn(stay_linked(Arc::clone(&file)));
        Self { file, task }
    }

    /// From its next connection on it calls this address.
    pub fn call(&self, address: &str) {
        address.clone_into(&mut self.file.kept.lock().address);
    }

    /// A truck drives on, is captured, and drives off.
    pub fn stay(&self, station_id: i64, kg: i32) {
        let cycle = Some(CycleId::from_bits(rand::random()));
        let capture = Capture {
            weight: Kilograms::from_whole(kg),
            gap: false,
            on_mono_ms: clock().mono_ms,
            raw: "0d0a".into(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        };
        let left = EventKind::VehicleOff {
            captured: true,
            inferred: false,
        };
        for kind in [EventKind::VehicleOn {}, EventKind::Capture(capture), left] {
            self.file.keep(station_id, cycle, kind);
        }
        self.file.more.notify_one();
    }

    pub fn events(&self) -> Vec<Event> {
        self.file.kept.lock().events.clone()
    }

    pub fn closed(&self) -> Vec<u16> {
        self.file.kept.lock().closed.clone()
    }

    /// How often it was welcomed.
    pub fn linked(&self) -> usize {
        self.file.kept.lock().linked
    }

    pub async fn is_linked(&self, times: usize) {
        eventually("the edge is linked", async || (self.linked() >= times).then_some(())).await;
    }

    /// Waits until the server has acknowledged all that was kept.
    pub async fn all_acknowledged(&self) {
        let look = async || {
            let kept = self.file.kept.lock();
            (kept.acknowledged == kept.events.len()).then_some(())
        };
        eventually("all events are acknowledged", look).await;
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl File {
    fn keep(&self, station_id: i64, cycle: Option<CycleId>, kind: EventKind) {
        let mut kept = self.kept.lock();
        let (epoch, seq) = (self.epoch, i64::try_from(kept.events.len()).unwrap() + 1);
        let EdgeClock {
            wall: at,
            mono_ms,
            boot,
        } = clock();
        let body = EventBody {
            epoch,
            seq,
            station_id,
            cycle,
            at,
            mono_ms,
            boot,
            kind,
        };
        let body = serde_json::to_string(&body).unwrap();
        let sha256 = sha256_hex(&body);
        kept.events.push(Event {
            epoch,
            seq,
            sha256,
            body,
            receipt: None,
        });
    }

    fn hello(&self) -> FromEdge {
        let kept = self.kept.lock();
        let state = EpochState {
            epoch: self.epoch,
            first_kept: 1,
            next_seq: i64::try_from(kept.events.len()).unwrap() + 1,
            acked: i64::try_from(kept.acknowledged).unwrap(),
            missing: Vec::new(),
        };
        let station = |&station_id| StationState {
            station_id,
            protocol: "cas22".into(),
        };
        FromEdge::Hello(Hello {
            protocol: PROTOCOL,
            version: "test".into(),
            epochs: vec![state],
            stations: self.stations.iter().map(station).collect(),
            clock: clock(),
        })
    }

    fn acknowledged(&self, through: usize) {
        let mut kept = self.kept.lock();
        assert!(
            through >= kept.acknowledged,
            "the server forgot what it had acknowledged"
        );
        kept.acknowledged = through;
    }

    /// What may be sent after the first `sent`.
    fn after(&self, sent: usize) -> Vec<Event> {
        let kept = self.kept.lock();
        let until = kept.events.len().min(kept.acknowledged + WINDOW_EVENTS);
        kept.events.get(sent..until).unwrap_or_default().to_vec()
    }
}

async fn stay_linked(file: Arc<File>) {
    loop {
        if let Err(code) = converse(&file).await {
            file.kept.lock().closed.push(code);
        }
        sleep(COMES_AGAIN_AFTER).await;
    }
}

/// One connection, until it ends; the error is the code that it was closed with.
async fn converse(file: &File) -> Result<(), u16> {
    let address = file.kept.lock().address.clone();
    let mut request = format!("ws://{address}/api/v1/edge/link")
        .into_client_request()
        .unwrap();
    request.headers_mut().insert("x-api-key", file.key.parse().unwrap());
    // A server that does not answer yet is called again.
    let Ok((mut socket, _)) = connect_async(request).await else {
        return Ok(());
    };
    let Err(code) = talk(&mut socket, file).await;
    farewell(&mut socket).await;
    Err(code)
}

/// Never ends but with the code that the connection was closed with.
async fn talk(socket: &mut Socket, file: &File) -> Result<Infallible, u16> {
    say(socket, &file.hello()).await?;
    let mut sent = loop {
        if let FromServer::Welcome(welcome) = hear(socket).await? {
            break usize::try_from(welcome.have.get(&file.epoch).copied().unwrap_or(0)).unwrap();
        }
    };
    file.acknowledged(sent);
    file.kept.lock().linked += 1;
    let mut readings = interval(Duration::from_millis(50));
    loop {
        for event in file.after(sent) {
            say(socket, &FromEdge::Event(event)).await?;
            sent += 1;
        }
        tokio::select! {
            heard = hear(socket) => match heard? {
                FromServer::Ack(ack) => file.acknowledged(usize::try_from(ack.through).unwrap()),
                FromServer::Nack(nack) => {
                    assert_eq!(nack.code, NackCode::Gap, "{nack:?}");
                    sent = usize::try_from(nack.have).unwrap();
                }
                FromServer::Ping { t } => say(socket, &FromEdge::Pong { t, clock: clock(), unfit: Vec::new() }).await?,
                _ => {}
            },
            () = file.more.notified() => {}
            _ = readings.tick() => {
                for &station in &file.stations {
                    say(socket, &reading(station)).await?;
                }
            }
        }
    }
}

async fn say(socket: &mut Socket, message: &FromEdge) -> Result<(), u16> {
    let text = serde_json::to_string(message).unwrap();
    match socket.send(Message::text(text)).await {
        Ok(()) => Ok(()),
        // Why it closed may still be heard.
        Err(_) => loop {
            hear(socket).await?;
        },
    }
}

async fn hear(socket: &mut Socket) -> Result<FromServer, u16> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => {
                return Err(frame.map_or(0, |frame| frame.code.into()));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(0),
        }
    }
}

/// Lets the answer to a close go out.
pub async fn farewell(socket: &mut Socket) {
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    // A server that does not hang up is left.
    timeout(Duration::from_secs(1), end).await.unwrap_or_default();
}

fn reading(station_id: i64) -> FromEdge {
    FromEdge::Reading(LiveReading {
        station_id,
        weight: Some(Kilograms::from_whole(rand::random_range(0..100))),
        unit: "kg".into(),
        stable: Some(true),
        state: DeckState::Empty,
        at: Utc::now().fixed_offset(),
    })
}
