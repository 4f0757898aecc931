//! A client that says exactly the bytes it is told to.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::Server;

/// An answer that does not come by then will not come.
pub const PATIENCE: Duration = Duration::from_secs(10);
pub const TEXT: u8 = 0x81;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

pub struct Client(pub TcpStream);

/// What a client hears.
#[derive(Debug)]
pub enum Said {
    Message(Value),
    Ping,
    Pong(Vec<u8>),
    Closed(u16, String),
}

impl Client {
    /// Connects with a small buffer, so that a client that does not read is noticed soon; `None` if the upgrade is refused.
    pub async fn upgrade(server: &Server, path: &str, headers: &[(&str, &str)]) -> (Self, String) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], server.port).into()).await.unwrap();
        let mut client = Self(stream);
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        client.0.write_all((request + "\r\n").as_bytes()).await.unwrap();
        let head = client.head().await;
        (client, head)
    }

    pub async fn open(server: &Server, token: &str) -> Self {
        let authorization = format!("Bearer {token}");
        let (client, head) = Self::upgrade(server, "/api/v1/ws", &[("authorization", &authorization)]).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        client
    }

    pub async fn staff(server: &Server) -> Self {
        Self::open(server, "staff-1:60").await
    }

    /// Staff who have subscribed and got all snapshots.
    pub async fn watching(server: &Server, topics: &[&str]) -> Self {
        let mut client = Self::staff(server).await;
        client.subscribe(topics).await;
        client.hears("subscribed").await;
        for _ in topics {
            client.hears("snapshot").await;
        }
        client
    }

    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.unwrap().unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub async fn say(&mut self, text: &str) {
        self.send(&frame(TEXT, text.as_bytes())).await;
    }

    pub async fn subscribe(&mut self, topics: &[&str]) {
        self.say(&format!(r#"{{"type":"subscribe","topics":{topics:?}}}"#))
            .await;
    }

    pub async fn hear(&mut self) -> Said {
        timeout(PATIENCE, self.read_frame()).await.expect("something is said")
    }

    async fn read_frame(&mut self) -> Said {
        let first = self.0.read_u8().await.unwrap();
        let length = match self.0.read_u8().await.unwrap() {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            127 => usize::try_from(self.0.read_u64().await.unwrap()).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        match first {
            TEXT => Said::Message(serde_json::from_slice(&payload).unwrap()),
            PING => Said::Ping,
            PONG => Said::Pong(payload),
            CLOSE => Said::Closed(
                u16::from_be_bytes([payload[0], payload[1]]),
                String::from_utf8(payload[2..].to_vec()).unwrap(),
            ),
            other => panic!("a frame that begins with {other:#x}"),
        }
    }

    /// The next message, which is of this type.
    #[track_caller]
    pub fn hears<'a>(&'a mut self, kind: &'a str) -> impl Future<Output = Value> + 'a {
        let here = std::panic::Location::caller();
        async move {
            match self.hear().await {
                Said::Message(message) if message["type"] == kind => message,
                other => panic!("{here}: heard {other:?}, expected {kind}"),
            }
        }
    }

    /// That the server closes with this code, whatever it says before, and then hangs up.
    #[track_caller]
    pub fn is_closed(&mut self, code: u16) -> impl Future<Output = String> {
        let here = std::panic::Location::caller();
        async move {
            loop {
                if let Said::Closed(heard, reason) = self.hear().await {
                    assert_eq!(heard, code, "{here}: {reason}");
                    let end = timeout(PATIENCE, self.0.read(&mut [0]))
                        .await
                        .expect("the server hangs up");
                    assert_eq!(end.unwrap(), 0, "{here}");
                    return reason;
                }
            }
        }
    }
}

/// A frame as a client sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x11, 0x22, 0x33, 0x44];
    let mut bytes = vec![first];
    if let Ok(length @ 0..=125) = u8::try_from(payload.len()) {
        bytes.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        bytes.push(0xfe);
        bytes.extend(length.to_be_bytes());
    } else {
        bytes.push(0xff);
        bytes.extend((payload.len() as u64).to_be_bytes());
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The status that a request gets.
pub async fn status(server: &Server, request: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}
