//! An office for tests: enough of the server's API to check trucks in, call them one by one, and see them leave.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Utc;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::server::{Login, Server};

/// The office's books.
#[derive(Debug, Default)]
pub struct Office {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    entries: Vec<Value>,
    /// Stations that are called to nobody.
    free: BTreeSet<i64>,
    made: i64,
    asked: Vec<String>,
    /// So many requests are answered 503 before the next is heard.
    deaf: u32,
    /// Whether a first call is lost: nobody comes in time.
    loses_calls: bool,
}

impl Office {
    /// Opens it for these stations.
    pub async fn open(stations: &[i64]) -> (Arc<Self>, Arc<Server>) {
        let office = Arc::new(Self::default());
        office.books.lock().free.extend(stations);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn({
            let office = Arc::clone(&office);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(Arc::clone(&office).serve(stream));
                }
            }
        });
        let login = Login {
            login_id: "admin".to_owned(),
            password: "p".to_owned(),
        };
        (office, Arc::new(Server::new(&url, login).unwrap()))
    }

    /// The next requests find nobody.
    pub fn be_deaf(&self, requests: u32) {
        self.books.lock().deaf = requests;
    }

    /// Every truck misses its first call.
    pub fn lose_first_calls(&self) {
        self.books.lock().loses_calls = true;
    }

    pub fn asked(&self, call: &str) -> usize {
        self.books.lock().asked.iter().filter(|asked| *asked == call).count()
    }

    /// The edge tells that the truck at a station was captured and has left.
    pub fn left(&self, station: i64) {
        let mut books = self.books.lock();
        let called = books
            .entries
            .iter_mut()
            .find(|entry| entry["status"] == "CALLED" && entry["station_id"] == station);
        if let Some(entry) = called {
            entry["status"] = "COMPLETED".into();
            books.free.insert(station);
        }
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        let (head, body) = loop {
            let count = stream.read(&mut chunk).await.unwrap_or(0);
            request.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&request).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                assert_ne!(count, 0, "half a request");
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                break (head.to_owned(), body.to_owned());
            }
        };
        let line: Vec<&str> = head.split_whitespace().take(2).collect();
        let path = line[1].trim_start_matches("/api/v1").split('?').next().unwrap();
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        let (status, answer) = self.books.lock().answer(&format!("{} {path}", line[0]), &body);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        // Whoever asked may be gone.
        drop(stream.write_all((head + &answer).as_bytes()).await);
    }
}

impl Books {
    fn answer(&mut self, call: &str, body: &Value) -> (u16, Value) {
        if self.deaf > 0 {
            self.deaf -= 1;
            return (503, json!({}));
        }
        self.asked.push(call.to_owned());
        let ok = |data: Value| (200, json!({ "success": true, "data": data }));
        match call.split('/').collect::<Vec<_>>().as_slice() {
            ["POST ", "auth", "login"] => ok(json!({ "access_token": "a", "refresh_token": "r" })),
            ["GET ", "vehicles" | "drivers"] => ok(json!({ "items": [], "pagination": { "total_pages": 0 } })),
            ["POST ", "vehicles" | "drivers"] => {
                self.made += 1;
                ok(json!({ "id": self.made }))
            }
            ["POST ", "queue"] => ok(self.check_in(body)),
            ["GET ", "queue"] => {
                self.call();
                ok(json!({ "items": self.entries, "pagination": { "total_pages": 1 } }))
            }
            ["POST ", "queue", id, "return"] => {
                let entry = self
                    .entries
                    .iter_mut()
                    .find(|entry| entry["id"].as_u64() == id.parse().ok())
                    .unwrap();
                entry["status"] = "WAITING".into();
                ok(json!(entry.clone()))
            }
            _ => (
                404,
                json!({ "success": false, "error": { "code": "NOT_FOUND", "message": call } }),
            ),
        }
    }

    fn check_in(&mut self, body: &Value) -> Value {
        let id = self.entries.len() + 1;
        let entry = json!({
            "id": id, "queue_number": id, "status": "WAITING", "station_id": null, "called_at": null,
            "vehicle_id": body["vehicle_id"], "lost": false,
        });
        self.entries.push(entry.clone());
        entry
    }

    /// Calls the first who waits to each station that is free.
    fn call(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry["status"] == "WAITING") {
            if self.loses_calls && entry["lost"] == false {
                (entry["status"], entry["lost"]) = ("NO_SHOW".into(), true.into());
            } else if let Some(station) = self.free.pop_first() {
                (entry["status"], entry["station_id"]) = ("CALLED".into(), station.into());
                entry["called_at"] = Utc::now().to_rfc3339().into();
            }
        }
    }
}
