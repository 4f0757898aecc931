//! A driver's app: the own place in the line, weighings, slips and notifications, and nothing of anybody else.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

use crate::support::{
    cab::Cab,
    server::{Client, PASSWORD},
    site::{Clock, Site},
};

/// Every route of the app, with a body that would do.
fn routes(slip: i64, notification: i64) -> Vec<(Method, String, Value)> {
    let (get, post) = (Method::GET, Method::POST);
    vec![
        (get.clone(), "/queue/my".to_owned(), Value::Null),
        (post.clone(), "/queue/check-in".to_owned(), json!({})),
        (post.clone(), "/queue/acknowledge".to_owned(), json!({})),
        (post.clone(), "/queue/cancel".to_owned(), json!({})),
        (get.clone(), "/records/today".to_owned(), Value::Null),
        (get.clone(), "/records/history".to_owned(), Value::Null),
        (get.clone(), format!("/slip/{slip}"), Value::Null),
        (
            post.clone(),
            format!("/slip/{slip}/share"),
            json!({ "method": "sms", "recipient": "010-1234-5678" }),
        ),
        (get, "/notifications".to_owned(), Value::Null),
        (post, format!("/notifications/{notification}/read"), json!({})),
        (Method::PUT, "/fcm-token".to_owned(), json!({ "fcm_token": "t" })),
    ]
}

async fn outcome(client: &Client, (method, path, body): &(Method, String, Value)) -> String {
    let request = client.request(method.clone(), &format!("/api/v1/mobile{path}"));
    let request = if body.is_null() { request } else { request.json(body) };
    client.send(request).await.outcome()
}

#[actix_web::test]
async fn the_apps_routes_are_for_drivers_and_show_each_what_is_their_own() {
    let site = Site::with_settings(
        1,
        &[
            ("sms.base_url", "http://127.0.0.1:9"),
            ("sms.key", "k"),
            ("sms.secret", "s"),
            ("sms.sender", "021234567"),
        ],
    )
    .await;
    let (kim, lee) = (Cab::new(&site, 1).await, Cab::new(&site, 2).await);
    let record = kim.be_weighed(&site, &mut Clock::now()).await;
    let notification = kim.first_notification().await;
    site.execute(
        "INSERT INTO app_user (login_id, password_hash, name, role) \
         SELECT 'staff', password_hash, '직원', 'STAFF' FROM app_user WHERE login_id = 'admin'",
    )
    .await;
    let staff = Client::of(site.address()).sign_in("staff", PASSWORD).await;
    let (admin, stranger) = (site.admin(), Client::of(site.address()));
    for route in routes(record, notification) {
        assert_eq!(outcome(&stranger, &route).await, "401 UNAUTHENTICATED", "{route:?}");
        assert_eq!(outcome(&staff, &route).await, "403 FORBIDDEN", "{route:?}");
        assert_eq!(outcome(admin, &route).await, "403 FORBIDDEN", "{route:?}");
    }
    for route in &routes(record, notification)[6..=9] {
        if route.1 != "/notifications" {
            assert_eq!(outcome(&lee.app, route).await, "404 NOT_FOUND", "{route:?}");
        }
    }
    assert_eq!(lee.get("/records/today").await.done()["items"], json!([]));
    assert_eq!(lee.get("/records/history").await.done()["pagination"]["total"], 0);
    assert_eq!(lee.get("/notifications").await.done()["items"], json!([]));
    assert_eq!(lee.get("/queue/my").await.done(), Value::Null);
    assert_eq!(lee.post("/queue/cancel", json!({})).await.outcome(), "404 NOT_FOUND");
    assert_eq!(kim.get(&format!("/slip/{record}")).await.done()["net_weight"], 15_000);
}

