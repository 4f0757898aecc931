//! A server that speaks the link: one edge, events in memory, faults on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::Builder,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{interval, sleep},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use weighbridge_protocol::{
    Epoch, LinkSession,
    link::{
        Event, EventBody, EventId, FromEdge, FromServer, Receipt,
        messages::{
            Ack, EdgeName, Hello, Lamp, LiveReading, Nack, NackCode, NumberedReceipt, SeqRange, StationSettings,
            StationUnfit, Welcome, Window,
        },
    },
    scale::CaptureOverrides,
};

use super::{authority::Authority, eventually};

/// Runs on a thread of its own until it is dropped.
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
}

/// What it knows, and how it is to behave.
#[derive(Default)]
pub struct State {
    pub events: BTreeMap<EventId, Event>,
    pub hellos: Vec<Hello>,
    pub readings: Vec<LiveReading>,
    pub done: Vec<(i64, bool, Option<String>)>,
    /// What the edge said last of settings that it does not follow.
    pub unfit: Vec<StationUnfit>,
    /// How many events came that were there already.
    pub duplicates: usize,
    pub conflicts: usize,
    /// Answers 401 to every key.
    pub refuses: bool,
    /// Closes each connection with this after hello.
    pub closes_with: Option<u16>,
    /// Commits and never says so.
    pub swallows_acks: bool,
    /// Adds this to what `welcome` says of the open epoch.
    pub has_more: i64,
    /// Says in `welcome` that it reads a curve by differences.
    pub reads_steps: bool,
    /// Which database it says that it has.
    pub database: Option<uuid::Uuid>,
    pub capture: CaptureOverrides,
    pub board: Option<String>,
    pub lamp: Option<Lamp>,
    pub socket: Option<UnboundedSender<FromServer>>,
    pub cut: Option<UnboundedSender<()>>,
}

impl Server {
    pub fn new() -> Self {
        Self::with(State::default())
    }

    pub fn with(state: State) -> Self {
        Self::listening(state, None)
    }

    /// One at `wss://localhost` that wants a certificate of the edge.
    pub fn over_tls(authority: &Authority) -> Self {
        Self::listening(State::default(), Some(authority.acceptor()))
    }

    fn listening(state: State, tls: Option<TlsAcceptor>) -> Self {
        let secure = tls.is_some();
        let state = Arc::new(Mutex::new(state));
        let (told, tells) = mpsc::channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, shared).await,
                            // An edge that is not let in has gone.
                            Some(tls) => match tls.accept(stream).await {
                                Ok(stream) => serve(stream, shared).await,
                                Err(error) => eprintln!("not let in: {error}"),
                            },
                        }
                    });
                }
            });
        });
        let port = tells.recv().unwrap().port();
        let origin = if secure {
            format!("wss://localhost:{port}")
        } else {
            format!("ws://127.0.0.1:{port}")
        };
        Self {
            url: format!("{origin}/api/v1/edge/link"),
            state,
        }
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub fn say(&self, message: FromServer) {
        let socket = eventually("a link", || self.change(|state| state.socket.clone()));
        socket.send(message).unwrap();
    }

    /// Cuts the connection that stands.
    pub fn cut(&self) {
        if let Some(cut) = self.change(|state| state.cut.take()) {
            // It may have gone by itself.
            let _ = cut.send(());
        }
    }

    pub fn captures(&self) -> Vec<EventBody> {
        let bodies: Vec<EventBody> = self.change(|state| {
            state
                .events
                .values()
                .map(|event| serde_json::from_str(&event.body).unwrap())
                .collect()
        });
        bodies
            .into_iter()
            .filter(|body: &EventBody| body.kind.name() == "capture")
            .collect()
    }

    #[track_caller]
    pub fn until_captures(&self, count: usize) -> Vec<EventBody> {
        eventually("captures at the server", || {
            Some(self.captures()).filter(|captures| captures.len() >= count)
        })
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: Arc<Mutex<State>>) {
    let refuses = state.lock().unwrap().refuses;
    #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    let check = |request: &Request, response: Response| {
        let key = request.headers().get("X-API-Key").and_then(|key| key.to_str().ok());
        if key == Some("the-key") && !refuses {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
        Err(refusal)
    };
    let accepted = accept_hdr_async(stream, check).await;
    let Ok(mut socket) = accepted else { return };
    let (say, said) = unbounded_channel();
    let (cut, is_cut) = unbounded_channel();
    {
        let mut state = state.lock().unwrap();
        (state.socket, state.cut) = (Some(say), Some(cut));
    }
    let code = converse(&mut socket, &state, said, is_cut).await;
    if let Some(code) = code {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "as told".into(),
        };
        // The edge may have gone first.
        let _ = socket.close(Some(frame)).await;
    }
}

/// What the server knows of one connection.
#[derive(Default)]
struct Known {
    have: BTreeMap<Epoch, i64>,
    expects: Option<EventId>,
    /// It thinks for a moment; until it has answered, nothing but hello may come.
    welcome: Option<Welcome>,
    welcomed: bool,
}

