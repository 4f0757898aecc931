//! Another truck than the called one stands on the deck: whose the weights are, and who keeps his place.

use serde_json::{Value, json};

use crate::support::site::{Clock, Site, Truck};

/// A site and a truck that is called to its station.
async fn called() -> (Site, Truck, Value) {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    let called = site.call_next(site.stations[0]).await.done();
    (site, truck, called)
}

async fn entry(site: &Site, id: &Value) -> Value {
    let day = site.get("/queue?status=WAITING").await.done();
    let waiting = day["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["id"] == *id)
        .cloned();
    waiting.unwrap_or_default()
}

async fn status(site: &Site, id: &Value) -> String {
    let query = format!("SELECT status::text FROM wait_queue WHERE id = {id}");
    site.connect().await.query_one(&query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn who_was_called_gets_his_place_back_when_the_weighing_of_another_is_voided() {
    let (site, truck, called) = called().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    clock.catch_up();
    let capture = site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    assert_eq!(status(&site, &called["id"]).await, "COMPLETED");
    let record = site.count("SELECT id FROM weigh_record").await;
    let void = format!("/weigh-records/{record}/void");
    assert_eq!(
        site.post(&void, json!({})).await.failure(),
        "400 VALIDATION_FAILED reason REQUIRED"
    );
    let body = json!({ "reason": "다른 차량", "requeue": true });
    let voided = site.post(&void, body.clone()).await.done();
    assert_eq!((&voided["status"], &voided["voided"]), (&json!("VOIDED"), &json!(true)));
    assert_eq!(site.post(&void, body).await.failure(), "409 INVALID_STATE");
    assert_eq!(
        entry(&site, &called["id"]).await["ahead_count"],
        0,
        "he waits at the head of the line"
    );
    let told = "SELECT count(*) FROM outbox c JOIN outbox v ON v.aggregate_key = c.aggregate_key AND v.id > c.id
                WHERE c.kind = 'ERP_COMPLETE' AND v.kind = 'ERP_VOID' AND v.payload->>'reason' = '다른 차량'";
    assert_eq!(site.count(told).await, 1, "the ERP hears of both, in this order");
    // The weight is somebody's: staff say whose.
    let other = site.truck("34나5678").await;
    let parties = json!({ "vehicle_id": other.vehicle, "driver_id": other.driver });
    let assigned = site.post(&format!("/captures/{capture}/assign"), parties).await.done();
    assert_eq!(assigned["vehicle_plate"], "34나5678");
    assert!(assigned["slip_number"].as_str().unwrap().ends_with("002"), "{assigned}");
    let completions = "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE'";
    assert_eq!(
        site.count(completions).await,
        2,
        "the ERP hears of the second record too"
    );
    let again = site.call_next(station).await.done();
    assert_eq!((&again["id"], &again["calls_made"]), (&called["id"], &json!(2)));
    clock.catch_up();
    site.weigh(station, 18_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    let own = format!(
        "SELECT count(*) FROM weigh_record WHERE vehicle_id = {} AND status = 'COMPLETED'",
        truck.vehicle
    );
    assert_eq!(site.count(&own).await, 1);
}

#[tokio::test]
async fn a_weighing_is_not_voided_for_who_waits_again_or_while_it_is_under_way() {
    let (site, truck, called) = called().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let record = site.count("SELECT id FROM weigh_record").await;
    let void = format!("/weigh-records/{record}/void");
    let body = json!({ "reason": "다른 차량", "requeue": true });
    assert_eq!(
        site.post(&void, body.clone()).await.failure(),
        "409 INVALID_STATE",
        "nothing was weighed"
    );
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    site.check_in(truck).await.done();
    assert_eq!(site.post(&void, body).await.failure(), "409 ALREADY_QUEUED");
    assert_eq!(status(&site, &called["id"]).await, "COMPLETED", "nothing has changed");
    assert_eq!(
        site.post("/weigh-records/999/void", json!({ "reason": "x" }))
            .await
            .failure(),
        "404 NOT_FOUND"
    );
    site.post(&void, json!({ "reason": "다른 차량" })).await.done();
    assert_eq!(
        status(&site, &called["id"]).await,
        "COMPLETED",
        "he was weighed, as far as the line is concerned"
    );
}

#[tokio::test]
async fn a_truck_that_is_surely_another_leaves_the_called_one_its_call() {
    let (site, truck, called) = called().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    // A car of 2 t is no truck of 10 t.
    clock.catch_up();
    let stranger = site.weigh(station, 2_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    assert_eq!(status(&site, &called["id"]).await, "CALLED");
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    assert_eq!(status(&site, &called["id"]).await, "COMPLETED");
    let own = format!(
        "SELECT count(*) FROM weigh_record WHERE vehicle_id = {} AND net_weight = 15000",
        truck.vehicle
    );
    assert_eq!(site.count(&own).await, 1);
    let unassigned = site.get("/captures").await.done();
    assert_eq!(
        (&unassigned["pagination"]["total"], &unassigned["items"][0]["id"]),
        (&json!(1), &json!(stranger))
    );
}

#[tokio::test]
async fn a_station_that_knows_the_way_to_it_takes_nobody_sooner_under_a_call() {
    let site = Site::new().await;
    let station = site.stations[0];
    let path = format!("/stations/{station}");
    site.put(&path, json!({ "approach_ms": 599_999 })).await.done();
    // As long as a truck may take, or longer: nobody could be weighed under a call.
    for wrong in [-1, 600_000] {
        let refused = site.put(&path, json!({ "approach_ms": wrong })).await.failure();
        assert_eq!(refused, "400 VALIDATION_FAILED approach_ms OUT_OF_RANGE");
    }
    for plate in ["12가3456", "34나5678"] {
        let truck = site.truck(plate).await;
        site.check_in(truck).await.done();
    }
    let called = site.call_next(station).await.done();
    let mut clock = Clock::now();
    for _ in 0..2 {
        clock.catch_up();
        site.weigh(station, 25_000, &mut clock).await;
        site.leave(station, &mut clock).await;
        assert_eq!(
            status(&site, &called["id"]).await,
            "CALLED",
            "nobody's plate moves to the next weight"
        );
    }
    assert_eq!(
        site.count("SELECT count(*) FROM capture WHERE state = 'UNASSIGNED'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_weight_that_staff_assign_completes_the_entry_of_its_truck() {
    let (site, truck, called) = called().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    // Its registered tare is wrong, so nobody believes that this is it, until staff say so.
    clock.catch_up();
    let capture = site.weigh(station, 5_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    assert_eq!(status(&site, &called["id"]).await, "CALLED");
    let parties = json!({ "vehicle_id": truck.vehicle, "driver_id": truck.driver });
    site.post(&format!("/captures/{capture}/assign"), parties).await.done();
    assert_eq!(status(&site, &called["id"]).await, "COMPLETED");
    assert_eq!(
        site.count("SELECT count(*) FROM weigh_record").await,
        1,
        "the call's own, which was empty, is gone"
    );
    assert_eq!(
        site.call_next(station).await.failure(),
        "404 NOT_FOUND",
        "and the station is free"
    );
}

#[tokio::test]
async fn a_truck_comes_back_to_its_open_record_for_its_second_pass() {
    let site = Site::new().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let truck = site.untared_truck("12가3456").await;
    for kg in [25_000, 9_980] {
        site.check_in(truck).await.done();
        site.call_next(station).await.done();
        clock.catch_up();
        site.weigh(station, kg, &mut clock).await;
        site.leave(station, &mut clock).await;
    }
    let complete = "SELECT count(*) FROM weigh_record WHERE status = 'COMPLETED' AND net_weight = 15020";
    assert_eq!(site.count(complete).await, 1);
    assert_eq!(site.count("SELECT count(*) FROM weigh_record").await, 1);
    // Checked in before the open record was voided, it is called to a new one.
    let again = site.untared_truck("34나5678").await;
    site.check_in(again).await.done();
    site.call_next(station).await.done();
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    site.check_in(again).await.done();
    let open = site
        .count("SELECT id FROM weigh_record WHERE status = 'WEIGHING'")
        .await;
    site.post(&format!("/weigh-records/{open}/void"), json!({ "reason": "시험" }))
        .await
        .done();
    let called = site.call_next(station).await.done();
    let its_record = format!("SELECT record_id FROM wait_queue WHERE id = {}", called["id"]);
    assert_ne!(site.count(&its_record).await, open);
}
