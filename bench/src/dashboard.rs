//! A dashboard without a screen: it notes what the server shows, and when the bytes had arrived.

use std::time::Instant;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::UnboundedSender;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::header::AUTHORIZATION},
};
use weighbridge_protocol::{Kilograms, kilograms::json_number};
use weighbridge_sim::server::{Server, live::Record, queue::Status};

/// One thing that was shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// The newest weights of stations that show another one.
    Weights(Vec<Weight>),
    /// The whole line.
    Line(Vec<Place>),
    /// A record changed its state.
    Weighing(Box<Record>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Weight {
    pub station_id: i64,
    #[serde(with = "json_number::option")]
    pub weight: Option<Kilograms>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Place {
    pub status: Status,
    pub station_id: Option<i64>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

const SUBSCRIBE: &str = r#"{"type":"subscribe","topics":["stations","queue","weighings"]}"#;

/// Connects and subscribes; from then on a task tells what is shown, until the socket or the listener ends.
pub async fn watch<T>(server: &Server, tell: UnboundedSender<T>, told: fn(Instant, Shown) -> T) -> anyhow::Result<()>
where
    T: Send + 'static,
{
    let url = server.url().replacen("http", "ws", 1) + "/api/v1/ws";
    let mut request = url.into_client_request()?;
    let bearer = format!("Bearer {}", server.token().await?);
    request.headers_mut().insert(AUTHORIZATION, bearer.parse()?);
    let (mut socket, _) = connect_async(request).await.context("cannot open a dashboard")?;
    socket.send(Message::text(SUBSCRIBE)).await?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            let at = Instant::now();
            if let Message::Text(text) = message
                && let Some(shown) = read(&text)
                && tell.send(told(at, shown)).is_err()
            {
                break;
            }
        }
    });
    Ok(())
}

/// What a message shows; none where it is of no interest here.
fn read(text: &str) -> Option<Shown> {
    #[derive(Deserialize)]
    struct Weights {
        items: Vec<Weight>,
    }
    #[derive(Deserialize)]
    struct Line {
        entries: Vec<Place>,
    }
    #[derive(Deserialize)]
    struct Weighing {
        record: Box<Record>,
    }
    let frame: Frame = serde_json::from_str(text).ok()?;
    let data = frame.data?.get();
    match frame.r#type {
        "weights" => serde_json::from_str(data)
            .ok()
            .map(|Weights { items }| Shown::Weights(items)),
        "queue" => serde_json::from_str(data)
            .ok()
            .map(|Line { entries }| Shown::Line(entries)),
        "weighing" => serde_json::from_str(data)
            .ok()
            .map(|Weighing { record }| Shown::Weighing(record)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_the_interface_describes_them() {
        let weights = r#"{"type":"weights","topic":"stations","seq":4,"at":"2026-11-25T09:00:00+09:00","data":{"items":[
            {"station_id":2,"weight":180.5,"unit":"kg","stable":true,"state":"empty","stale":false,"at":"x"}]}}"#;
        let Some(Shown::Weights(items)) = read(weights) else {
            panic!("no weights")
        };
        assert_eq!(items[0].station_id, 2);
        assert_eq!(items[0].weight, Some(Kilograms::from_hundredths(18_050)));
        let line = r#"{"type":"queue","topic":"queue","data":{"entries":[{"id":1,"status":"CALLED","station_id":3}]}}"#;
        let Some(Shown::Line(places)) = read(line) else {
            panic!("no line")
        };
        assert_eq!((places[0].status, places[0].station_id), (Status::Called, Some(3)));
        let record = r#"{"type":"weighing","topic":"weighings","data":{"record":{"id":5,"status":"COMPLETED","gross_weight":18340.5}}}"#;
        let Some(Shown::Weighing(record)) = read(record) else {
            panic!("no weighing")
        };
        assert_eq!(record.gross_weight.unwrap().to_string(), "18340.5");
        assert!(read(r#"{"type":"subscribed","topics":[]}"#).is_none());
    }
}
