//! A completed weighing is put right: another one takes its place, its weights and its story, and nothing is edited.

mod races;
mod typed_in;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use weighbridge::db::{Runner, verify::Verify};

use crate::support::{
    cab::Cab,
    screen::Screen,
    server::{Client, PASSWORD},
    site::{Clock, Site, Truck},
};

/// A site whose one truck was called, weighed 25 t against its registered tare, and drove off; and its record.
async fn weighed() -> (Site, Truck, i64) {
    let site = Site::new().await;
    site.execute(
        "INSERT INTO product (code, name) VALUES ('P1', '쇄석 25mm'), ('P2', '모래'); \
         INSERT INTO customer (code, name) VALUES ('C7', '대한건설'); \
         INSERT INTO product (code, name, is_active) VALUES ('P3', '폐콘크리트', FALSE)",
    )
    .await;
    let truck = site.truck("12가3456").await;
    weigh(&site, truck, &[25_000]).await;
    let record = site.count("SELECT id FROM weigh_record").await;
    (site, truck, record)
}

/// A stay with each of these weights.
async fn weigh(site: &Site, truck: Truck, weights: &[i32]) {
    let (station, mut clock) = (site.stations[0], Clock::now());
    for kg in weights {
        site.check_in(truck).await.done();
        site.call_next(station).await.done();
        clock.catch_up();
        site.weigh(station, *kg, &mut clock).await;
        site.leave(station, &mut clock).await;
    }
    clock.has_come().await;
}

async fn correct(site: &Site, record: i64, body: Value) -> crate::support::server::Reply {
    site.post(&format!("/weigh-records/{record}/correct"), body).await
}

async fn broken_promises(site: &Site) -> Vec<String> {
    let runner = Runner::new(site.database().pool(), Duration::from_mins(1)).unwrap();
    let checked = runner.run(Verify).await.unwrap();
    let broken = checked.iter().filter(|checked| !checked.broken_by.is_empty());
    broken
        .map(|checked| format!("{}: {:?}", checked.promise, checked.broken_by))
        .collect()
}

