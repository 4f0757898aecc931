//! Staff check trucks in, call them to stations and take them out of the line.

use serde_json::json;

use crate::support::site::{Clock, Site, Truck};

#[tokio::test]
async fn a_truck_joins_the_line_and_is_called() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await;
    assert_eq!(entry.status, 201);
    let entry = entry.done();
    assert_eq!(
        (
            &entry["queue_number"],
            &entry["status"],
            &entry["ahead_count"],
            &entry["vehicle_plate"]
        ),
        (&json!(1), &json!("WAITING"), &json!(0), &json!("12가3456"))
    );
    let called = site.call_next(site.stations[0]).await.done();
    assert_eq!(
        (&called["id"], &called["status"], &called["station_id"]),
        (&entry["id"], &json!("CALLED"), &json!(site.stations[0]))
    );
    let line = site.get("/queue").await.done();
    assert_eq!(line["pagination"]["total"], 1);
    assert_eq!(line["items"][0]["status"], "CALLED");
}

#[tokio::test]
async fn a_driver_and_a_vehicle_stand_in_one_line_once() {
    let site = Site::new().await;
    let (first, second) = (site.truck("12가3456").await, site.truck("34나5678").await);
    site.check_in(first).await.done();
    let same_driver = Truck {
        driver: first.driver,
        ..second
    };
    let same_vehicle = Truck {
        vehicle: first.vehicle,
        ..second
    };
    for truck in [first, same_driver, same_vehicle] {
        assert_eq!(site.check_in(truck).await.failure(), "409 ALREADY_QUEUED");
    }
    assert_eq!(
        site.check_in(second).await.done()["queue_number"],
        2,
        "no number was lost"
    );
}

#[tokio::test]
async fn a_weighing_that_contradicts_what_was_said_at_check_in_is_looked_at() {
    let site = Site::new().await;
    site.execute("INSERT INTO product (code, name) VALUES ('P1', '쇄석 25mm'), ('P2', '모래')")
        .await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let other = site.truck("99라9999").await;
    let cases = [
        (
            "12가3456",
            json!({ "direction": "IN" }),
            json!({}),
            "DIRECTION_CONTRADICTED",
            "입고",
        ),
        (
            "34나5678",
            json!({ "product_id": 1 }),
            json!({ "product_id": 2 }),
            "PRODUCT_CHANGED",
            "품명",
        ),
        (
            "56다7890",
            json!({}),
            json!({ "driver_id": other.driver }),
            "DRIVER_CHANGED",
            "기사",
        ),
    ];
    for (plate, first, second, reason, word) in cases {
        let truck = site.untared_truck(plate).await;
        for (said, kg) in [(first, 9_000), (second, 25_000)] {
            let mut coming = json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle });
            coming
                .as_object_mut()
                .unwrap()
                .extend(said.as_object().unwrap().clone());
            site.post("/queue", coming).await.done();
            site.call_next(station).await.done();
            clock.catch_up();
            site.weigh(station, kg, &mut clock).await;
            site.leave(station, &mut clock).await;
        }
        let flagged = format!(
            "SELECT id FROM weigh_record WHERE needs_review AND status = 'COMPLETED' AND vehicle_id = {}",
            truck.vehicle
        );
        let record = site.count(&flagged).await;
        let record = site.get(&format!("/weigh-records/{record}")).await.done();
        assert_eq!(record["review_reason"], reason);
        let said = record["review_message"].as_str().unwrap();
        assert!(said.contains(word), "{said}");
    }
    clock.has_come().await;
}

#[tokio::test]
async fn two_stations_call_the_first_and_the_second_of_the_line() {
    let site = Site::with_stations(2).await;
    for plate in ["12가3456", "34나5678"] {
        let truck = site.truck(plate).await;
        site.check_in(truck).await.done();
    }
    assert_eq!(site.call_next(site.stations[1]).await.done()["queue_number"], 1);
    assert_eq!(site.call_next(site.stations[1]).await.failure(), "409 INVALID_STATE");
    assert_eq!(site.call_next(site.stations[0]).await.done()["queue_number"], 2);
    site.post(&format!("/stations/{}/close", site.stations[0]), json!({}))
        .await
        .done();
    assert_eq!(site.call_next(site.stations[0]).await.failure(), "409 INVALID_STATE");
}

