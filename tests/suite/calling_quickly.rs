//! A call is on screens and on the board at once, and all say the same: also when it is made again, or taken back.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::support::{
    link::Link,
    site::{Clock, Site},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A dashboard that watches the line.
struct Screen(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Screen {
    async fn open(site: &Site) -> Self {
        let ticket = site.post("/ws/ticket", json!({})).await.done()["ticket"].clone();
        let mut request = format!("ws://{}/api/v1/ws", site.address())
            .into_client_request()
            .unwrap();
        let protocols = format!("weighbridge.v1, ticket.{}", ticket.as_str().unwrap());
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        headers.insert("origin", format!("http://{}", site.address()).parse().unwrap());
        let mut screen = Self(connect_async(request).await.unwrap().0);
        let subscribe = json!({ "type": "subscribe", "topics": ["queue"] });
        screen.0.send(Message::text(subscribe.to_string())).await.unwrap();
        screen
    }

    /// Waits until the first of the line is shown so.
    async fn shows(&mut self, status: &str, calls_made: i64) {
        let seen = async {
            loop {
                let message = self.0.next().await.unwrap().unwrap();
                let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap_or_default();
                let first = &frame["data"]["entries"][0];
                if first["status"] == status && first["calls_made"] == calls_made {
                    return;
                }
            }
        };
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("never {status}, call {calls_made}"));
    }
}

/// Waits until the board of the station is to show this.
async fn board_says(link: &mut Link, wanted: &str) {
    let said = async { while link.hear("board").await["text"] != wanted {} };
    timeout(PATIENCE, said)
        .await
        .unwrap_or_else(|_| panic!("the board never says {wanted:?}"));
}

#[tokio::test]
async fn a_call_a_recall_and_a_withdrawn_call_are_on_screen_and_board_at_once() {
    const PLATE: &str = "12가3456 진입";
    let site = Site::new().await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let mut screen = Screen::open(&site).await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    let (mut shown, mut on_board) = (Vec::new(), Vec::new());
    for round in 0..10 {
        let began = Instant::now();
        site.call_next(site.stations[0]).await.done();
        screen.shows("CALLED", 2 * round + 1).await;
        shown.push(began.elapsed());
        board_says(&mut link, PLATE).await;
        on_board.push(began.elapsed());
        site.post(&format!("/queue/{}/recall", entry["id"]), json!({}))
            .await
            .done();
        screen.shows("CALLED", 2 * round + 2).await;
        board_says(&mut link, PLATE).await;
        site.post(&format!("/stations/{}/close", site.stations[0]), json!({}))
            .await
            .done();
        screen.shows("WAITING", 2 * round + 2).await;
        board_says(&mut link, "계량 중지").await;
        site.post(&format!("/stations/{}/open", site.stations[0]), json!({}))
            .await
            .done();
        board_says(&mut link, "").await;
    }
    shown.sort_unstable();
    on_board.sort_unstable();
    println!("from asking to the screen {shown:?}, to the board {on_board:?}");
    // Far from what it takes; a machine that builds beside the test has time to spare.
    assert!(
        shown[5] < Duration::from_millis(500) && on_board[5] < Duration::from_millis(500),
        "{shown:?} {on_board:?}"
    );
}

#[tokio::test]
async fn a_station_calls_by_itself_only_while_its_indicator_is_heard() {
    let site = Site::new().await;
    let station = site.stations[0];
    let path = format!("/stations/{station}");
    site.put(&path, json!({ "calling": "AUTO" })).await.done();
    let mut screen = Screen::open(&site).await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    // A look at the line that would have called has shown its call.
    screen.shows("WAITING", 0).await;
    let mut clock = Clock::now();
    site.post_reading(station, 0, &mut clock).await.done();
    screen.shows("CALLED", 1).await;
}

/// The other server hears nothing of the station, and looks at the line as often.
#[tokio::test]
async fn a_deadline_runs_on_beside_a_server_that_does_not_hear_the_station() {
    let site = Site::new().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    site.post_reading(station, 0, &mut clock).await.done();
    site.call_next(station).await.done();
    let _other = site.another_server().await;
    let stands = "SELECT count(*) FROM wait_queue WHERE deadline_paused_at IS NOT NULL";
    let (mut pauses, mut stood, began) = (0, 0, Instant::now());
    // Five looks of each.
    while began.elapsed() < Duration::from_secs(10) {
        clock.catch_up();
        site.post_reading(station, 0, &mut clock).await.done();
        let now = site.count(stands).await;
        pauses += i64::from(now > stood);
        stood = now;
        sleep(Duration::from_millis(100)).await;
    }
    // Once perhaps, when the other has just started and knows nothing; and where this machine holds its breath.
    assert!(pauses <= 2, "the deadline was halted {pauses} times");
}

#[tokio::test]
async fn a_board_is_told_anew_when_its_edge_comes_back() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    site.call_next(site.stations[0]).await.done();
    board_says(&mut link, "12가3456 진입").await;
    drop(link);
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    board_says(&mut link, "12가3456 진입").await;
}
