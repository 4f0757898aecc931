//! An edge's end of the link, spoken word by word.

use std::time::Duration;

use chrono::Utc;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::frame::{Frame, coding::OpCode},
    },
};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, link::messages::EdgeClock};

use super::site::Site;

/// Far longer than a close takes: pings alone would keep whoever waits for one waiting for ever.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

/// The path of the link below `/api/v1`.
pub const PATH: &str = "/edge/link";
/// The one epoch of the edge's file.
pub const EPOCH: Epoch = Epoch::from_bits(1);

/// The boot of an edge that never restarts.
pub const BOOT: Uuid = Uuid::from_u128(7);

/// The clock of an edge whose monotonic clock says milliseconds since 1970.
pub fn clock() -> EdgeClock {
    let now = Utc::now();
    EdgeClock {
        wall: now.fixed_offset(),
        mono_ms: now.timestamp_millis(),
        boot: BOOT,
    }
}

/// An open link.
pub struct Link(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Link {
    /// A link that has said hello with an empty file, and what the server said to it; or the status by which the server
    /// refuses it.
    pub async fn open(site: &Site, key: &str) -> Result<(Self, Value), u16> {
        let mut link = Self::connected(site, key).await?;
        link.say(&hello(site, 1, BOOT)).await;
        let welcome = link.hear("welcome").await;
        Ok((link, welcome))
    }

    /// A link that has said nothing yet.
    pub async fn connected(site: &Site, key: &str) -> Result<Self, u16> {
        let address = format!("ws://{}/api/v1{PATH}", site.address());
        let mut request = address.into_client_request().unwrap();
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
        match connect_async(request).await {
            Ok((opened, _)) => Ok(Self(opened)),
            Err(Error::Http(refusal)) => Err(refusal.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Sends a frame as it is, whatever the protocol says to it.
    pub async fn send_frame(&mut self, opcode: OpCode, payload: Vec<u8>) {
        let frame = Frame::message(payload, opcode, true);
        self.0.send(Message::Frame(frame)).await.unwrap();
    }

    /// The next message of this type. Answers pings, for a link that is silent for long counts as dead; what clock it has
    /// it does not say.
    pub async fn hear(&mut self, wanted: &str) -> Value {
        loop {
            let message = self.0.next().await.unwrap().unwrap();
            if message.is_pong() {
                continue;
            }
            let said = read(&message);
            if said["type"] == wanted {
                return said;
            }
            if said["type"] == "ping" {
                self.0.send(Message::Pong("here".into())).await.unwrap();
            }
        }
    }

    /// The edge of the site's first station is at this link: it is told to rearm it, and does.
    pub async fn obeys(&mut self, site: &Site) {
        let (path, reason) = (
            format!("/stations/{}/rearm", site.stations[0]),
            json!({ "reason": "돌이 있음" }),
        );
        let edge = async {
            let command = self.hear("command").await;
            self.say(&json!({ "type": "done", "id": command["id"], "ok": true }))
                .await;
        };
        let (asked, ()) = tokio::join!(site.post(&path, reason), edge);
        assert_eq!(asked.outcome(), "200", "the station's edge is still there");
    }

    /// A live weight.
    pub async fn shows(&mut self, station: i64, kg: i32, state: &str) {
        let reading = json!({
            "type": "reading", "station_id": station, "weight": format!("{kg}.00"), "unit": "kg", "stable": true,
            "state": state, "at": clock().wall,
        });
        self.say(&reading).await;
    }

    /// The code with which the server closes.
    pub async fn closed(&mut self) -> u16 {
        let closed = async {
            loop {
                if let Message::Close(frame) = self.0.next().await.unwrap().unwrap() {
                    return frame.unwrap().code.into();
                }
            }
        };
        timeout(CLOSED_WITHIN, closed).await.expect("the link stays open")
    }

    /// The types of all that the server has said by now: what comes before its answer to a ping of the socket.
    pub async fn said_by_now(&mut self) -> Vec<String> {
        self.0.send(Message::Ping("so far".into())).await.unwrap();
        let mut said = Vec::new();
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Pong(_) => return said,
                message => said.push(read(&message)["type"].as_str().unwrap().to_owned()),
            }
        }
    }
}

/// The hello of an edge with an empty file, on a machine that was switched on as `boot`.
pub fn hello(site: &Site, protocol: u32, boot: Uuid) -> Value {
    json!({
        "type": "hello", "protocol": protocol, "version": "test",
        "epochs": [{ "epoch": EPOCH, "first_kept": 1, "next_seq": 1, "acked": 0 }],
        "stations": [{ "station_id": site.stations[0], "protocol": "cas22" }, { "station_id": 999, "protocol": "cas22" }],
        "clock": { "wall": "2026-01-25T14:30:00+09:00", "mono_ms": 1, "boot": boot },
    })
}

fn read(message: &Message) -> Value {
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}
