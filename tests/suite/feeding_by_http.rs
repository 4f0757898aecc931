//! A gateway that speaks only HTTP posts readings, and each counts once.

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    server::Reply,
    site::{Clock, Site, reading},
};

const PATH: &str = "/internal/weigh-data";

async fn post(site: &Site, body: Value) -> Reply {
    site.post_as_edge(PATH, &site.key, body).await
}

#[tokio::test]
async fn a_called_truck_is_weighed_by_the_readings_that_are_posted() {
    let site = Site::new().await;
    let (truck, station) = (site.truck("12가3456").await, site.stations[0]);
    let entry = site.check_in(truck).await.done();
    site.call_next(station).await.done();
    let mut clock = Clock::now();
    let capture = site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    let today = Utc::now().with_timezone(&chrono_tz::Asia::Seoul).format("%Y-%m-%d");
    let records = format!("/weigh-records?start_date={today}&end_date={today}");
    let record = site.get(&records).await.done()["items"][0].clone();
    assert_eq!(
        (
            &record["gross_weight"],
            &record["tare_weight"],
            &record["net_weight"],
            &record["driver_id"]
        ),
        (&json!(25000), &json!(10000), &json!(15000), &json!(truck.driver))
    );
    assert!(record["slip_number"].as_str().unwrap().starts_with("WR"), "{record}");
    let detail = site.get(&format!("/weigh-records/{}", record["id"])).await.done();
    assert_eq!(
        (&detail["captures"][0]["id"], &detail["captures"][0]["weight"]),
        (&json!(capture), &json!(25000))
    );
    let ended = format!(
        "SELECT count(*) FROM v_queue WHERE id = {} AND status = 'COMPLETED'",
        entry["id"]
    );
    assert_eq!(site.count(&ended).await, 1);
    assert_eq!(
        site.count("SELECT count(*) FROM edge_event WHERE kind = 'reading'")
            .await,
        6
    );
}

#[tokio::test]
async fn one_stay_is_one_capture_however_long_it_lasts() {
    let site = Site::new().await;
    let mut clock = Clock::now();
    site.weigh(site.stations[0], 18_340, &mut clock).await;
    for _ in 0..10 {
        let taken = site.post_reading(site.stations[0], 18_340, &mut clock).await.done();
        assert_eq!(taken["capture_id"], Value::Null);
    }
    site.leave(site.stations[0], &mut clock).await;
    site.weigh(site.stations[0], 18_340, &mut clock).await;
    assert_eq!(
        site.count("SELECT count(*) FROM capture").await,
        2,
        "one for each return to zero"
    );
}

#[tokio::test]
async fn a_reading_with_an_identity_is_stored_exactly_once() {
    let site = Site::new().await;
    let mut clock = Clock::now();
    let mut last = Value::Null;
    let mut capture = Value::Null;
    for weight in [0, 18_340, 18_340, 18_340] {
        last = reading(site.stations[0], weight, &clock.tick());
        last["event_id"] = json!(Uuid::new_v4());
        capture = post(&site, last.clone()).await.done();
    }
    assert_eq!(
        (&capture["stored"], &capture["duplicate"]),
        (&json!(true), &json!(false))
    );
    assert!(capture["capture_id"].is_i64(), "{capture}");
    let rows = site.count("SELECT count(*) FROM edge_event").await;
    let again = post(&site, last.clone()).await.done();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["capture_id"], capture["capture_id"]);
    last["weight"] = json!(18_360);
    assert_eq!(post(&site, last).await.failure(), "409 CONFLICT");
    assert_eq!(
        site.count("SELECT count(*) FROM edge_event").await,
        rows,
        "neither left a trace"
    );
}

#[tokio::test]
async fn a_reading_without_an_identity_that_says_something_else_is_another_one() {
    let site = Site::new().await;
    let mut moving = reading(site.stations[0], 18_340, &Clock::now().tick());
    let still = moving.clone();
    moving["stable"] = json!(false);
    assert_eq!(post(&site, moving.clone()).await.done()["duplicate"], false);
    assert_eq!(post(&site, still).await.done()["duplicate"], false);
    assert_eq!(post(&site, moving).await.done()["duplicate"], true);
}

