//! How the edge is, for whoever asks by the socket in its data directory; works with the server away.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use serde::Serialize;
use tokio::{
    io::AsyncWriteExt,
    net::UnixListener,
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{error, warn};
use weighbridge_protocol::{
    Epoch, Kilograms,
    link::messages::{DeckState, EdgeName},
};
use weighbridge_supervision::{Handle, Tree};

use crate::{
    board::BoardState,
    buffer::{Buffer, Salvaged, keeper::AskStatus},
    indicator::Hearing,
    lamp::LampState,
    link::{LinkState, LinkStatus},
    scale::Deck,
};

/// The socket's name in the data directory.
const SOCKET: &str = "status.sock";
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Answers every connection with the status as one JSON object, and closes it.
#[derive(Debug)]
pub struct StatusPage {
    sources: Arc<Sources>,
}

/// Where the status comes from.
#[derive(Debug)]
pub struct Sources {
    pub directory: std::path::PathBuf,
    pub buffer: Handle<Buffer>,
    pub link: watch::Receiver<LinkStatus>,
    pub stations: Vec<StationSource>,
    /// By the board's id, how it is.
    pub boards: BTreeMap<String, watch::Receiver<BoardState>>,
    pub lamps: Vec<LampSource>,
    pub tree: Tree,
}

#[derive(Debug)]
pub struct StationSource {
    pub station_id: i64,
    pub port: String,
    pub protocol: String,
    pub deck: watch::Receiver<Option<Deck>>,
    pub hearing: watch::Receiver<Hearing>,
}

#[derive(Debug)]
pub struct LampSource {
    pub id: String,
    pub station_id: i64,
    pub state: watch::Receiver<LampState>,
}

/// The answer, as `weighbridge-edge status --json` prints it.
#[derive(Debug, Serialize)]
struct Status {
    edge: Option<EdgeName>,
    epoch: Epoch,
    next_seq: i64,
    acked: i64,
    unsent: i64,
    /// Bytes.
    disk_free: u64,
    /// New weighings are refused for want of space.
    refusing: bool,
    salvaged: Option<Salvaged>,
    clock_offset_ms: Option<i64>,
    link: LinkState,
    link_trouble: Option<String>,
    unknown_stations: Vec<i64>,
    stations: Vec<StationStatus>,
    boards: Vec<BoardStatus>,
    lamps: Vec<LampStatus>,
    /// Actors that start anew again and again.
    failed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct StationStatus {
    station_id: i64,
    port: String,
    protocol: String,
    state: DeckState,
    weight: Option<Kilograms>,
    stable: Option<bool>,
    #[serde(flatten)]
    hearing: Hearing,
}

#[derive(Debug, Serialize)]
struct BoardStatus {
    id: String,
    #[serde(flatten)]
    state: BoardState,
}

#[derive(Debug, Serialize)]
struct LampStatus {
    id: String,
    station_id: i64,
    #[serde(flatten)]
    state: LampState,
}

impl StatusPage {
    pub const fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

impl Actor for StatusPage {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(answer_all(Arc::clone(&self.sources)).into_actor(self));
    }
}

async fn answer_all(sources: Arc<Sources>) {
    let listener = match listen(&sources.directory) {
        Ok(listener) => listener,
        Err(error) => {
            error!(%error, "nobody can ask for the status: {} cannot be made", sources.directory.join(SOCKET).display());
            return;
        }
    };
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Too many open files, most likely: others need them more.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let text = match status(&sources).await {
            Ok(text) => text,
            Err(reason) => serde_json::json!({ "error": reason }).to_string(),
        };
        if let Ok(Err(error)) = timeout(ANSWER_WITHIN, stream.write_all(text.as_bytes())).await {
            warn!(%error, "the status was not read");
        }
    }
}

async fn status(sources: &Sources) -> Result<String, String> {
    let buffer = sources.buffer.ask(AskStatus, ANSWER_WITHIN).await;
    let buffer = buffer
        .map_err(|error| format!("the buffer does not answer: {error}"))?
        .map_err(|full| full.to_string())?;
    let link = sources.link.borrow().clone();
    let status = Status {
        edge: buffer.edge,
        epoch: buffer.epoch,
        next_seq: buffer.next_seq,
        acked: buffer.acked,
        unsent: buffer.unsent,
        disk_free: buffer.disk_free,
        refusing: buffer.refusing,
        salvaged: buffer.salvaged,
        clock_offset_ms: link.clock_offset_ms,
        link: link.state,
        link_trouble: link.trouble,
        unknown_stations: link.unknown_stations,
        stations: sources.stations.iter().map(station).collect(),
        boards: sources
            .boards
            .iter()
            .map(|(id, state)| BoardStatus {
                id: id.clone(),
                state: state.borrow().clone(),
            })
            .collect(),
        lamps: sources.lamps.iter().map(lamp).collect(),
        failed: sources.tree.failed(),
    };
    serde_json::to_string(&status).map_err(|error| error.to_string())
}

fn lamp(source: &LampSource) -> LampStatus {
    LampStatus {
        id: source.id.clone(),
        station_id: source.station_id,
        state: source.state.borrow().clone(),
    }
}

fn station(source: &StationSource) -> StationStatus {
    let deck = source.deck.borrow().clone();
    let live = deck.map(|deck| deck.live);
    StationStatus {
        station_id: source.station_id,
        port: source.port.clone(),
        protocol: source.protocol.clone(),
        state: live.as_ref().map_or(DeckState::Error, |live| live.state),
        weight: live.as_ref().and_then(|live| live.weight),
        stable: live.as_ref().and_then(|live| live.stable),
        hearing: source.hearing.borrow().clone(),
    }
}

/// A socket's path may have 107 bytes, and a data directory's may have more: it is reached by its descriptor.
fn short_path(directory: &File) -> String {
    format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd())
}

fn listen(directory: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(directory.join(SOCKET)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let directory = File::open(directory)?;
    UnixListener::bind(short_path(&directory))
}

/// The status of the edge that runs with this data directory, as JSON.
///
/// # Errors
/// Why there is none, and what to do.
pub fn ask(directory: &Path) -> Result<String, String> {
    let none = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!(
                "no weighbridge-edge runs with data_dir {}; start it with weighbridge-edge run",
                directory.display()
            )
        }
        _ => format!("{} cannot be asked: {error}", directory.join(SOCKET).display()),
    };
    let folder = File::open(directory).map_err(none)?;
    let mut stream = UnixStream::connect(short_path(&folder)).map_err(none)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN * 2)).map_err(none)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(none)?;
    Ok(text)
}
