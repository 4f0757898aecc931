//! Staff decide whose weighing a capture is that no call explains.

use serde_json::json;

use crate::support::site::{Clock, Site};

#[tokio::test]
async fn an_unknown_truck_is_assigned_by_staff_and_gets_its_slip() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let capture = site.weigh(site.stations[0], 25_000, &mut Clock::now()).await;
    let waiting = site.get("/captures?state=unassigned").await.done();
    assert_eq!(
        (
            &waiting["items"][0]["id"],
            &waiting["items"][0]["weight"],
            &waiting["items"][0]["unit"]
        ),
        (&json!(capture), &json!(25000), &json!("KG"))
    );
    let assign = format!("/captures/{capture}/assign");
    let parties = json!({ "vehicle_id": truck.vehicle, "driver_id": truck.driver });
    let record = site.post(&assign, parties.clone()).await.done();
    assert_eq!(
        (&record["status"], &record["net_weight"]),
        (&json!("COMPLETED"), &json!(15000))
    );
    assert!(record["slip_number"].as_str().unwrap().ends_with("001"), "{record}");
    assert_eq!(site.post(&assign, parties).await.failure(), "409 INVALID_STATE");
    let assigned = site.get("/captures?state=assigned").await.done();
    assert_eq!(assigned["items"][0]["record_id"], record["id"]);
    let audited = "SELECT count(*) FROM v_audit WHERE action = 'capture.assign' AND actor = 'admin'";
    assert_eq!(site.count(audited).await, 1);
}

#[tokio::test]
async fn two_captures_of_a_truck_without_tare_make_one_record() {
    let site = Site::new().await;
    let truck = site.untared_truck("12가3456").await;
    let mut clock = Clock::now();
    let parties = json!({ "vehicle_id": truck.vehicle });
    let mut records = Vec::new();
    for kg in [25_000, 9_980] {
        let capture = site.weigh(site.stations[0], kg, &mut clock).await;
        site.leave(site.stations[0], &mut clock).await;
        records.push(
            site.post(&format!("/captures/{capture}/assign"), parties.clone())
                .await
                .done(),
        );
    }
    assert_eq!(
        (&records[0]["status"], &records[0]["slip_number"]),
        (&json!("WEIGHING"), &json!(null))
    );
    assert_eq!(
        (&records[1]["status"], &records[1]["net_weight"]),
        (&json!("COMPLETED"), &json!(15020))
    );
    assert_eq!(records[0]["id"], records[1]["id"]);
}

#[tokio::test]
async fn a_capture_of_nothing_is_dismissed_for_a_reason() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let capture = site.weigh(site.stations[0], 25_000, &mut Clock::now()).await;
    let dismiss = format!("/captures/{capture}/dismiss");
    assert_eq!(
        site.post(&dismiss, json!({})).await.failure(),
        "400 VALIDATION_FAILED reason REQUIRED"
    );
    let reason = json!({ "reason": "시험 계량" });
    let dismissed = site.post(&dismiss, reason.clone()).await.done();
    assert_eq!(
        (&dismissed["state"], &dismissed["reason"]),
        (&json!("DISMISSED"), &json!("시험 계량"))
    );
    assert_eq!(site.post(&dismiss, reason).await.failure(), "409 INVALID_STATE");
    let parties = json!({ "vehicle_id": truck.vehicle });
    let assign = format!("/captures/{capture}/assign");
    assert_eq!(site.post(&assign, parties).await.failure(), "409 INVALID_STATE");
}