#[tokio::test]
async fn one_truck_may_be_called_before_its_turn() {
    let site = Site::new().await;
    let (first, second) = (site.truck("12가3456").await, site.truck("34나5678").await);
    site.check_in(first).await.done();
    let second = site.check_in(second).await.done();
    let call = format!("/queue/{}/call", second["id"]);
    let station = json!({ "station_id": site.stations[0] });
    assert_eq!(site.post(&call, station.clone()).await.done()["status"], "CALLED");
    assert_eq!(site.post(&call, station.clone()).await.failure(), "409 INVALID_STATE");
    assert_eq!(site.post("/queue/999/call", station).await.failure(), "404 NOT_FOUND");
}

#[tokio::test]
async fn a_priority_has_a_reason_and_goes_first() {
    let site = Site::new().await;
    let (first, second) = (site.truck("12가3456").await, site.truck("34나5678").await);
    site.check_in(first).await.done();
    let mut body = json!({ "driver_id": second.driver, "vehicle_id": second.vehicle, "priority": true });
    assert_eq!(
        site.post("/queue", body.clone()).await.failure(),
        "400 VALIDATION_FAILED reason REQUIRED"
    );
    body["reason"] = json!("레미콘");
    assert_eq!(site.post("/queue", body).await.done()["ahead_count"], 0);
    assert_eq!(site.call_next(site.stations[0]).await.done()["queue_number"], 2);
}

#[tokio::test]
async fn an_id_that_names_nothing_is_named_by_its_field() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let good = json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle });
    for field in ["driver_id", "vehicle_id", "product_id", "customer_id", "site_id"] {
        let mut body = good.clone();
        body[field] = json!(999);
        let expected = format!("400 VALIDATION_FAILED {field} NOT_FOUND");
        assert_eq!(site.post("/queue", body).await.failure(), expected);
    }
    assert_eq!(
        site.call_next(999).await.failure(),
        "400 VALIDATION_FAILED station_id NOT_FOUND"
    );
    assert_eq!(
        site.call_next(site.stations[0]).await.failure(),
        "404 NOT_FOUND",
        "nobody waits"
    );
}

#[tokio::test]
async fn a_cancelled_entry_is_out_of_the_line_and_the_audit_log_says_why() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    site.call_next(site.stations[0]).await.done();
    let cancel = format!("/queue/{}/cancel", entry["id"]);
    assert_eq!(
        site.post(&cancel, json!({})).await.failure(),
        "400 VALIDATION_FAILED reason REQUIRED"
    );
    let reason = json!({ "reason": "고장" });
    assert_eq!(site.post(&cancel, reason.clone()).await.done()["status"], "CANCELLED");
    assert_eq!(site.post(&cancel, reason.clone()).await.failure(), "409 INVALID_STATE");
    let station = json!({ "station_id": site.stations[0] });
    let call = format!("/queue/{}/call", entry["id"]);
    assert_eq!(site.post(&call, station).await.failure(), "409 INVALID_STATE");
    assert_eq!(site.post("/queue/999/cancel", reason).await.failure(), "404 NOT_FOUND");
    let audited = "SELECT count(*) FROM v_audit WHERE actor = 'admin' AND action = 'queue.cancel' \
        AND before->>'status' = 'CALLED' AND after->>'reason' = '고장'";
    assert_eq!(site.count(audited).await, 1);
    assert_eq!(
        site.count("SELECT count(*) FROM weigh_record").await,
        0,
        "nothing was weighed"
    );
    assert_eq!(site.check_in(truck).await.done()["queue_number"], 2);
}