#[actix_web::test]
async fn what_a_driver_gets_wrong_is_told_by_field() {
    let site = Site::with_settings(1, &[]).await;
    let cab = Cab::new(&site, 1).await;
    let foreign = Cab::new(&site, 2).await.vehicle;
    for wrong in [
        "0",
        "-1",
        "1e3",
        "9223372036854775808",
        "18446744073709551616",
        "%31x",
        "x",
    ] {
        for path in [format!("/slip/{wrong}"), format!("/notifications/{wrong}")] {
            let reply = if path.starts_with("/slip") {
                cab.get(&path).await
            } else {
                cab.post(&format!("{path}/read"), json!({})).await
            };
            assert_eq!(reply.failure(), "400 VALIDATION_FAILED id INVALID_FORMAT", "{path}");
        }
    }
    let put = async |body: Value| cab.app.put("/api/v1/mobile/fcm-token", body).await.failure();
    assert_eq!(put(json!({})).await, "400 VALIDATION_FAILED fcm_token REQUIRED");
    assert_eq!(
        put(json!({ "fcm_token": "" })).await,
        "400 VALIDATION_FAILED fcm_token INVALID_FORMAT"
    );
    assert_eq!(
        put(json!({ "fcm_token": "a b" })).await,
        "400 VALIDATION_FAILED fcm_token INVALID_FORMAT"
    );
    assert_eq!(
        put(json!({ "fcm_token": "x".repeat(256) })).await,
        "400 VALIDATION_FAILED fcm_token TOO_LONG"
    );
    assert_eq!(
        put(json!({ "fcm_token": "t", "user": 1 })).await,
        "400 UNKNOWN_FIELD user UNKNOWN_FIELD"
    );
    let check_in = async |body: Value| cab.post("/queue/check-in", body).await.failure();
    assert_eq!(check_in(json!({ "vehicle_id": foreign })).await, "403 FORBIDDEN");
    assert_eq!(
        check_in(json!({ "driver_id": 1 })).await,
        "400 UNKNOWN_FIELD driver_id UNKNOWN_FIELD"
    );
    assert_eq!(
        check_in(json!({ "direction": "UP" })).await,
        "400 VALIDATION_FAILED direction INVALID_FORMAT"
    );
    assert_eq!(
        cab.get("/records/today?limit=101").await.failure(),
        "400 VALIDATION_FAILED limit OUT_OF_RANGE"
    );
    assert_eq!(
        cab.get("/records/history?driver_id=1").await.failure(),
        "400 UNKNOWN_FIELD driver_id UNKNOWN_FIELD"
    );
}

#[actix_web::test]
async fn a_driver_joins_the_line_hears_the_call_says_so_and_leaves() {
    let site = Site::with_settings(1, &[]).await;
    let cab = Cab::new(&site, 1).await;
    assert_eq!(cab.get("/queue/my").await.done(), Value::Null);
    let joined = cab.post("/queue/check-in", json!({})).await.done();
    assert_eq!(
        (&joined["status"], &joined["queue_number"], &joined["ahead_count"]),
        (&json!("WAITING"), &json!(1), &json!(0))
    );
    assert_eq!(
        cab.post("/queue/check-in", json!({})).await.outcome(),
        "409 ALREADY_QUEUED"
    );
    assert_eq!(
        cab.post("/queue/acknowledge", json!({})).await.outcome(),
        "409 INVALID_STATE"
    );
    site.call_next(site.stations[0]).await.done();
    let called = cab.get("/queue/my").await.done();
    assert_eq!(
        (&called["status"], &called["station"]["id"]),
        (&json!("CALLED"), &json!(site.stations[0]))
    );
    assert_eq!(called["acknowledged_at"], Value::Null);
    assert!(cab.post("/queue/acknowledge", json!({})).await.done()["acknowledged_at"].is_string());
    let left = cab.post("/queue/cancel", json!({ "reason": "고장" })).await.done();
    assert_eq!(left["status"], "CANCELLED");
    assert_eq!(cab.get("/queue/my").await.done(), Value::Null);
}

#[actix_web::test]
async fn the_app_hears_its_own_position_call_and_slip_live() {
    let site = Site::with_settings(1, &[]).await;
    let (cab, other) = (Cab::new(&site, 1).await, Cab::new(&site, 2).await);
    let mut request = format!("ws://{}/api/v1/ws", site.address())
        .into_client_request()
        .unwrap();
    let bearer = format!("Bearer {}", cab.app.token()).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = connect_async(request).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "topics": ["driver"] });
    socket.send(subscribe.to_string().into()).await.unwrap();
    // What is heard next of this type; positions that say the same again are passed over.
    let mut hear = async |kind: &str, status: &Value| loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let Ok(text) = message.to_text() else { continue };
        let said: Value = serde_json::from_str(text).unwrap_or_default();
        if said["type"] == kind && (status.is_null() || said["data"]["status"] == *status) {
            return said["data"].clone();
        }
    };
    assert_eq!(hear("snapshot", &Value::Null).await, Value::Null);
    cab.check_in(&site).await;
    let position = hear("position", &json!("WAITING")).await;
    assert_eq!(
        (&position["queue_number"], &position["ahead_count"]),
        (&json!(1), &json!(0))
    );
    other.check_in(&site).await;
    let mut clock = Clock::now();
    let station = site.stations[0];
    site.call_next(station).await.done();
    let called = hear("called", &Value::Null).await;
    assert_eq!(called["station"]["id"], station);
    assert!(
        called["deadline"].is_null(),
        "no deadline runs where no edge is linked: {called}"
    );
    site.weigh(station, 25_000, &mut clock).await;
    let slip = hear("completed", &Value::Null).await["slip"].clone();
    assert_eq!(
        (&slip["net_weight"], &slip["driver_id"]),
        (&json!(15_000), &json!(cab.driver))
    );
    site.leave(station, &mut clock).await;
    let gone = loop {
        let position = hear("position", &Value::Null).await;
        if position.is_null() {
            break position;
        }
        assert_eq!(position["queue_number"], 1, "nobody else's");
    };
    assert_eq!(gone, Value::Null);
}
