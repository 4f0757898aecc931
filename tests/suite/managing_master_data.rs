//! Staff register vehicles, drivers, stations and edges, and take them out of use.

use serde_json::{Value, json};

use crate::support::{server::TestServer, site::Site};

#[actix_web::test]
async fn a_vehicle_is_registered_once_however_its_plate_is_written() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let form = json!({"plate_number": "경기 80바 1234", "vehicle_type": "덤프트럭", "tare_weight": 10000.5, "max_load": 20000});
    let added = admin.post("/api/v1/vehicles", form).await;
    assert_eq!(added.outcome(), "201");
    assert_eq!(added.data()["plate_number"], "경기80바1234");
    assert_eq!(added.data()["tare_weight"], 10000.5);
    let again = admin
        .post("/api/v1/vehicles", json!({"plate_number": "경기80바-１２３４"}))
        .await;
    assert_eq!(again.outcome(), "409 DUPLICATE_PLATE");
    let found = admin.get("/api/v1/vehicles?search=1234").await;
    assert_eq!(found.data()["items"][0]["id"], added.data()["id"]);
    assert_eq!(
        found.data()["pagination"],
        json!({"page": 1, "limit": 20, "total": 1, "total_pages": 1})
    );
}

#[actix_web::test]
async fn a_change_leaves_what_it_does_not_name_and_empties_what_it_sends_as_null() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let form = json!({"plate_number": "12가3456", "tare_weight": 10000, "vehicle_type": "덤프트럭"});
    let id = admin.post("/api/v1/vehicles", form).await.data()["id"].clone();
    let path = format!("/api/v1/vehicles/{id}");
    let changed = admin.put(&path, json!({"tare_weight": null, "max_load": 20000})).await;
    assert_eq!(changed.data()["tare_weight"], Value::Null);
    assert_eq!(changed.data()["vehicle_type"], "덤프트럭");
    assert_eq!(changed.data()["max_load"], 20000);
    assert_eq!(admin.put(&path, json!({})).await.outcome(), "200");
    assert_eq!(
        admin.put(&path, json!({"company_id": 99})).await.body["error"]["details"][0]["code"],
        "NOT_FOUND"
    );
    assert_eq!(
        admin.put(&path, json!({"tare_weight": -1})).await.outcome(),
        "400 VALIDATION_FAILED"
    );
    assert_eq!(
        admin.put(&path, json!({"tare_weight": 1.234})).await.outcome(),
        "400 VALIDATION_FAILED"
    );
    assert_eq!(admin.delete(&path).await.data()["is_active"], false);
    assert_eq!(admin.get(&path).await.data()["is_active"], false);
    assert_eq!(
        admin.put("/api/v1/vehicles/999", json!({})).await.outcome(),
        "404 NOT_FOUND"
    );
}

#[actix_web::test]
async fn a_driver_gets_an_account_and_his_number_rests_sealed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let vehicle = admin
        .post("/api/v1/vehicles", json!({"plate_number": "12가3456"}))
        .await
        .data()["id"]
        .clone();
    let form = json!({"name": "홍길동", "phone": "010-9876-5432", "vehicle_ids": [vehicle]});
    let added = admin.post("/api/v1/drivers", form).await;
    assert_eq!(added.outcome(), "201");
    assert!(
        added.data()["app_account"]["login_id"]
            .as_str()
            .unwrap()
            .starts_with("driver_")
    );
    assert_eq!(added.headers["cache-control"], "no-store");
    let found = admin.get("/api/v1/drivers?phone=%2B82%2010-9876-5432").await;
    assert_eq!(found.data()["items"][0]["phone"], "010-9876-5432");
    let database = server.database().connect().await;
    let everything = "SELECT row_to_json(d)::text FROM driver d UNION ALL SELECT row_to_json(a)::text FROM audit_log a
        UNION ALL SELECT row_to_json(o)::text FROM outbox o UNION ALL SELECT row_to_json(u)::text FROM app_user u";
    let temporary = added.data()["app_account"]["temporary_password"].as_str().unwrap();
    let rows = database.query(everything, &[]).await.unwrap();
    assert!(rows.len() >= 5);
    for row in rows {
        let row: String = row.get(0);
        assert!(
            !row.contains("98765432") && !row.contains("9876-5432") && !row.contains(temporary),
            "{row}"
        );
    }
}

#[actix_web::test]
async fn an_edge_has_its_key_shown_once_and_at_most_two() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let station =
        json!({"name": "1번 계량대", "indicator_type": "CAS", "protocol": "cas22", "capture": {"dwell_ms": 1500}});
    let station = admin.post("/api/v1/stations", station).await;
    assert_eq!(station.outcome(), "201");
    let form = json!({"name": "edge-1", "station_ids": [station.data()["id"]]});
    let edge = admin.post("/api/v1/edges", form).await;
    let key = edge.data()["api_key"].as_str().unwrap().to_owned();
    assert!(!admin.get("/api/v1/edges").await.text.contains(&key));
    let id = edge.data()["id"].clone();
    assert_eq!(
        admin
            .post(&format!("/api/v1/edges/{id}/rotate-key"), json!({}))
            .await
            .outcome(),
        "201"
    );
    assert_eq!(
        admin
            .post(&format!("/api/v1/edges/{id}/rotate-key"), json!({}))
            .await
            .outcome(),
        "409 INVALID_STATE"
    );
    let keys = admin.get(&format!("/api/v1/edges/{id}")).await.data()["keys"].clone();
    let path = format!("/api/v1/edges/{id}/keys/{}", keys[0]["id"]);
    assert_eq!(admin.delete(&path).await.outcome(), "200");
    assert_eq!(admin.delete(&path).await.outcome(), "404 NOT_FOUND");
    let taken = admin
        .post(
            "/api/v1/edges",
            json!({"name": "edge-2", "station_ids": [station.data()["id"]]}),
        )
        .await;
    assert_eq!(taken.outcome(), "409 CONFLICT");
}

