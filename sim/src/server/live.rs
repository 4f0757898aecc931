//! What the server tells by WebSocket: that the line has changed, and what became of a weighing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::broadcast, time::sleep};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::header::AUTHORIZATION},
};

use super::Server;
use crate::SimError;

/// One thing that the server told.
#[derive(Clone, Debug)]
pub enum News {
    /// Something in the line changed: ask for it.
    Line,
    /// A record of a weighing changed its state.
    Weighing(Box<Record>),
}

/// A record as the list of records shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub id: i64,
    pub status: String,
    pub slip_number: Option<String>,
    pub vehicle_plate: Option<String>,
    pub gross_weight: Option<serde_json::Number>,
    pub tare_weight: Option<serde_json::Number>,
    pub net_weight: Option<serde_json::Number>,
    pub weighed_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Frame {
    r#type: String,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    data: Value,
}

const SUBSCRIBE: &str = r#"{"type":"subscribe","topics":["queue","weighings"]}"#;
const RECONNECT: Duration = Duration::from_secs(1);

/// Listens for as long as it is polled, connecting again whenever the socket breaks.
pub async fn listen(server: &Server, news: &broadcast::Sender<News>) {
    loop {
        if let Err(error) = listen_once(server, news).await {
            tracing::debug!("the live socket broke: {error}");
        }
        sleep(RECONNECT).await;
    }
}

async fn listen_once(server: &Server, news: &broadcast::Sender<News>) -> Result<(), SimError> {
    let broken = |error: tokio_tungstenite::tungstenite::Error| SimError::Unreachable(error.to_string());
    let address = server.url().replacen("http://", "ws://", 1) + "/api/v1/ws";
    let mut request = address.into_client_request().map_err(broken)?;
    let bearer = format!("Bearer {}", server.token().await?).parse();
    let bearer = bearer.map_err(|_| SimError::Server("the access token is no header value".to_owned()))?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let (mut socket, _) = connect_async(request).await.map_err(broken)?;
    socket.send(Message::text(SUBSCRIBE)).await.map_err(broken)?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message.map_err(broken)?
            && let Some(told) = read(&text)
        {
            // Nobody need be listening.
            drop(news.send(told));
        }
    }
    Ok(())
}

/// What one text message tells; nothing where it is of no interest.
fn read(text: &str) -> Option<News> {
    let frame: Frame = serde_json::from_str(text).ok()?;
    match (frame.r#type.as_str(), frame.topic.as_deref()) {
        (_, Some("queue")) => Some(News::Line),
        ("weighing", Some("weighings")) => {
            let record = frame.data.get("record").unwrap_or(&frame.data);
            Record::deserialize(record)
                .ok()
                .map(|record| News::Weighing(Box::new(record)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_of_the_line_and_of_weighings_count() {
        let line = r#"{"type":"queue","topic":"queue","seq":4,"at":"2026-11-25T09:00:00+09:00","data":{"entries":[]}}"#;
        assert!(matches!(read(line), Some(News::Line)));
        let weighing = r#"{"type":"weighing","topic":"weighings","seq":1,"at":"2026-11-25T09:00:00+09:00","data":{"record":
            {"id":5,"status":"COMPLETED","slip_number":"WR20261125001","vehicle_plate":"12가3456","gross_weight":18340,
             "tare_weight":8000.5,"net_weight":10339.5,"manual":false}}}"#;
        let Some(News::Weighing(record)) = read(weighing) else {
            panic!("no record")
        };
        assert_eq!(record.slip_number.as_deref(), Some("WR20261125001"));
        assert_eq!(record.net_weight.unwrap().to_string(), "10339.5");
        assert!(read(r#"{"type":"pong"}"#).is_none());
        assert!(read("nonsense").is_none());
    }
}
