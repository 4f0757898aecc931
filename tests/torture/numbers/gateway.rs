//! A gateway of one station that nothing deters: what has no acknowledgement is sent again over a new link.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        Event, EventBody, EventKind, FromEdge, FromServer,
        event::{Capture, sha256_hex},
        limits::PROTOCOL,
        messages::{EdgeClock, EpochState, Hello, StationState},
    },
};

use crate::support::{link::clock, server::Client};

/// The gateway, and what it has that is not acknowledged.
#[derive(Debug)]
pub struct Gateway {
    address: String,
    key: String,
    station: i64,
    epoch: Epoch,
    boot: Uuid,
    next_seq: i64,
    acked: i64,
    link: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

/// How long a stay may take to be stored, kills of the server included.
const PATIENCE: Duration = Duration::from_mins(3);
const SAYS_SOMETHING_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

impl Gateway {
    /// The one with this id and the station of the same, with a new key.
    pub async fn new(admin: &Client, address: &str, id: i64) -> Self {
        let path = format!("/api/v1/edges/{id}/rotate-key");
        let rotated = admin.post(&path, json!({})).await.done();
        Self {
            address: format!("ws://{address}/api/v1/edge/link"),
            key: rotated["api_key"].as_str().unwrap().to_owned(),
            station: id,
            epoch: Epoch::from_bits(rand::random()),
            boot: Uuid::new_v4(),
            next_seq: 1,
            acked: 0,
            link: None,
        }
    }

    /// A truck drives on, is captured and drives off; answers how often that had to be sent again.
    pub async fn weigh(&mut self) -> usize {
        let events = self.stay();
        let began = Instant::now();
        for broken_off in 0.. {
            match self.deliver(&events).await {
                Ok(()) => return broken_off,
                Err(error) => assert!(began.elapsed() < PATIENCE, "station {}: {error:#}", self.station),
            }
            self.link = None;
            sleep(PAUSE).await;
        }
        unreachable!("it goes on until it is stored")
    }

    async fn deliver(&mut self, events: &[Event]) -> anyhow::Result<()> {
        if self.link.is_none() {
            self.open().await?;
        }
        let acked = self.acked;
        for event in events.iter().filter(|event| event.seq > acked) {
            self.say(&FromEdge::Event(event.clone())).await?;
        }
        while self.acked + 1 < self.next_seq {
            match self.hear().await? {
                FromServer::Ack(ack) => self.acked = ack.through,
                FromServer::Nack(nack) => panic!("station {}: {nack:?}", self.station),
                FromServer::Ping { t } => {
                    self.say(&FromEdge::Pong {
                        t,
                        clock: self.now(),
                        unfit: Vec::new(),
                    })
                    .await?;
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Connects and says hello; what the server has counts as acknowledged.
    async fn open(&mut self) -> anyhow::Result<()> {
        let mut request = self.address.as_str().into_client_request()?;
        request.headers_mut().insert("x-api-key", self.key.parse()?);
        let (socket, _) = timeout(SAYS_SOMETHING_WITHIN, connect_async(request)).await??;
        self.link = Some(socket);
        let held = EpochState {
            epoch: self.epoch,
            first_kept: 1,
            next_seq: self.next_seq,
            acked: self.acked,
            missing: Vec::new(),
        };
        let station = StationState {
            station_id: self.station,
            protocol: "cas22".to_owned(),
        };
        self.say(&FromEdge::Hello(Hello {
            protocol: PROTOCOL,
            version: "test".to_owned(),
            epochs: vec![held],
            stations: vec![station],
            clock: self.now(),
        }))
        .await?;
        loop {
            if let FromServer::Welcome(welcome) = self.hear().await? {
                self.acked = welcome.have.get(&self.epoch).copied().unwrap_or(0);
                return Ok(());
            }
        }
    }

    fn now(&self) -> EdgeClock {
        EdgeClock {
            boot: self.boot,
            ..clock()
        }
    }

    async fn say(&mut self, message: &FromEdge) -> anyhow::Result<()> {
        let text = serde_json::to_string(message)?;
        let link = self.link.as_mut().context("there is no link")?;
        Ok(link.send(Message::text(text)).await?)
    }

    async fn hear(&mut self) -> anyhow::Result<FromServer> {
        let link = self.link.as_mut().context("there is no link")?;
        loop {
            let said = timeout(SAYS_SOMETHING_WITHIN, link.next()).await;
            match said.context("the server says nothing any more")? {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(Message::Close(why))) => bail!("the server closed the link: {why:?}"),
                Some(Ok(_)) => (),
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the server ended the link"),
            }
        }
    }

    fn stay(&mut self) -> Vec<Event> {
        let (cycle, at) = (CycleId::from_bits(rand::random()), self.now());
        let capture = Capture {
            weight: Kilograms::from_whole(25_000),
            gap: false,
            on_mono_ms: at.mono_ms,
            raw: "0d0a".to_owned(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        };
        let off = EventKind::VehicleOff {
            captured: true,
            inferred: false,
        };
        let kinds = [EventKind::VehicleOn {}, EventKind::Capture(capture), off];
        kinds.into_iter().map(|kind| self.event(cycle, at, kind)).collect()
    }

    fn event(&mut self, cycle: CycleId, at: EdgeClock, kind: EventKind) -> Event {
        let body = EventBody {
            epoch: self.epoch,
            seq: self.next_seq,
            station_id: self.station,
            cycle: Some(cycle),
            at: at.wall,
            mono_ms: at.mono_ms,
            boot: at.boot,
            kind,
        };
        self.next_seq += 1;
        let text = serde_json::to_string(&body).unwrap();
        Event {
            epoch: body.epoch,
            seq: body.seq,
            sha256: sha256_hex(&text),
            body: text,
            receipt: None,
        }
    }
}
