//! The link's messages: JSON text, tagged by `type`. Both sides ignore fields that they do not know, so that versions
//! one apart understand each other.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{curve::CurveForm, event::Event, receipt::Receipt};
use crate::{
    Epoch, Kilograms, LinkSession,
    scale::{CaptureOverrides, Unfit},
};

/// What an edge says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromEdge {
    /// First, once.
    Hello(Hello),
    /// A station's newest weight; may be dropped, and is never queued behind events.
    Reading(LiveReading),
    /// Durable; in order of epoch and seq, at most the window unacknowledged.
    Event(Event),
    Pong {
        t: i64,
        clock: EdgeClock,
        /// What of the server's settings is not followed. A station that follows all is not named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unfit: Vec<StationUnfit>,
    },
    /// A command was carried out, or could not be. Each id is done once.
    Done {
        id: i64,
        ok: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromServer {
    /// The answer to `hello`.
    Welcome(Welcome),
    /// Committed.
    Ack(Ack),
    Nack(Nack),
    /// `t` comes back in the pong: the server's milliseconds, of its own choosing.
    Ping {
        t: i64,
    },
    /// The server's text for a station's line of its board.
    Board {
        station_id: i64,
        /// In Korean.
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text_en: Option<String>,
    },
    /// The station's lamp, as far as the server knows.
    Signal {
        station_id: i64,
        lamp: Lamp,
    },
    Command {
        id: i64,
        station_id: i64,
        action: Action,
        reason: String,
    },
}

/// What the server wants of a station's lamp. A word of a newer server counts as not green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lamp {
    /// A truck is called there.
    Green,
    Red,
    #[serde(other)]
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::limits::PROTOCOL`].
    pub protocol: u32,
    /// The edge's software version.
    pub version: String,
    /// Every epoch that the file holds, the open one last.
    pub epochs: Vec<EpochState>,
    pub stations: Vec<StationState>,
    pub clock: EdgeClock,
}

/// What an edge's file holds of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochState {
    pub epoch: Epoch,
    /// The lowest seq that was not dropped by retention.
    pub first_kept: i64,
    pub next_seq: i64,
    /// The highest seq up to which the server has acknowledged all.
    pub acked: i64,
    /// Seqs from `first_kept` on that the file has lost, as inclusive ranges.
    #[serde(default)]
    pub missing: Vec<SeqRange>,
}

/// `[first, last]`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqRange(pub i64, pub i64);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationState {
    pub station_id: i64,
    /// The id of its indicator's protocol.
    pub protocol: String,
}

/// An edge's two clocks at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeClock {
    pub wall: DateTime<FixedOffset>,
    /// Milliseconds of `boot`.
    pub mono_ms: i64,
    pub boot: Uuid,
}

/// A live weight. `weight` is null where the indicator gives none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveReading {
    pub station_id: i64,
    pub weight: Option<Kilograms>,
    /// `kg`: the decoder has converted.
    pub unit: String,
    pub stable: Option<bool>,
    pub state: DeckState,
    pub at: DateTime<FixedOffset>,
}

/// What stands on a deck, as the capture logic sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeckState {
    Empty,
    Loaded,
    Settling,
    Captured,
    Overload,
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    pub edge: EdgeName,
    pub session: LinkSession,
    /// The highest contiguous seq stored, of each epoch that `hello` named.
    pub have: BTreeMap<Epoch, i64>,
    /// What was stored as LOST; an edge that holds one of these sends again from it.
    #[serde(default)]
    pub lost: BTreeMap<Epoch, Vec<SeqRange>>,
    pub stations: Vec<StationSettings>,
    /// Stations that the edge named and the server does not know as this edge's.
    #[serde(default)]
    pub unknown: Vec<i64>,
    pub server_time: DateTime<FixedOffset>,
    pub window: Window,
    /// Whether this server reads a curve by differences. An older one does not say, and gets it in full.
    #[serde(default)]
    pub curve_steps: bool,
    /// Which database the server has, by the name that it was born with. An older server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Uuid>,
}

impl Welcome {
    /// How curves are to be written from now on.
    pub const fn curve_form(&self) -> CurveForm {
        if self.curve_steps {
            CurveForm::Steps
        } else {
            CurveForm::Points
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeName {
    pub id: i64,
    pub name: String,
}

/// The server's settings for a station; they override the edge's own, key by key, from the next zero on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StationSettings {
    pub station_id: i64,
    pub capture: CaptureOverrides,
    /// The text for the station's line, in Korean; null leaves it to the edge.
    pub board: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_en: Option<String>,
    /// None from a server that knows no lamps: the edge then decides as if the server were away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lamp: Option<Lamp>,
}

/// What of the server's settings for a station does not fit the edge's own, and is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationUnfit {
    pub station_id: i64,
    pub wishes: Vec<Unfit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub events: usize,
    pub bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub epoch: Epoch,
    /// The last seq that this connection sent and the server compared.
    pub through: i64,
    #[serde(default)]
    pub receipts: Vec<NumberedReceipt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedReceipt {
    pub seq: i64,
    #[serde(flatten)]
    pub receipt: Receipt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nack {
    pub epoch: Epoch,
    pub seq: i64,
    pub code: NackCode,
    /// The stored watermark of the epoch.
    pub have: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NackCode {
    /// Send on from `have` + 1; until then the server ignores every event of this connection.
    Gap,
    /// The text is not the hash's: send that seq again; until then the server ignores the rest.
    BadHash,
    /// The same identity stands at the server with another hash: that row alone is reborn.
    EpochConflict,
    /// A seq below 1 or beyond what a seq may be; the second one closes with 4400.
    BadSeq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Ends the cycle although something still lies on the deck, so that the next truck can be captured.
    Rearm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: serde::de::DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) {
        let read: T = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    #[test]
    fn messages_are_written_as_the_link_promises() {
        check::<FromServer>(
            r#"{"type":"ack","epoch":"000000000000000000000000000000ab","through":3,"receipts":[{"seq":2,"slip_number":"WR20260125001","record_id":9}]}"#,
        );
        check::<FromServer>(
            r#"{"type":"ack","epoch":"000000000000000000000000000000ab","through":3,"receipts":[{"seq":2,"slip_number":"WR20260125001","record_id":9,"pass":"only","gross":"25000.00","tare":"10000.00","net":"15000.00"}]}"#,
        );
        check::<FromServer>(
            r#"{"type":"nack","epoch":"000000000000000000000000000000ab","seq":5,"code":"EPOCH_CONFLICT","have":3}"#,
        );
        check::<FromServer>(r#"{"type":"command","id":1,"station_id":2,"action":"rearm","reason":"진흙"}"#);
        check::<FromEdge>(
            r#"{"type":"reading","station_id":1,"weight":"18340.00","unit":"kg","stable":null,"state":"settling","at":"2026-01-25T14:30:00+09:00"}"#,
        );
        check::<FromEdge>(
            r#"{"type":"pong","t":1,"clock":{"wall":"2026-01-25T14:30:00+09:00","mono_ms":5,"boot":"00000000-0000-0000-0000-000000000000"}}"#,
        );
        check::<FromEdge>(
            r#"{"type":"hello","protocol":1,"version":"0.1.0","epochs":[{"epoch":"000000000000000000000000000000ab","first_kept":1,"next_seq":4,"acked":0,"missing":[[2,3]]}],"stations":[{"station_id":1,"protocol":"cas22"}],"clock":{"wall":"2026-01-25T14:30:00+09:00","mono_ms":5,"boot":"00000000-0000-0000-0000-000000000000"}}"#,
        );
    }

    #[test]
    fn a_field_from_a_newer_version_is_ignored() {
        let message = r#"{"type":"ping","t":1,"colour":"green"}"#;
        assert_eq!(
            serde_json::from_str::<FromServer>(message).unwrap(),
            FromServer::Ping { t: 1 }
        );
    }
}
