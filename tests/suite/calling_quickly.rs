//! A call is on screens and on the board at once, and all say the same: also when it is made again, or taken back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{
    link::Link,
    screen::Screen,
    site::{Clock, Site},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until the first of the line is shown so.
async fn shows(screen: &mut Screen, status: &str, calls_made: i64) {
    let is_it = |frame: &Value| {
        let first = &frame["data"]["entries"][0];
        first["status"] == status && first["calls_made"] == calls_made
    };
    screen.hears(&format!("{status}, call {calls_made}"), is_it).await;
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
    let mut screen = Screen::open(&site, "queue").await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    let (mut shown, mut on_board) = (Vec::new(), Vec::new());
    for round in 0..10 {
        let began = Instant::now();
        site.call_next(site.stations[0]).await.done();
        shows(&mut screen, "CALLED", 2 * round + 1).await;
        shown.push(began.elapsed());
        board_says(&mut link, PLATE).await;
        on_board.push(began.elapsed());
        site.post(&format!("/queue/{}/recall", entry["id"]), json!({}))
            .await
            .done();
        shows(&mut screen, "CALLED", 2 * round + 2).await;
        board_says(&mut link, PLATE).await;
        site.post(&format!("/stations/{}/close", site.stations[0]), json!({}))
            .await
            .done();
        shows(&mut screen, "WAITING", 2 * round + 2).await;
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
    let mut screen = Screen::open(&site, "queue").await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    // A look at the line that would have called has shown its call.
    shows(&mut screen, "WAITING", 0).await;
    let mut clock = Clock::now();
    site.post_reading(station, 0, &mut clock).await.done();
    shows(&mut screen, "CALLED", 1).await;
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