/// One connection; answers the code to close it with.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    state: &Mutex<State>,
    mut said: UnboundedReceiver<FromServer>,
    mut is_cut: UnboundedReceiver<()>,
) -> Option<u16> {
    let mut known = Known::default();
    let mut pings = interval(Duration::from_secs(5));
    loop {
        let answers = tokio::select! {
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => match hear(&text, &mut state.lock().unwrap(), &mut known) {
                    Ok(answers) => answers,
                    Err(code) => return Some(code),
                },
                Some(Ok(_)) => Vec::new(),
                _ => return None,
            },
            () = sleep(Duration::from_millis(50)), if known.welcome.is_some() => {
                known.welcomed = true;
                known.welcome.take().map(FromServer::Welcome).into_iter().collect()
            }
            message = said.recv() => message.into_iter().collect(),
            _ = is_cut.recv() => return None,
            _ = pings.tick(), if known.welcomed => vec![FromServer::Ping { t: 1 }],
        };
        for answer in answers {
            if socket
                .send(Message::text(serde_json::to_string(&answer).unwrap()))
                .await
                .is_err()
            {
                return None;
            }
        }
    }
}

fn hear(text: &str, state: &mut State, known: &mut Known) -> Result<Vec<FromServer>, u16> {
    match serde_json::from_str(text).unwrap() {
        FromEdge::Hello(hello) => {
            known.welcome = Some(welcome(&hello, state, &mut known.have));
            state.hellos.push(hello);
            return state.closes_with.map_or(Ok(Vec::new()), Err);
        }
        early if !known.welcomed => panic!("before welcome came {early:?}"),
        FromEdge::Reading(reading) => state.readings.push(reading),
        FromEdge::Event(event) => return Ok(take(event, state, known)),
        FromEdge::Pong { unfit, .. } => state.unfit = unfit,
        FromEdge::Done { id, ok, error } => state.done.push((id, ok, error)),
    }
    Ok(Vec::new())
}

fn welcome(hello: &Hello, state: &State, have: &mut BTreeMap<Epoch, i64>) -> Welcome {
    for named in &hello.epochs {
        let lacking = |seq: i64| {
            seq < named.first_kept
                || named
                    .missing
                    .iter()
                    .any(|&SeqRange(first, last)| (first..=last).contains(&seq))
        };
        let holds = |seq: i64| {
            state.events.contains_key(&EventId {
                epoch: named.epoch,
                seq,
            }) || lacking(seq)
        };
        let contiguous = (1..named.next_seq).take_while(|&seq| holds(seq)).count();
        have.insert(named.epoch, i64::try_from(contiguous).unwrap());
    }
    let mut said = have.clone();
    if let Some(open) = hello.epochs.last() {
        *said.entry(open.epoch).or_default() += state.has_more;
    }
    let settings = |station: &weighbridge_protocol::link::messages::StationState| StationSettings {
        station_id: station.station_id,
        capture: state.capture,
        board: state.board.clone(),
        board_en: None,
        lamp: state.lamp,
    };
    Welcome {
        edge: EdgeName {
            id: 7,
            name: "gate".to_owned(),
        },
        session: LinkSession::from_bits(1),
        have: said,
        lost: BTreeMap::new(),
        stations: hello.stations.iter().map(settings).collect(),
        unknown: Vec::new(),
        server_time: chrono::Local::now().fixed_offset(),
        window: Window {
            events: 64,
            bytes: 262_144,
        },
        curve_steps: state.reads_steps,
        database: state.database,
    }
}

fn take(event: Event, state: &mut State, known: &mut Known) -> Vec<FromServer> {
    let id = EventId {
        epoch: event.epoch,
        seq: event.seq,
    };
    if known.expects.is_some_and(|expected| expected != id) {
        return Vec::new();
    }
    let Known { have, expects, .. } = known;
    *expects = None;
    let known = have.entry(event.epoch).or_default();
    let nack = |code, have| {
        vec![FromServer::Nack(Nack {
            epoch: id.epoch,
            seq: id.seq,
            code,
            have,
        })]
    };
    assert!(event.is_intact());
    match state.events.get(&id) {
        Some(before) if before.sha256 == event.sha256 => state.duplicates += 1,
        Some(_) => {
            state.conflicts += 1;
            return nack(NackCode::EpochConflict, *known);
        }
        None if id.seq <= *known => (),
        None if id.seq > *known + 1 => {
            *expects = Some(EventId {
                epoch: id.epoch,
                seq: *known + 1,
            });
            return nack(NackCode::Gap, *known);
        }
        None => *known = id.seq,
    }
    let receipt = Receipt {
        slip_number: Some(format!("WR{}", id.seq)),
        ..Receipt::default()
    };
    state.events.entry(id).or_insert(event);
    if state.swallows_acks {
        return Vec::new();
    }
    vec![FromServer::Ack(Ack {
        epoch: id.epoch,
        through: id.seq,
        receipts: vec![NumberedReceipt { seq: id.seq, receipt }],
    })]
}
