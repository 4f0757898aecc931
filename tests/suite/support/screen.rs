//! A dashboard that watches one topic over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{server::Client, site::Site};

/// No limit of the product: what hangs is to fail by itself.
const PATIENCE: Duration = Duration::from_mins(2);

/// See the file's head.
pub struct Screen(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Screen {
    /// Opened by the administrator; what the topic shows at first is still to be heard.
    pub async fn open(site: &Site, topic: &str) -> Self {
        Self::open_by(site.admin(), site, topic).await
    }

    /// The same by somebody else.
    pub async fn open_by(who: &Client, site: &Site, topic: &str) -> Self {
        let ticket = who.post("/api/v1/ws/ticket", json!({})).await.done()["ticket"].clone();
        let mut request = format!("ws://{}/api/v1/ws", site.address())
            .into_client_request()
            .unwrap();
        let protocols = format!("weighbridge.v1, ticket.{}", ticket.as_str().unwrap());
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        headers.insert("origin", format!("http://{}", site.address()).parse().unwrap());
        let mut screen = Self(connect_async(request).await.unwrap().0);
        let subscribe = json!({ "type": "subscribe", "topics": [topic] });
        screen.0.send(Message::text(subscribe.to_string())).await.unwrap();
        screen
    }

    /// Waits for a frame of which this is true.
    pub async fn hears(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let seen = async {
            loop {
                let message = self.0.next().await.unwrap().unwrap();
                let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap_or_default();
                if is_it(&frame) {
                    return frame;
                }
            }
        };
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("never heard: {what}"))
    }
}
