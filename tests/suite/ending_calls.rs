//! How a call ends without its truck's weight: line, phone, board and staff say the same of it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{
    cab::Cab,
    link::Link,
    site::{Clock, Site, Truck},
};

/// A site and a truck that waits in its line.
async fn waiting() -> (Site, Truck, Value) {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    (site, truck, entry)
}

async fn status(site: &Site, entry: &Value) -> String {
    let query = format!("SELECT status::text FROM wait_queue WHERE id = {}", entry["id"]);
    site.connect().await.query_one(&query, &[]).await.unwrap().get(0)
}

/// What drivers' phones are owed, oldest first: kind, number of the call, and why it was taken back.
async fn pushes(site: &Site) -> Vec<String> {
    let query = "SELECT concat_ws(' ', kind, payload->>'call', payload->>'reason') FROM outbox
                 WHERE kind LIKE 'PUSH_%' AND kind <> 'PUSH_COMPLETED' ORDER BY id";
    let rows = site.connect().await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A truck drives over the deck, and nothing settles.
async fn drive_over(site: &Site, clock: &mut Clock) {
    let station = site.stations[0];
    clock.catch_up();
    for kg in [0, 24_000, 25_000, 0] {
        site.post_reading(station, kg, clock).await.done();
    }
}

#[tokio::test]
async fn a_driver_whose_truck_left_unweighed_is_told_and_after_three_calls_staff_must_look() {
    let (site, _, entry) = waiting().await;
    let mut clock = Clock::now();
    for (call, then) in [(1, "WAITING"), (2, "WAITING"), (3, "REVIEW")] {
        let called = site.call_next(site.stations[0]).await.done();
        assert_eq!((&called["id"], &called["calls_made"]), (&entry["id"], &json!(call)));
        drive_over(&site, &mut clock).await;
        assert_eq!(status(&site, &entry).await, then, "after call {call}");
    }
    let told = [
        "PUSH_CALLED 1",
        "PUSH_WITHDRAWN 1 LEFT_UNWEIGHED",
        "PUSH_CALLED 2",
        "PUSH_WITHDRAWN 2 LEFT_UNWEIGHED",
        "PUSH_CALLED 3",
        "PUSH_WITHDRAWN 3 REVIEW",
    ];
    assert_eq!(pushes(&site).await, told);
    assert_eq!(
        site.count("SELECT count(*) FROM weigh_record").await,
        0,
        "nothing was weighed"
    );
    assert_eq!(
        site.call_next(site.stations[0]).await.failure(),
        "404 NOT_FOUND",
        "it is not called a fourth time"
    );
    let back = site.post(&format!("/queue/{}/return", entry["id"]), json!({})).await;
    assert_eq!(back.done()["status"], "WAITING", "staff put it back");
}

#[tokio::test]
async fn who_drives_over_the_deck_sooner_than_the_called_truck_can_come_ends_nothing() {
    let (site, _, entry) = waiting().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let far = json!({ "approach_ms": 500_000 });
    site.put(&format!("/stations/{station}"), far).await.done();
    site.call_next(station).await.done();
    drive_over(&site, &mut clock).await;
    assert_eq!(status(&site, &entry).await, "CALLED");
    assert_eq!(pushes(&site).await, ["PUSH_CALLED 1"]);
}

#[tokio::test]
async fn a_truck_that_is_called_again_where_it_stands_is_weighed_however_far_the_way_is() {
    let (site, _, entry) = waiting().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let far = json!({ "approach_ms": 500_000 });
    site.put(&format!("/stations/{station}"), far).await.done();
    site.call_next(station).await.done();
    site.post(&format!("/queue/{}/recall", entry["id"]), json!({}))
        .await
        .done();
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    assert_eq!(status(&site, &entry).await, "COMPLETED");
    let complete = "SELECT count(*) FROM weigh_record WHERE status = 'COMPLETED'";
    assert_eq!(site.count(complete).await, 1);
}

#[tokio::test]
async fn a_call_whose_weighing_is_voided_while_the_truck_stands_there_is_taken_back() {
    let (site, _, entry) = waiting().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    site.call_next(station).await.done();
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    let record = site.count("SELECT id FROM weigh_record").await;
    let body = json!({ "reason": "다른 차량", "requeue": true });
    site.post(&format!("/weigh-records/{record}/void"), body).await.done();
    assert_eq!(status(&site, &entry).await, "WAITING");
    assert_eq!(pushes(&site).await, ["PUSH_CALLED 1", "PUSH_WITHDRAWN 1 VOIDED"]);
    site.leave(station, &mut clock).await;
    assert_eq!(status(&site, &entry).await, "WAITING", "who leaves now is the other");
    assert_eq!(site.call_next(station).await.done()["id"], entry["id"]);
}

#[tokio::test]
async fn nobody_leaves_the_line_whose_truck_stands_on_the_deck() {
    let site = Site::new().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let (cab, next) = (Cab::new(&site, 1).await, Cab::new(&site, 2).await);
    let entry = cab.check_in(&site).await;
    next.check_in(&site).await;
    site.call_next(station).await.done();
    clock.catch_up();
    for kg in [0, 24_000, 25_000] {
        site.post_reading(station, kg, &mut clock).await.done();
    }
    let reason = json!({ "reason": "고장" });
    let cancel = format!("/queue/{entry}/cancel");
    assert_eq!(site.post(&cancel, reason.clone()).await.failure(), "409 INVALID_STATE");
    assert_eq!(
        cab.post("/queue/cancel", json!({})).await.outcome(),
        "409 INVALID_STATE"
    );
    let skip = format!("/queue/{entry}/skip");
    assert_eq!(site.post(&skip, json!({})).await.failure(), "409 INVALID_STATE");
    site.post_reading(station, 0, &mut clock).await.done();
    assert_eq!(site.post(&cancel, reason).await.done()["status"], "CANCELLED");
}

#[tokio::test]
async fn a_station_that_closes_lets_the_truck_on_its_deck_be_weighed() {
    let (site, _, entry) = waiting().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    site.call_next(station).await.done();
    clock.catch_up();
    for kg in [0, 24_000, 25_000] {
        site.post_reading(station, kg, &mut clock).await.done();
    }
    site.post(&format!("/stations/{station}/close"), json!({})).await.done();
    assert_eq!(status(&site, &entry).await, "CALLED");
    for kg in [25_000, 25_000, 25_000, 0] {
        site.post_reading(station, kg, &mut clock).await.done();
    }
    assert_eq!(status(&site, &entry).await, "COMPLETED");
    assert_eq!(pushes(&site).await, ["PUSH_CALLED 1"]);
}

#[tokio::test]
async fn a_driver_does_not_end_what_staff_have_to_look_at() {
    let site = Site::new().await;
    let cab = Cab::new(&site, 1).await;
    let entry = cab.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    for state in ["REVIEW", "NO_SHOW"] {
        site.execute(&format!("UPDATE wait_queue SET status = '{state}' WHERE id = {entry}"))
            .await;
        assert_eq!(cab.get("/queue/my").await.done()["status"], state, "it is shown");
        assert_eq!(cab.post("/queue/cancel", json!({})).await.outcome(), "404 NOT_FOUND");
        assert_eq!(
            cab.post("/queue/acknowledge", json!({})).await.outcome(),
            "404 NOT_FOUND"
        );
        let stays = format!("SELECT count(*) FROM wait_queue WHERE id = {entry} AND status = '{state}'");
        assert_eq!(site.count(&stays).await, 1);
    }
}

/// What the board is to show next.
async fn board(link: &mut Link) -> Value {
    let told = timeout(Duration::from_secs(10), link.hear("board")).await;
    told.unwrap()["text"].clone()
}

#[tokio::test]
async fn board_and_phone_say_that_staff_have_taken_a_call_back() {
    let (site, _, entry) = waiting().await;
    let next = site.truck("34나5678").await;
    site.check_in(next).await.done();
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let station = site.stations[0];
    while board(&mut link).await != "" {}
    site.call_next(station).await.done();
    assert_eq!(board(&mut link).await, "12가3456 진입");
    let cancel = format!("/queue/{}/cancel", entry["id"]);
    site.post(&cancel, json!({ "reason": "고장" })).await.done();
    assert_eq!(board(&mut link).await, "");
    assert_eq!(pushes(&site).await, ["PUSH_CALLED 1", "PUSH_WITHDRAWN 1 CANCELLED"]);
    site.call_next(station).await.done();
    assert_eq!(board(&mut link).await, "34나5678 진입");
}