#[actix_web::test]
async fn a_station_is_refused_settings_that_one_cannot_weigh_with() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let wrong = async |extra: Value| {
        let mut form = json!({"name": "1번", "indicator_type": "CAS"});
        form.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let reply = admin.post("/api/v1/stations", form).await;
        let detail = &reply.body["error"]["details"][0];
        format!(
            "{} {} {}",
            reply.outcome(),
            detail["field"].as_str().unwrap_or(""),
            detail["code"].as_str().unwrap_or("")
        )
    };
    assert_eq!(
        wrong(json!({"capture": {"dwel_ms": 1}})).await,
        "400 UNKNOWN_FIELD capture.dwel_ms UNKNOWN_FIELD"
    );
    assert_eq!(
        wrong(json!({"capture": {"dwell_ms": 0}})).await,
        "400 VALIDATION_FAILED capture.dwell_ms OUT_OF_RANGE"
    );
    assert_eq!(
        wrong(json!({"address": "com3"})).await,
        "400 VALIDATION_FAILED address INVALID_FORMAT"
    );
    assert_eq!(
        wrong(json!({"directions": ["UP"]})).await,
        "400 VALIDATION_FAILED directions[0] INVALID_FORMAT"
    );
    assert_eq!(
        wrong(json!({"site_id": 99})).await,
        "400 VALIDATION_FAILED site_id NOT_FOUND"
    );
}

#[actix_web::test]
async fn staff_run_the_day_but_do_not_set_up_the_yard() {
    let server = TestServer::start().await;
    let database = server.database().connect().await;
    let copied = "INSERT INTO app_user (login_id, password_hash, name, role)
        SELECT 'kim', password_hash, 'kim', 'STAFF' FROM app_user WHERE login_id = 'admin'";
    database.execute(copied, &[]).await.unwrap();
    let staff = server.stranger().sign_in("kim", crate::support::server::PASSWORD).await;
    assert_eq!(
        staff
            .post("/api/v1/vehicles", json!({"plate_number": "12가3456"}))
            .await
            .outcome(),
        "201"
    );
    for path in ["/api/v1/stations", "/api/v1/edges"] {
        assert_eq!(
            staff.post(path, json!({"name": "x"})).await.outcome(),
            "403 FORBIDDEN",
            "{path}"
        );
    }
    assert_eq!(staff.get("/api/v1/admin/actors").await.outcome(), "403 FORBIDDEN");
    let restart = staff.post("/api/v1/admin/actors/repository/restart", json!({})).await;
    assert_eq!(restart.outcome(), "403 FORBIDDEN");
    let noted = "SELECT FROM v_audit WHERE action = 'actor.restart_refused' AND actor = 'kim'";
    assert_eq!(database.query(noted, &[]).await.unwrap().len(), 1);
}

#[actix_web::test]
async fn an_administrator_restarts_an_actor_while_requests_go_on() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let restarted = admin
        .post("/api/v1/admin/actors/repository/restart", json!({"reason": "drill"}))
        .await;
    assert_eq!(restarted.outcome(), "200");
    assert_eq!(restarted.data()["generation"], 2);
    assert_eq!(admin.get("/api/v1/vehicles").await.outcome(), "200");
    let nobody = admin.post("/api/v1/admin/actors/..%2Froot/restart", json!({})).await;
    assert_eq!(nobody.outcome(), "404 NOT_FOUND");
}

#[tokio::test]
async fn a_scale_is_not_set_up_so_that_it_could_not_weigh() {
    let site = Site::new().await;
    let refused = |field: &str| format!("400 VALIDATION_FAILED {field} DOES_NOT_FIT");
    for (form, field) in [
        (
            json!({ "division": 700, "capture": { "dwell_ms": 10_000 } }),
            "division",
        ),
        (
            json!({ "capacity": 1000, "capture": { "min_weight_kg": 5000 } }),
            "capacity",
        ),
        (json!({ "capacity": 100, "division": 200 }), "capacity"),
    ] {
        let mut whole = json!({ "name": "2번 계량대", "indicator_type": "CAS" });
        whole
            .as_object_mut()
            .unwrap()
            .append(&mut form.as_object().unwrap().clone());
        let answer = site.post("/stations", whole).await;
        let why = answer.body["error"]["reason"].as_str().unwrap_or_default();
        assert!(why.contains("expected"), "{}", answer.body);
        assert_eq!(answer.failure(), refused(field));
    }
    let path = format!("/stations/{}", site.stations[0]);
    for (change, field) in [
        (json!({ "capacity": 400 }), "capacity"),
        (
            json!({ "division": 60_000, "capture": { "tolerance_kg": 20 } }),
            "division",
        ),
        (
            json!({ "capture": { "min_weight_kg": 60_000 } }),
            "capture.min_weight_kg",
        ),
        (json!({ "division": 500 }), "division"),
    ] {
        assert_eq!(site.put(&path, change).await.failure(), refused(field));
    }
    let coarse = json!({ "division": 500, "capture": { "tolerance_kg": 100 } });
    assert_eq!(site.put(&path, coarse).await.done()["division"].as_f64(), Some(500.0));
    assert_eq!(
        site.put(&path, json!({ "capture": {} })).await.failure(),
        refused("capture.min_weight_kg")
    );
    // What was set up before that was looked at can still be renamed.
    site.execute("UPDATE weigh_station SET division = 700, capture_settings = '{}'")
        .await;
    site.put(&path, json!({ "name": "정문" })).await.done();
}
