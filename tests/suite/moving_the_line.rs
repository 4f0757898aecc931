//! Staff move the line: who is called again, skipped, put back or moved, and what each is told.

use serde_json::{Value, json};

use crate::support::site::{Site, Truck};

const PLATES: [&str; 4] = ["12가3456", "34나5678", "56다7890", "78라1234"];

/// A site whose line holds so many trucks, numbered from 1, with their entries.
async fn site_with_line(stations: usize, trucks: usize) -> (Site, Vec<Value>) {
    let site = Site::with_stations(stations).await;
    let mut entries = Vec::new();
    for plate in &PLATES[..trucks] {
        let truck = site.truck(plate).await;
        entries.push(site.check_in(truck).await.done());
    }
    (site, entries)
}

async fn change(site: &Site, entry: &Value, what: &str, body: Value) -> Value {
    site.post(&format!("/queue/{}/{what}", entry["id"]), body).await.done()
}

async fn refused(site: &Site, entry: &Value, what: &str, body: Value) -> String {
    site.post(&format!("/queue/{}/{what}", entry["id"]), body)
        .await
        .failure()
}

/// The numbers of the line, in its order, those who are called with a `!`.
async fn line(site: &Site) -> String {
    let told = site.get("/queue").await.done();
    let number = |entry: &Value| {
        let called = if entry["status"] == "CALLED" { "!" } else { "" };
        format!("{}{called}", entry["queue_number"])
    };
    let items = told["items"].as_array().unwrap().iter().map(number);
    items.collect::<Vec<_>>().join(" ")
}