#[tokio::test]
async fn one_reading_from_far_ahead_does_not_hold_up_the_captures_after_it() {
    let site = Site::new().await;
    let ahead = |seconds| (Utc::now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
    post(&site, reading(site.stations[0], 0, &ahead(290))).await.done();
    // This sender's clock stays ten seconds ahead; what it shows settles in the time that really goes by.
    let settling = async {
        loop {
            let taken = post(&site, reading(site.stations[0], 18_340, &ahead(10))).await.done();
            if taken["capture_id"].is_i64() {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), settling)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_same_identity_posted_many_times_at_once_is_stored_once() {
    let site = Site::new().await;
    let mut body = reading(site.stations[0], 0, &Clock::now().tick());
    body["event_id"] = json!(Uuid::new_v4());
    let answers = futures_util::future::join_all((0..20).map(|_| post(&site, body.clone()))).await;
    let first = answers
        .into_iter()
        .map(Reply::done)
        .filter(|taken| taken["duplicate"] == false)
        .count();
    assert_eq!(first, 1);
    assert_eq!(site.count("SELECT count(*) FROM edge_event").await, 1);
}

#[tokio::test]
async fn a_reading_without_an_identity_is_told_apart_by_station_time_and_weight_and_marked() {
    let site = Site::new().await;
    let timestamp = Clock::now().tick();
    let body = reading(site.stations[0], 40, &timestamp);
    assert_eq!(post(&site, body.clone()).await.done()["duplicate"], false);
    assert_eq!(post(&site, body).await.done()["duplicate"], true);
    let tonnes = json!({ "station_id": site.stations[0], "weight": 0.06, "unit": "T", "timestamp": timestamp });
    assert_eq!(post(&site, tonnes).await.done()["duplicate"], false, "another weight");
    let marked = "SELECT count(*) FROM edge_event WHERE kind = 'reading' AND reason LIKE '%without an event_id%'";
    assert_eq!(site.count(marked).await, 2);
}

#[tokio::test]
async fn a_truck_that_is_found_standing_is_captured_for_staff_to_decide() {
    let site = Site::new().await;
    let (truck, station) = (site.truck("12가3456").await, site.stations[0]);
    site.check_in(truck).await.done();
    site.call_next(station).await.done();
    let mut clock = Clock::now();
    for _ in 0..4 {
        site.post_reading(station, 25_000, &mut clock).await.done();
    }
    let unassigned = site.get("/captures?state=unassigned").await.done();
    assert_eq!(
        (&unassigned["items"][0]["weight"], &unassigned["items"][0]["gap"]),
        (&json!(25000), &json!(true))
    );
}

#[tokio::test]
async fn readings_of_a_backlog_take_no_call_that_was_made_since() {
    let site = Site::new().await;
    let (truck, station) = (site.truck("12가3456").await, site.stations[0]);
    site.check_in(truck).await.done();
    site.call_next(station).await.done();
    let mut clock = Clock::long_ago();
    site.weigh(station, 25_000, &mut clock).await;
    site.leave(station, &mut clock).await;
    assert_eq!(
        site.count("SELECT count(*) FROM capture WHERE state = 'UNASSIGNED'")
            .await,
        1
    );
    assert_eq!(site.get("/queue").await.done()["items"][0]["status"], "CALLED");
}

#[tokio::test]
async fn a_gateway_whose_clock_fell_back_weighs_now_and_staff_see_that_the_time_is_a_guess() {
    let site = Site::new().await;
    let (truck, station) = (site.truck("12가3456").await, site.stations[0]);
    let mut clock = Clock::at("2020-03-01T00:00:00Z");
    let capture = site.weigh(station, 25_000, &mut clock).await;
    let listed = site.get("/captures").await.done()["items"][0].clone();
    assert_eq!(
        (&listed["doubtful"], &listed["kind"]),
        (&json!(true), &json!("capture"))
    );
    let assign = format!("/captures/{capture}/assign");
    let record = site.post(&assign, json!({ "vehicle_id": truck.vehicle })).await.done();
    let slip = record["slip_number"].as_str().unwrap();
    assert!(!slip.starts_with("WR2020"), "{slip}");
}

#[tokio::test]
async fn what_is_impossible_is_refused_and_leaves_no_trace() {
    let site = Site::new().await;
    let good = reading(site.stations[0], 25_000, &Clock::now().tick());
    let refused = [
        ("weight", json!(66_000.01), "weight OUT_OF_RANGE"),
        ("weight", json!(300_000), "weight OUT_OF_RANGE"),
        ("weight", json!(-5000), "weight OUT_OF_RANGE"),
        ("weight", json!(25_000.555), "weight OUT_OF_RANGE"),
        ("weight", json!("25000"), "weight OUT_OF_RANGE"),
        ("unit", json!("STONE"), "unit INVALID_FORMAT"),
        (
            "timestamp",
            json!("2126-01-25T14:30:00+09:00"),
            "timestamp OUT_OF_RANGE",
        ),
        ("timestamp", json!("yesterday"), "timestamp OUT_OF_RANGE"),
        ("event_id", json!("1"), "event_id INVALID_FORMAT"),
    ];
    for (field, value, expected) in refused {
        let mut body = good.clone();
        body[field] = value;
        assert_eq!(
            post(&site, body).await.failure(),
            format!("400 VALIDATION_FAILED {expected}")
        );
    }
    assert_eq!(site.count("SELECT count(*) FROM edge_event").await, 0);
}

#[tokio::test]
async fn only_the_key_of_its_edge_may_speak_for_a_station() {
    let site = Site::with_stations(1).await;
    let other = json!({ "name": "other", "station_ids": [] });
    let other = site.post("/edges", other).await.done();
    let other = other["api_key"].as_str().unwrap().to_owned();
    let body = reading(site.stations[0], 25_000, &Clock::now().tick());
    let keyless = site.ask_as(&[], Method::POST, PATH, &body).await;
    assert_eq!(keyless.failure(), "401 UNAUTHENTICATED");
    let post_by = async |key: &str, body: Value| site.post_as_edge(PATH, key, body).await.failure();
    assert_eq!(
        post_by("wbk_1_nonsense", json!({})).await,
        "401 UNAUTHENTICATED",
        "before the body is looked at"
    );
    assert_eq!(post_by(&other, body.clone()).await, "403 FORBIDDEN");
    assert_eq!(
        post_by(&site.key, reading(999, 1, &Clock::now().tick())).await,
        "403 FORBIDDEN"
    );
    assert_eq!(site.count("SELECT count(*) FROM station_cycle").await, 0);
    post(&site, body.clone()).await.done();
    let later = reading(site.stations[0], 25_000, &Clock::now().tick());
    assert_eq!(
        post_by(&other, later).await,
        "403 FORBIDDEN",
        "also of a station that is fed already"
    );
    assert_eq!(
        site.count("SELECT count(*) FROM edge_event WHERE kind = 'reading'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_rearmed_scale_captures_the_next_truck_without_a_return_to_zero() {
    let site = Site::new().await;
    let station = site.stations[0];
    let rearm = format!("/stations/{station}/rearm");
    let reason = json!({ "reason": "돌이 있음" });
    assert_eq!(
        site.post(&rearm, reason.clone()).await.failure(),
        "503 UNAVAILABLE",
        "nobody reads it"
    );
    let mut clock = Clock::now();
    site.weigh(station, 25_000, &mut clock).await;
    site.post_reading(station, 350, &mut clock).await.done();
    site.post(&rearm, reason).await.done();
    let mut captured = false;
    for kg in [350, 18_350, 18_350, 18_350, 18_350] {
        captured |= site.post_reading(station, kg, &mut clock).await.done()["capture_id"].is_i64();
    }
    assert!(captured);
    let audited = "SELECT count(*) FROM v_audit WHERE action = 'station.rearm' AND after->>'reason' = '돌이 있음'";
    assert_eq!(site.count(audited).await, 1);
}

#[tokio::test]
async fn a_station_goes_on_from_its_row_when_its_actor_starts_anew() {
    let site = Site::new().await;
    let station = site.stations[0];
    let mut clock = Clock::now();
    site.weigh(station, 25_000, &mut clock).await;
    let restart = format!("/admin/actors/indicator-{station}/restart");
    site.post(&restart, json!({ "mode": "kill" })).await.done();
    for _ in 0..5 {
        let taken = site.post_reading(station, 25_000, &mut clock).await.done();
        assert_eq!(taken["capture_id"], Value::Null, "it is the same stay");
    }
    assert_eq!(site.count("SELECT count(*) FROM capture").await, 1);
}

/// Refuses captures as a database does that is busy.
const REFUSE_CAPTURES: &str = "
    CREATE FUNCTION refuse_captures() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
    END $$;
    CREATE TRIGGER refuse_captures BEFORE INSERT ON capture FOR EACH ROW EXECUTE FUNCTION refuse_captures()";

#[tokio::test]
async fn a_commit_that_fails_changes_nothing_and_the_same_reading_may_be_posted_again() {
    let site = Site::new().await;
    let station = site.stations[0];
    let mut clock = Clock::now();
    for kg in [0, 18_340, 18_340] {
        site.post_reading(station, kg, &mut clock).await.done();
    }
    let before = site.count("SELECT count(*) FROM edge_event").await;
    site.execute(REFUSE_CAPTURES).await;
    let settling = reading(station, 18_340, &clock.tick());
    assert_eq!(post(&site, settling.clone()).await.outcome(), "503 UNAVAILABLE");
    assert_eq!(site.count("SELECT count(*) FROM edge_event").await, before);
    site.execute("DROP TRIGGER refuse_captures ON capture").await;
    let taken = post(&site, settling).await.done();
    assert!(taken["duplicate"] == false && taken["capture_id"].is_i64(), "{taken}");
    assert_eq!(site.count("SELECT count(*) FROM capture").await, 1);
}