#[tokio::test]
async fn an_id_that_names_nothing_decides_nothing() {
    let site = Site::new().await;
    let truck = site.truck("12가3456").await;
    let capture = site.weigh(site.stations[0], 25_000, &mut Clock::now()).await;
    let assign = format!("/captures/{capture}/assign");
    for field in ["vehicle_id", "driver_id", "product_id", "customer_id"] {
        let mut parties = json!({ "vehicle_id": truck.vehicle });
        parties[field] = json!(999);
        let expected = format!("400 VALIDATION_FAILED {field} NOT_FOUND");
        assert_eq!(site.post(&assign, parties).await.failure(), expected);
    }
    let parties = json!({ "vehicle_id": truck.vehicle });
    assert_eq!(
        site.post("/captures/999/assign", parties.clone()).await.failure(),
        "404 NOT_FOUND"
    );
    let nobody = format!("/captures/{:032x}-7/assign", 1);
    assert_eq!(site.post(&nobody, parties.clone()).await.failure(), "404 NOT_FOUND");
    let wrong = site.post("/captures/x/assign", parties).await.failure();
    assert_eq!(wrong, "400 VALIDATION_FAILED id INVALID_FORMAT");
    assert_eq!(
        site.count("SELECT count(*) FROM capture WHERE state = 'UNASSIGNED'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_weight_that_is_older_than_the_first_pass_was_taken_before_it() {
    let site = Site::new().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let truck = site.untared_truck("12가3456").await;
    let loaded = site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    site.check_in(truck).await.done();
    site.call_next(station).await.done();
    clock.catch_up();
    let empty = site.weigh(station, 9_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    let assign = format!("/captures/{loaded}/assign");
    let record = site.post(&assign, json!({ "vehicle_id": truck.vehicle })).await.done();
    assert_eq!(
        (&record["status"], &record["direction"], &record["net_weight"]),
        (&json!("COMPLETED"), &json!("IN"), &json!(16_000))
    );
    let in_order = format!(
        "SELECT count(*) FROM weigh_record r JOIN capture c ON c.id = r.second_capture_id
         WHERE r.first_capture_id = {loaded} AND c.id = {empty} AND r.weighed_at = c.captured_at"
    );
    assert_eq!(site.count(&in_order).await, 1);
    let told = "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE'";
    assert_eq!(site.count(told).await, 1, "ERP hears of it, whichever pass came last");
    // What is assigned anew after a void is another weighing for the ERP.
    let void = format!("/weigh-records/{}/void", record["id"]);
    site.post(&void, json!({ "reason": "다시" })).await.done();
    for capture in [empty, loaded] {
        let assign = format!("/captures/{capture}/assign");
        site.post(&assign, json!({ "vehicle_id": truck.vehicle })).await.done();
    }
    let keys = "SELECT count(DISTINCT idempotency_key) FROM outbox WHERE kind = 'ERP_COMPLETE'";
    assert_eq!(site.count(keys).await, 2);
}

#[tokio::test]
async fn a_weight_of_one_site_completes_no_record_of_another() {
    let site = Site::with_stations(2).await;
    let truck = site.untared_truck("12가3456").await;
    let mut clock = Clock::now();
    let mut captures = Vec::new();
    for station in &site.stations {
        captures.push(site.weigh(*station, 25_000, &mut clock).await);
        site.leave(*station, &mut clock).await;
    }
    let apart = format!(
        "INSERT INTO site (id, name, slip_prefix) VALUES (2, '둘째', 'XR');
         UPDATE weigh_station SET site_id = 2 WHERE id = {}",
        site.stations[1]
    );
    site.execute(&apart).await;
    for capture in captures {
        let assign = format!("/captures/{capture}/assign");
        let record = site.post(&assign, json!({ "vehicle_id": truck.vehicle })).await.done();
        assert_eq!(record["status"], "WEIGHING", "{record}");
    }
}

#[tokio::test]
async fn a_weight_of_a_truck_that_is_called_elsewhere_is_its_first_pass_unless_it_is_a_whole_weighing() {
    let site = Site::with_stations(2).await;
    let mut clock = Clock::now();
    for (truck, nets) in [
        (site.untared_truck("12가3456").await, "16000"),
        (site.truck("34나5678").await, "15000, 14000"),
    ] {
        let before = site.weigh(site.stations[0], 25_000, &mut clock).await;
        site.leave(site.stations[0], &mut clock).await;
        site.check_in(truck).await.done();
        site.call_next(site.stations[1]).await.done();
        let assign = format!("/captures/{before}/assign");
        site.post(&assign, json!({ "vehicle_id": truck.vehicle })).await.done();
        clock.catch_up();
        let kg = if nets == "16000" { 9_000 } else { 24_000 };
        site.weigh(site.stations[1], kg, &mut clock).await;
        site.leave(site.stations[1], &mut clock).await;
        let records = format!(
            "SELECT string_agg(status || ' ' || net_weight::int, ', ' ORDER BY weighed_at) FROM weigh_record WHERE vehicle_id = {}",
            truck.vehicle
        );
        let expected = nets.split(", ").map(|net| format!("COMPLETED {net}"));
        assert_eq!(site.text(&records).await, expected.collect::<Vec<_>>().join(", "));
        let entry = format!(
            "SELECT count(*) FROM wait_queue WHERE vehicle_id = {} AND status = 'COMPLETED'",
            truck.vehicle
        );
        assert_eq!(site.count(&entry).await, 1);
    }
}