/// What drivers' phones are owed, oldest first: kind, number of the call, and why it was taken back.
async fn pushes(site: &Site) -> Vec<String> {
    let query =
        "SELECT concat_ws(' ', kind, payload->>'queue_number', payload->>'call', payload->>'reason') FROM outbox
                 WHERE kind LIKE 'PUSH%' ORDER BY id";
    let rows = site.connect().await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// As if the deadline of every call had passed.
async fn let_deadlines_pass(site: &Site) {
    site.execute("UPDATE wait_queue SET status = 'NO_SHOW', deadline_at = now() WHERE status = 'CALLED'; DELETE FROM weigh_record; UPDATE wait_queue SET record_id = NULL")
        .await;
}

#[tokio::test]
async fn a_recall_is_another_call_with_a_new_deadline_and_keeps_its_record() {
    let (site, entries) = site_with_line(1, 1).await;
    let called = site.call_next(site.stations[0]).await.done();
    change(&site, &entries[0], "acknowledge", json!({})).await;
    let deadline = "SELECT (1000 * extract(epoch FROM deadline_at))::bigint FROM wait_queue";
    let first_deadline = site.count(deadline).await;
    let again = change(&site, &entries[0], "recall", json!({})).await;
    assert_eq!((&called["calls_made"], &again["calls_made"]), (&json!(1), &json!(2)));
    assert!(site.count(deadline).await > first_deadline);
    assert_eq!(
        again["called_at"], called["called_at"],
        "a truck that comes now was called before"
    );
    assert_eq!(again["acknowledged_at"], Value::Null, "this call was not heard yet");
    assert_eq!(pushes(&site).await, ["PUSH_CALLED 1 1", "PUSH_CALLED 1 2"]);
    assert_eq!(site.count("SELECT count(*) FROM weigh_record").await, 1);
}

#[tokio::test]
async fn a_no_show_is_recalled_to_its_station_or_returned_to_the_head_of_the_line() {
    let (site, entries) = site_with_line(1, 3).await;
    let station = site.stations[0];
    assert_eq!(
        refused(&site, &entries[0], "recall", json!({})).await,
        "409 INVALID_STATE"
    );
    site.call_next(station).await.done();
    let_deadlines_pass(&site).await;
    let missed = site.get("/queue?status=NO_SHOW").await.done();
    assert_eq!(
        (&missed["pagination"]["total"], &missed["items"][0]["queue_number"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(line(&site).await, "2 3");
    let recalled = change(&site, &entries[0], "recall", json!({})).await;
    assert_eq!(
        (&recalled["status"], &recalled["station_id"]),
        (&json!("CALLED"), &json!(station))
    );
    let_deadlines_pass(&site).await;
    site.call_next(station).await.done();
    assert_eq!(
        refused(&site, &entries[0], "recall", json!({})).await,
        "409 INVALID_STATE",
        "2 is called there"
    );
    change(&site, &entries[0], "return", json!({})).await;
    assert_eq!(line(&site).await, "2! 1 3");
    assert_eq!(
        refused(&site, &entries[0], "return", json!({})).await,
        "409 INVALID_STATE"
    );
}

#[tokio::test]
async fn whoever_checked_in_anew_is_not_returned_beside_it() {
    let site = Site::new().await;
    let truck = site.truck(PLATES[0]).await;
    let missed = site.check_in(truck).await.done();
    site.call_next(site.stations[0]).await.done();
    let_deadlines_pass(&site).await;
    site.check_in(truck).await.done();
    assert_eq!(refused(&site, &missed, "return", json!({})).await, "409 ALREADY_QUEUED");
    let other = site.truck(PLATES[1]).await;
    let site_id = json!({ "station_id": site.stations[0] });
    assert_eq!(refused(&site, &missed, "call", site_id).await, "409 INVALID_STATE");
    let same_vehicle = Truck {
        driver: other.driver,
        ..truck
    };
    assert_eq!(site.check_in(same_vehicle).await.failure(), "409 ALREADY_QUEUED");
}

#[tokio::test]
async fn an_entry_is_not_returned_whose_truck_came_back_with_another_driver() {
    let site = Site::new().await;
    let truck = site.truck(PLATES[0]).await;
    let missed = site.check_in(truck).await.done();
    site.call_next(site.stations[0]).await.done();
    let_deadlines_pass(&site).await;
    let other = Truck {
        driver: site.truck(PLATES[1]).await.driver,
        ..truck
    };
    site.check_in(other).await.done();
    assert_eq!(refused(&site, &missed, "return", json!({})).await, "409 ALREADY_QUEUED");
}

#[tokio::test]
async fn who_is_skipped_waits_at_the_head_and_the_next_is_called() {
    let (site, entries) = site_with_line(1, 3).await;
    let skip = json!({ "reason": "운전기사 식사 중" });
    change(&site, &entries[1], "skip", skip.clone()).await;
    assert_eq!(line(&site).await, "1 3 2", "one that waits lets one pass");
    assert_eq!(
        refused(&site, &entries[1], "skip", skip.clone()).await,
        "404 NOT_FOUND",
        "nobody is behind it"
    );
    site.call_next(site.stations[0]).await.done();
    assert_eq!(change(&site, &entries[0], "skip", skip).await["status"], "WAITING");
    assert_eq!(line(&site).await, "3! 1 2");
    assert_eq!(
        pushes(&site).await,
        ["PUSH_CALLED 1 1", "PUSH_WITHDRAWN 1 1 SKIPPED", "PUSH_CALLED 3 1"]
    );
    assert_eq!(
        site.count("SELECT count(*) FROM weigh_record").await,
        1,
        "only the called one has a record"
    );
}

#[tokio::test]
async fn a_call_is_not_skipped_where_nobody_is_next() {
    let (site, entries) = site_with_line(1, 1).await;
    site.call_next(site.stations[0]).await.done();
    assert_eq!(refused(&site, &entries[0], "skip", json!({})).await, "404 NOT_FOUND");
    assert_eq!(line(&site).await, "1!", "it is still called");
    assert_eq!(pushes(&site).await, ["PUSH_CALLED 1 1"]);
}

#[tokio::test]
async fn an_entry_is_moved_where_staff_put_it_and_the_audit_log_says_who_did() {
    let (site, entries) = site_with_line(1, 4).await;
    change(&site, &entries[3], "move", json!({ "after_id": entries[0]["id"] })).await;
    assert_eq!(line(&site).await, "1 4 2 3");
    let moved = change(&site, &entries[2], "move", json!({})).await;
    assert_eq!(
        (line(&site).await.as_str(), &moved["ahead_count"]),
        ("3 1 4 2", &json!(0))
    );
    change(&site, &entries[2], "move", json!({ "after_id": entries[1]["id"] })).await;
    assert_eq!(line(&site).await, "1 4 2 3");
    let audited = "SELECT count(*) FROM v_audit WHERE action = 'queue.move' AND actor = 'admin'";
    assert_eq!(site.count(audited).await, 3);
    let behind = |id: &Value| json!({ "after_id": id });
    assert_eq!(
        refused(&site, &entries[0], "move", behind(&json!(999))).await,
        "409 INVALID_STATE"
    );
    let called = site.call_next(site.stations[0]).await.done();
    assert_eq!(
        refused(&site, &entries[1], "move", behind(&called["id"])).await,
        "409 INVALID_STATE"
    );
    assert_eq!(refused(&site, &called, "move", json!({})).await, "409 INVALID_STATE");
}

#[tokio::test]
async fn who_checks_in_stands_behind_those_whom_staff_put_at_the_end() {
    let (site, entries) = site_with_line(1, 3).await;
    for (moved, after) in [(0, 2), (2, 0), (1, 2)] {
        change(
            &site,
            &entries[moved],
            "move",
            json!({ "after_id": entries[after]["id"] }),
        )
        .await;
    }
    assert_eq!(line(&site).await, "1 3 2");
    let joined = site.check_in(site.truck(PLATES[3]).await).await.done();
    assert_eq!(
        (line(&site).await.as_str(), &joined["ahead_count"]),
        ("1 3 2 4", &json!(3))
    );
}

#[tokio::test]
async fn a_station_takes_only_what_it_is_limited_to() {
    let site = Site::with_stations(2).await;
    let [inward, any] = site.stations[..] else { panic!() };
    site.put(&format!("/stations/{inward}"), json!({ "directions": ["IN"] }))
        .await
        .done();
    for (plate, direction) in PLATES.iter().zip(["OUT", "IN"]) {
        let truck = site.truck(plate).await;
        let body = json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle, "direction": direction });
        site.post("/queue", body).await.done();
    }
    assert_eq!(
        site.call_next(inward).await.done()["queue_number"],
        2,
        "the first that comes to deliver"
    );
    assert_eq!(site.call_next(any).await.done()["queue_number"], 1);
    let truck = site.truck(PLATES[2]).await;
    let body = json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle, "direction": "OUT" });
    let waiting = site.post("/queue", body).await.done();
    assert!(
        waiting["eta_p80"].as_i64().is_some_and(|minutes| minutes > 0),
        "{waiting}"
    );
}