/// What the ERP is told, in order: kind, slip, what it replaces, revision, product; the slip by its number of the day.
async fn told(site: &Site) -> Vec<String> {
    let query = "SELECT concat_ws(' ', kind, right(payload->>'slip_number', 3), right(payload->>'replaces', 3), payload->>'revision', \
                   payload->>'product_code') FROM outbox WHERE destination = 'ERP' ORDER BY id";
    let rows = site.connect().await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What no correction alters where the vehicle stays.
const MEASURED: [&str; 15] = [
    "vehicle_id",
    "driver_id",
    "station_id",
    "direction",
    "gross_weight",
    "tare_weight",
    "net_weight",
    "first_weight",
    "first_weighed_at",
    "first_station_id",
    "second_weight",
    "weighed_at",
    "overload",
    "manual",
    "captures",
];

#[tokio::test]
async fn another_record_takes_the_place_of_the_one_that_was_wrong() {
    let (site, truck, record) = weighed().await;
    let before = site.get(&format!("/weigh-records/{record}")).await.done();
    let corrected = correct(
        &site,
        record,
        json!({ "reason": "품목 정정", "product_id": 1, "customer_id": 1 }),
    )
    .await
    .done();
    let changed = [
        ("product_name", json!("쇄석 25mm")),
        ("customer_name", json!("대한건설")),
        ("replaces", json!(record)),
        ("replaced_by", Value::Null),
        ("revision", json!(2)),
        ("status", json!("COMPLETED")),
    ];
    for (name, expected) in changed {
        assert_eq!(corrected[name], expected, "{name}");
    }
    assert!(corrected["slip_number"].as_str().unwrap().ends_with("002"));
    for name in MEASURED {
        assert_eq!(corrected[name], before[name], "{name} stays");
    }
    let old = site.get(&format!("/weigh-records/{record}")).await.done();
    let second = corrected["id"].as_i64().unwrap();
    for (name, expected) in [
        ("status", json!("VOIDED")),
        ("void_reason", json!("품목 정정")),
        ("replaced_by", json!(second)),
        ("slip_number", before["slip_number"].clone()),
        ("captures", json!([])),
    ] {
        assert_eq!(old[name], expected, "{name}");
    }
    assert_eq!(
        site.count("SELECT record_id FROM wait_queue").await,
        second,
        "it is the entry's weighing now"
    );
    assert_eq!(
        site.get("/captures").await.done()["pagination"]["total"],
        0,
        "no weight waits for a decision"
    );
    // And once more: each correction names the one before, and all keep the order of the first slip.
    let third = correct(
        &site,
        second,
        json!({ "reason": "품목 재정정", "product_id": 2, "customer_id": null }),
    )
    .await
    .done();
    assert_eq!(
        (&third["replaces"], &third["revision"], &third["customer_name"]),
        (&json!(second), &json!(3), &Value::Null)
    );
    assert_eq!(
        told(&site).await,
        [
            "ERP_COMPLETE 001 1",
            "ERP_VOID 001 1",
            "ERP_COMPLETE 002 001 2 P1",
            "ERP_VOID 002 2 P1",
            "ERP_COMPLETE 003 002 3 P2"
        ]
    );
    let keys = "SELECT count(DISTINCT idempotency_key) * 10 + count(DISTINCT aggregate_key) FROM outbox WHERE destination = 'ERP'";
    assert_eq!(site.count(keys).await, 51, "five keys, one order");
    let audited = format!(
        "SELECT count(*) FROM v_audit WHERE action = 'record.correct' AND subject = 'weigh_record {record}' AND actor = 'admin' \
         AND after->>'reason' = '품목 정정' AND after->>'product_id' = '1' AND before->>'product_id' IS NULL \
         AND after->>'record_id' = '{second}'"
    );
    assert_eq!(site.count(&audited).await, 1);
    assert_eq!(broken_promises(&site).await, [""; 0]);
    let again = format!(
        "INSERT INTO weigh_record (site_id, station_id, vehicle_id, weighed_at, replaces) \
         SELECT site_id, station_id, vehicle_id, weighed_at, id FROM weigh_record WHERE id = {record}"
    );
    let refused = site.connect().await.batch_execute(&again).await.unwrap_err();
    let constraint = refused
        .as_db_error()
        .and_then(|error| error.constraint())
        .unwrap_or_default();
    assert!(constraint.contains("replaces"), "it is replaced once: {refused:?}");
    // What was corrected can be voided like any other: the truck gets its place back, and its weight waits.
    let void = json!({ "reason": "다른 차량", "requeue": true });
    site.post(&format!("/weigh-records/{}/void", third["id"]), void)
        .await
        .done();
    assert_eq!(told(&site).await.last().unwrap(), "ERP_VOID 003 3 P2");
    assert_eq!(site.count(keys).await, 61);
    assert_eq!(site.get("/captures").await.done()["pagination"]["total"], 1);
    let line = site.get("/queue?status=WAITING").await.done();
    assert_eq!(line["items"][0]["vehicle_id"], truck.vehicle);
    assert_eq!(broken_promises(&site).await, [""; 0]);
}

#[tokio::test]
async fn a_registered_tare_follows_its_vehicle_and_a_measured_one_stays() {
    let (site, _, record) = weighed().await;
    let other = site.truck("34나5678").await;
    site.put(
        &format!("/vehicles/{}", other.vehicle),
        json!({ "tare_weight": 12_000, "max_load": 12_500 }),
    )
    .await
    .done();
    let untared = site.untared_truck("56다7890").await;
    let vehicle =
        |truck: Truck| json!({ "reason": "다른 차량", "vehicle_id": truck.vehicle, "driver_id": truck.driver });
    assert_eq!(correct(&site, record, vehicle(untared)).await.failure(), "409 NO_TARE");
    let moved = correct(&site, record, vehicle(other)).await.done();
    let of = |record: &Value| {
        ["gross_weight", "tare_weight", "net_weight", "first_weight"].map(|name| record[name].to_string())
    };
    assert_eq!(of(&moved), ["25000", "12000", "13000", "25000"]);
    assert_eq!(
        (&moved["vehicle_plate"], &moved["driver_id"], &moved["overload"]),
        (&json!("34나5678"), &json!(other.driver), &json!("VEHICLE_OVER"))
    );
    // A tare that ended before the day of the weighing did not hold; one that is registered by now does.
    let path = format!("/vehicles/{}", untared.vehicle);
    site.put(
        &path,
        json!({ "tare_weight": 11_000, "tare_valid_until": "2026-01-01" }),
    )
    .await
    .done();
    let record = moved["id"].as_i64().unwrap();
    assert_eq!(correct(&site, record, vehicle(untared)).await.failure(), "409 NO_TARE");
    // Twice weighed.
    weigh(&site, site.untared_truck("78라1234").await, &[9_980, 25_020]).await;
    let twice = site
        .count("SELECT id FROM weigh_record WHERE second_weight IS NOT NULL")
        .await;
    let moved = correct(&site, twice, vehicle(untared)).await.done();
    assert_eq!(of(&moved), ["25020", "9980", "15040", "9980"]);
    assert_eq!(moved["captures"].as_array().unwrap().len(), 2);
    assert_eq!(broken_promises(&site).await, [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_corrected_is_told_why_and_nothing_changes() {
    let (site, truck, record) = weighed().await;
    weigh(&site, site.untared_truck("34나5678").await, &[25_000]).await;
    let open = site
        .count("SELECT id FROM weigh_record WHERE status = 'WEIGHING'")
        .await;
    weigh(&site, truck, &[24_000]).await;
    let void = site
        .count("SELECT max(id) FROM weigh_record WHERE status = 'COMPLETED'")
        .await;
    site.post(&format!("/weigh-records/{void}/void"), json!({ "reason": "시험" }))
        .await
        .done();
    let written = "SELECT count(*) * 10000 + (SELECT count(*) FROM outbox) * 100 + (SELECT count(*) FROM audit_log) FROM weigh_record";
    let before = site.count(written).await;
    let long = "가".repeat(201);
    for (body, refusal) in [
        (json!({ "product_id": 1 }), "400 VALIDATION_FAILED reason REQUIRED"),
        (
            json!({ "reason": " ", "product_id": 1 }),
            "400 VALIDATION_FAILED reason REQUIRED",
        ),
        (
            json!({ "reason": long, "product_id": 1 }),
            "400 VALIDATION_FAILED reason TOO_LONG",
        ),
        (
            json!({ "reason": "x", "vehicle_id": null }),
            "400 VALIDATION_FAILED vehicle_id REQUIRED",
        ),
        (
            json!({ "reason": "x", "vehicle_id": 0 }),
            "400 VALIDATION_FAILED vehicle_id OUT_OF_RANGE",
        ),
        (
            json!({ "reason": "x", "driver_id": -1 }),
            "400 VALIDATION_FAILED driver_id OUT_OF_RANGE",
        ),
        (
            json!({ "reason": "x", "product_id": "1" }),
            "400 VALIDATION_FAILED product_id INVALID_TYPE",
        ),
        (
            json!({ "reason": "x", "gross_weight": 1 }),
            "400 UNKNOWN_FIELD gross_weight UNKNOWN_FIELD",
        ),
        (
            json!({ "reason": "x", "vehicle_id": 99 }),
            "400 VALIDATION_FAILED vehicle_id NOT_FOUND",
        ),
        (
            json!({ "reason": "x", "driver_id": 99 }),
            "400 VALIDATION_FAILED driver_id NOT_FOUND",
        ),
        (
            json!({ "reason": "x", "product_id": 3 }),
            "400 VALIDATION_FAILED product_id NOT_FOUND",
        ),
        (
            json!({ "reason": "x", "customer_id": 99 }),
            "400 VALIDATION_FAILED customer_id NOT_FOUND",
        ),
        (json!({ "reason": "x" }), "409 NOTHING_DIFFERS"),
        (
            json!({ "reason": "x", "vehicle_id": truck.vehicle, "driver_id": truck.driver, "product_id": null }),
            "409 NOTHING_DIFFERS",
        ),
    ] {
        assert_eq!(correct(&site, record, body.clone()).await.failure(), refusal, "{body}");
    }
    let product = json!({ "reason": "x", "product_id": 1 });
    for (record, refusal) in [
        (open, "409 INVALID_STATE"),
        (void, "409 INVALID_STATE"),
        (999, "404 NOT_FOUND"),
    ] {
        assert_eq!(
            correct(&site, record, product.clone()).await.failure(),
            refusal,
            "{record}"
        );
    }
    let path = format!("/weigh-records/{record}/correct");
    let stranger = site.ask_as(&[], Method::POST, &path, &product).await;
    assert_eq!(stranger.outcome(), "401 UNAUTHENTICATED");
    assert_eq!(site.count(written).await, before, "nothing was written");
    let cab = Cab::new(&site, 1).await;
    let path = format!("/api/v1{path}");
    assert_eq!(cab.app.post(&path, product.clone()).await.outcome(), "403 FORBIDDEN");
    // Staff may; and what it names already may be out of use by now.
    site.execute(
        "INSERT INTO app_user (login_id, password_hash, name, role) \
         SELECT 'kim', password_hash, 'kim', 'STAFF' FROM app_user WHERE login_id = 'admin'; \
         UPDATE vehicle SET is_active = FALSE; UPDATE driver SET is_active = FALSE",
    )
    .await;
    let staff = Client::of(site.address()).sign_in("kim", PASSWORD).await;
    let corrected = staff.post(&path, product).await.done();
    assert_eq!(corrected["product_name"], "쇄석 25mm");
    let old = site.get(&format!("/weigh-records/{record}")).await.done();
    let kim = site.count("SELECT id FROM app_user WHERE login_id = 'kim'").await;
    assert_eq!(old["voided_by"], kim);
}

/// It was complete, and its truck still stands on the deck.
#[tokio::test]
async fn a_truck_may_still_stand_there_when_its_weighing_is_corrected() {
    let site = Site::new().await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    site.call_next(station).await.done();
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    let record = site.count("SELECT id FROM weigh_record").await;
    let corrected = correct(&site, record, json!({ "reason": "기사 정정", "driver_id": null }))
        .await
        .done();
    site.leave(station, &mut clock).await;
    let left = format!(
        "SELECT count(*) FROM wait_queue WHERE status = 'COMPLETED' AND record_id = {}",
        corrected["id"]
    );
    assert_eq!(site.count(&left).await, 1);
    assert_eq!(
        site.call_next(station).await.failure(),
        "404 NOT_FOUND",
        "the station is free"
    );
    assert_eq!(broken_promises(&site).await, [""; 0]);
}

#[tokio::test]
async fn screens_show_both_records_at_once() {
    let (site, _, record) = weighed().await;
    let mut screen = Screen::open(&site, "weighings").await;
    screen.hears("the snapshot", |frame| frame["type"] == "snapshot").await;
    correct(&site, record, json!({ "reason": "품목 정정", "product_id": 1 }))
        .await
        .done();
    let of = |id: i64, status: &'static str| {
        move |frame: &Value| frame["data"]["record"]["id"] == id && frame["data"]["record"]["status"] == status
    };
    screen.hears("the old one, void", of(record, "VOIDED")).await;
    let new = site.count("SELECT max(id) FROM weigh_record").await;
    let shown = screen.hears("the new one", of(new, "COMPLETED")).await;
    assert_eq!(shown["data"]["record"]["product_name"], "쇄석 25mm");
}
