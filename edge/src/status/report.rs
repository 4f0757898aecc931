//! What is told of an edge: one JSON object, gathered from all its parts.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use tokio::sync::watch;
use weighbridge_protocol::{
    Epoch, Kilograms,
    link::messages::{DeckState, EdgeName},
    scale::Unfit,
};
use weighbridge_supervision::{Handle, Tree};

use super::alarms::{self, Alarm};
use crate::{
    board::BoardState,
    buffer::{Buffer, Salvaged, keeper::AskStatus},
    clock::Clock,
    indicator::Hearing,
    lamp::LampState,
    link::{LinkState, LinkStatus},
    scale::Deck,
};

pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Where the status comes from.
#[derive(Debug)]
pub struct Sources {
    pub directory: PathBuf,
    pub clock: Clock,
    pub buffer: Handle<Buffer>,
    pub link: watch::Receiver<LinkStatus>,
    pub stations: Vec<StationSource>,
    pub boards: Vec<BoardSource>,
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
pub struct BoardSource {
    pub id: String,
    pub state: watch::Receiver<BoardState>,
}

#[derive(Debug)]
pub struct LampSource {
    pub id: String,
    pub station_id: i64,
    pub state: watch::Receiver<LampState>,
}

/// The answer, as `weighbridge-edge status --json` and `/status.json` give it.
#[derive(Debug, Serialize)]
pub struct Status {
    pub version: &'static str,
    /// The edge's own clock.
    pub at: DateTime<FixedOffset>,
    pub edge: Option<EdgeName>,
    pub epoch: Epoch,
    pub next_seq: i64,
    pub acked: i64,
    pub unsent: i64,
    /// When the oldest of the unsent was committed.
    pub oldest_unsent: Option<DateTime<FixedOffset>>,
    /// Bytes.
    pub disk_free: u64,
    /// New weighings are refused for want of space.
    pub refusing: bool,
    pub salvaged: Option<Salvaged>,
    pub clock_offset_ms: Option<i64>,
    pub link: LinkState,
    pub link_trouble: Option<String>,
    pub unknown_stations: Vec<i64>,
    pub stations: Vec<StationStatus>,
    pub boards: Vec<BoardStatus>,
    pub lamps: Vec<LampStatus>,
    /// Actors that start anew again and again.
    pub failed: Vec<String>,
    /// What a person has to look at.
    pub alarms: Vec<Alarm>,
}

#[derive(Debug, Serialize)]
pub struct StationStatus {
    pub station_id: i64,
    pub port: String,
    pub protocol: String,
    pub state: DeckState,
    pub weight: Option<Kilograms>,
    pub stable: Option<bool>,
    /// Nothing is weighed, for the indicator shows net.
    pub net: bool,
    /// What of the server's capture settings does not fit, and is not followed.
    pub unfit: Vec<Unfit>,
    #[serde(flatten)]
    pub hearing: Hearing,
}

#[derive(Debug, Serialize)]
pub struct BoardStatus {
    pub id: String,
    #[serde(flatten)]
    pub state: BoardState,
}

#[derive(Debug, Serialize)]
pub struct LampStatus {
    pub id: String,
    pub station_id: i64,
    #[serde(flatten)]
    pub state: LampState,
}

/// The status as JSON; why there is none, as JSON too, where the buffer does not answer.
pub async fn report(sources: &Sources) -> String {
    let text = match gather(sources).await {
        Ok(status) => serde_json::to_string(&status).map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    text.unwrap_or_else(|reason| serde_json::json!({ "error": reason }).to_string())
}

async fn gather(sources: &Sources) -> Result<Status, String> {
    let buffer = sources.buffer.ask(AskStatus, ANSWER_WITHIN).await;
    let buffer = buffer
        .map_err(|error| format!("the buffer does not answer: {error}"))?
        .map_err(|full| full.to_string())?;
    let link = sources.link.borrow().clone();
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION"),
        at: sources.clock.wall(),
        edge: buffer.edge,
        epoch: buffer.epoch,
        next_seq: buffer.next_seq,
        acked: buffer.acked,
        unsent: buffer.unsent,
        oldest_unsent: buffer.oldest_unsent,
        disk_free: buffer.disk_free,
        refusing: buffer.refusing,
        salvaged: buffer.salvaged,
        clock_offset_ms: link.clock_offset_ms,
        link: link.state,
        link_trouble: link.trouble,
        unknown_stations: link.unknown_stations,
        stations: sources.stations.iter().map(StationSource::status).collect(),
        boards: sources.boards.iter().map(BoardSource::status).collect(),
        lamps: sources.lamps.iter().map(LampSource::status).collect(),
        failed: sources.tree.failed(),
        alarms: Vec::new(),
    };
    status.alarms = alarms::of(&status);
    Ok(status)
}

impl StationSource {
    fn status(&self) -> StationStatus {
        let deck = self.deck.borrow().clone();
        let net = deck.as_ref().is_some_and(|deck| deck.net);
        let unfit = deck.as_ref().map(|deck| deck.unfit.to_vec()).unwrap_or_default();
        let live = deck.map(|deck| deck.live);
        StationStatus {
            station_id: self.station_id,
            port: self.port.clone(),
            protocol: self.protocol.clone(),
            state: live.as_ref().map_or(DeckState::Error, |live| live.state),
            weight: live.as_ref().and_then(|live| live.weight),
            stable: live.as_ref().and_then(|live| live.stable),
            net,
            unfit,
            hearing: self.hearing.borrow().clone(),
        }
    }
}

impl BoardSource {
    fn status(&self) -> BoardStatus {
        BoardStatus {
            id: self.id.clone(),
            state: self.state.borrow().clone(),
        }
    }
}

impl LampSource {
    fn status(&self) -> LampStatus {
        LampStatus {
            id: self.id.clone(),
            station_id: self.station_id,
            state: self.state.borrow().clone(),
        }
    }
}