#[tokio::test]
async fn priorities_go_first_in_the_order_in_which_they_came() {
    let (site, entries) = site_with_line(1, 2).await;
    for plate in &PLATES[2..] {
        let truck = site.truck(plate).await;
        let body =
            json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle, "priority": true, "reason": "레미콘" });
        site.post("/queue", body).await.done();
    }
    assert_eq!(line(&site).await, "3 4 1 2");
    change(&site, &entries[1], "move", json!({})).await;
    assert_eq!(line(&site).await, "2 3 4 1", "staff may put anyone first");
}

#[tokio::test]
async fn a_station_that_closes_gives_the_truck_on_its_way_back_to_the_head_of_the_line() {
    let (site, entries) = site_with_line(1, 3).await;
    let station = site.stations[0];
    site.call_next(station).await.done();
    site.post(&format!("/stations/{station}/close"), json!({})).await.done();
    assert_eq!(line(&site).await, "1 2 3");
    assert_eq!(
        pushes(&site).await,
        ["PUSH_CALLED 1 1", "PUSH_WITHDRAWN 1 1 STATION_CLOSED"]
    );
    assert_eq!(site.count("SELECT count(*) FROM weigh_record").await, 0);
    site.post(&format!("/stations/{station}/open"), json!({})).await.done();
    assert_eq!(site.call_next(station).await.done()["queue_number"], 1);
    assert_eq!(pushes(&site).await[2], "PUSH_CALLED 1 2", "a call of its own");
    change(&site, &entries[0], "cancel", json!({ "reason": "고장" })).await;
    // One that was called before its turn waits at the head all the same.
    let before_its_turn = json!({ "station_id": station });
    change(&site, &entries[2], "call", before_its_turn).await;
    site.post(&format!("/stations/{station}/close"), json!({})).await.done();
    assert_eq!(line(&site).await, "3 2");
}

#[tokio::test]
async fn lists_show_the_closed_ones_and_refuse_what_is_no_status_or_day() {
    let (site, entries) = site_with_line(1, 3).await;
    change(&site, &entries[1], "cancel", json!({ "reason": "고장" })).await;
    assert_eq!(line(&site).await, "1 3");
    let day = entries[0]["day"].as_str().unwrap();
    let total = async |filter: &str| site.get(&format!("/queue?{filter}")).await.done()["pagination"]["total"].clone();
    assert_eq!(total("status=CANCELLED").await, 1);
    assert_eq!(total(&format!("status=WAITING&day={day}")).await, 2);
    assert_eq!(total(&format!("day={day}")).await, 3);
    assert_eq!(total("day=2020-01-01").await, 0);
    let newest = site.get(&format!("/queue?day={day}&limit=1")).await.done();
    assert_eq!(
        (&newest["items"][0]["queue_number"], &newest["items"][0]["ahead_count"]),
        (&json!(3), &json!(1))
    );
    for (filter, field) in [("status=GONE", "status"), ("day=2026-1-5", "day")] {
        let refused = site.get(&format!("/queue?{filter}")).await.failure();
        assert_eq!(refused, format!("400 VALIDATION_FAILED {field} INVALID_FORMAT"));
    }
}

#[tokio::test]
async fn a_call_is_acknowledged_once_and_only_while_it_stands() {
    let (site, entries) = site_with_line(1, 1).await;
    assert_eq!(
        refused(&site, &entries[0], "acknowledge", json!({})).await,
        "409 INVALID_STATE"
    );
    site.call_next(site.stations[0]).await.done();
    let first = change(&site, &entries[0], "acknowledge", json!({})).await;
    let second = change(&site, &entries[0], "acknowledge", json!({})).await;
    assert!(first["acknowledged_at"].is_string());
    assert_eq!(first["acknowledged_at"], second["acknowledged_at"]);
}
