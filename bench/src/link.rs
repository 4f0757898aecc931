//! An edge's side of the link, spoken by the bench itself: events from memory, within the window that the server allows.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use chrono::Utc;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    time::{Instant as TokioInstant, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;
use weighbridge_protocol::{
    Epoch,
    link::{
        Event, FromEdge, FromServer,
        limits::PROTOCOL,
        messages::{EdgeClock, EpochState, Hello, StationState, Window},
    },
};

/// A connection that was welcomed.
#[derive(Debug)]
pub struct Link {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    window: Window,
    clock: Clock,
}

/// An edge's clocks, on a machine that has run for a while already.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub boot: Uuid,
    started: Instant,
}

/// What an edge holds: one epoch, nothing of it acknowledged, up to `next_seq`.
#[derive(Clone, Copy, Debug)]
pub struct Holds<'a> {
    pub epoch: Epoch,
    pub next_seq: i64,
    pub stations: &'a [i64],
}

/// An event as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Parcel {
    seq: i64,
    body_bytes: usize,
    text: String,
}

/// Milliseconds for which the machine has run when the bench starts.
const UPTIME_MS: i64 = 24 * 3600 * 1000;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl Link {
    /// Connects, says hello, and waits for the welcome.
    pub async fn open(url: &str, api_key: &str, clock: Clock, holds: Holds<'_>) -> anyhow::Result<Self> {
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("x-api-key", api_key.parse()?);
        let (socket, _) = connect_async(request).await.context("cannot open a link")?;
        let window = Window { events: 1, bytes: 0 };
        let mut link = Self { socket, window, clock };
        link.say(&FromEdge::Hello(hello(clock, holds))).await?;
        loop {
            if let FromServer::Welcome(welcome) = link.hear().await? {
                link.window = welcome.window;
                return Ok(link);
            }
        }
    }

    /// Sends the events in order, one every `pace` or as fast as the window allows, and waits until all are
    /// acknowledged. Answers how long each waited for its acknowledgement.
    pub async fn deliver(&mut self, parcels: &[Parcel], pace: Duration) -> anyhow::Result<Vec<Duration>> {
        let mut due = TokioInstant::now();
        let mut unsent = parcels.iter().peekable();
        let mut outstanding: VecDeque<(&Parcel, Instant)> = VecDeque::new();
        let (mut outstanding_bytes, mut waited) = (0, Vec::with_capacity(parcels.len()));
        while waited.len() < parcels.len() {
            while let Some(parcel) = unsent.next_if(|parcel| {
                outstanding.len() < self.window.events
                    && (outstanding.is_empty() || outstanding_bytes + parcel.body_bytes <= self.window.bytes)
                    && due <= TokioInstant::now()
            }) {
                self.socket.feed(Message::text(parcel.text.clone())).await?;
                outstanding.push_back((parcel, Instant::now()));
                outstanding_bytes += parcel.body_bytes;
                due += pace;
            }
            self.socket.flush().await?;
            let is_early = due > TokioInstant::now() && unsent.peek().is_some();
            let heard = tokio::select! {
                heard = self.hear() => heard?,
                () = sleep_until(due), if is_early => continue,
            };
            let Some(through) = self.acknowledged(heard).await? else {
                continue;
            };
            while let Some((parcel, sent_at)) = outstanding.pop_front_if(|(parcel, _)| parcel.seq <= through) {
                outstanding_bytes -= parcel.body_bytes;
                waited.push(sent_at.elapsed());
            }
        }
        Ok(waited)
    }

    /// Up to which seq a message acknowledges; a ping is answered.
    async fn acknowledged(&mut self, heard: FromServer) -> anyhow::Result<Option<i64>> {
        match heard {
            FromServer::Ack(ack) => return Ok(Some(ack.through)),
            FromServer::Nack(nack) => bail!("the server refused event {}: {:?}", nack.seq, nack.code),
            FromServer::Ping { t } => {
                let clock = self.clock.now();
                self.say(&FromEdge::Pong {
                    t,
                    clock,
                    unfit: Vec::new(),
                })
                .await?;
            }
            _ => {}
        }
        Ok(None)
    }

    async fn say(&mut self, message: &FromEdge) -> anyhow::Result<()> {
        let text = serde_json::to_string(message)?;
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// The next message. May be dropped while it waits.
    async fn hear(&mut self) -> anyhow::Result<FromServer> {
        loop {
            let message = timeout(ANSWER_WITHIN, self.socket.next()).await;
            match message.context("the server says nothing any more")? {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(Message::Close(why))) => bail!("the server closed the link: {why:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the server ended the link"),
            }
        }
    }
}

fn hello(clock: Clock, holds: Holds<'_>) -> Hello {
    let station = |station_id: &i64| StationState {
        station_id: *station_id,
        protocol: "cas22".to_owned(),
    };
    Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epochs: vec![EpochState {
            epoch: holds.epoch,
            first_kept: 1,
            next_seq: holds.next_seq,
            acked: 0,
            missing: Vec::new(),
        }],
        stations: holds.stations.iter().map(station).collect(),
        clock: clock.now(),
    }
}

impl Clock {
    pub fn start() -> Self {
        Self {
            boot: Uuid::new_v4(),
            started: Instant::now(),
        }
    }

    pub fn now(self) -> EdgeClock {
        EdgeClock {
            wall: Utc::now().fixed_offset(),
            mono_ms: UPTIME_MS + i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX - UPTIME_MS),
            boot: self.boot,
        }
    }
}

impl Parcel {
    pub fn new(event: Event) -> anyhow::Result<Self> {
        Ok(Self {
            seq: event.seq,
            body_bytes: event.body.len(),
            text: serde_json::to_string(&FromEdge::Event(event))?,
        })
    }
}
