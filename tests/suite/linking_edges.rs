//! An edge proves itself by its key before its link opens.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, link::event::sha256_hex};

use crate::support::{
    link::{Link, PATH, hello},
    site::Site,
};

/// How the server refuses a link.
async fn refusal(site: &Site, key: &str) -> u16 {
    match Link::open(site, key).await {
        Ok(_) => panic!("the link is open"),
        Err(status) => status,
    }
}

#[tokio::test]
async fn an_edge_with_its_key_is_welcomed_as_that_edge() {
    let site = Site::new().await;
    let (_link, welcome) = Link::open(&site, &site.key).await.unwrap();
    assert_eq!(
        (&welcome["type"], &welcome["edge"]["name"]),
        (&json!("welcome"), &json!("gate"))
    );
    assert_eq!(welcome["stations"][0]["station_id"], site.stations[0]);
    assert_eq!(welcome["stations"][0]["capture"]["dwell_ms"], 100);
    assert_eq!(welcome["unknown"], json!([999]));
}

#[tokio::test]
async fn without_a_right_key_there_is_no_link() {
    let site = Site::new().await;
    assert_eq!(refusal(&site, "wbk_1_nonsense").await, 401);
    let keyless = site.ask_as(&[], Method::GET, PATH, &Value::Null).await;
    assert_eq!(keyless.failure(), "401 UNAUTHENTICATED");
    let no_upgrade = site
        .ask_as(&[("x-api-key", &site.key)], Method::GET, PATH, &Value::Null)
        .await;
    assert_eq!(no_upgrade.status, 400, "the key is right, but it asks for no socket");
}

#[tokio::test]
async fn a_key_counts_until_it_is_ended_and_a_second_one_beside_it() {
    let site = Site::new().await;
    let edges = site.get("/edges").await.done();
    let (edge, first) = (
        edges["items"][0]["id"].clone(),
        edges["items"][0]["keys"][0]["id"].clone(),
    );
    let rotated = site.post(&format!("/edges/{edge}/rotate-key"), json!({})).await.done();
    let second = rotated["api_key"].as_str().unwrap();
    assert!(Link::open(&site, second).await.is_ok());
    let (mut opened, _) = Link::open(&site, &site.key).await.unwrap();
    site.delete(&format!("/edges/{edge}/keys/{first}")).await.done();
    assert_eq!(opened.closed().await, 1012, "what the key opened ends with it");
    assert_eq!(refusal(&site, &site.key).await, 401);
    assert!(Link::open(&site, second).await.is_ok());
}

#[tokio::test]
async fn an_edge_that_is_taken_out_of_use_is_told_so() {
    let site = Site::new().await;
    let edge = site.get("/edges").await.done()["items"][0]["id"].clone();
    let path = format!("/edges/{edge}");
    let (mut opened, _) = Link::open(&site, &site.key).await.unwrap();
    site.delete(&path).await.done();
    assert_eq!(opened.closed().await, 4403);
    assert_eq!(refusal(&site, &site.key).await, 401);
    site.put(&path, json!({"is_active": true})).await.done();
    let (mut opened, _) = Link::open(&site, &site.key).await.unwrap();
    site.put(&path, json!({"is_active": false})).await.done();
    assert_eq!(opened.closed().await, 4403);
}

#[tokio::test]
async fn an_edge_whose_hello_is_refused_leaves_the_link_of_that_key_alone() {
    let site = Site::new().await;
    let (mut healthy, _) = Link::open(&site, &site.key).await.unwrap();
    let mut other = Link::connected(&site, &site.key).await.unwrap();
    other.say(&hello(&site, 99, Uuid::from_u128(8))).await;
    assert_eq!(other.closed().await, 4426);
    healthy.obeys(&site).await;

    let mut of_another_edge = hello(&site, 1, Uuid::from_u128(8));
    of_another_edge["epochs"][0]["epoch"] = json!(Epoch::from_bits(2));
    let second = site
        .post("/edges", json!({ "name": "second gate", "station_ids": [] }))
        .await
        .done();
    let mut owner = Link::connected(&site, second["api_key"].as_str().unwrap())
        .await
        .unwrap();
    owner.say(&of_another_edge).await;
    owner.hear("welcome").await;
    let mut other = Link::connected(&site, &site.key).await.unwrap();
    other.say(&of_another_edge).await;
    assert_eq!(other.closed().await, 4403);
    healthy.obeys(&site).await;
}

#[tokio::test]
async fn a_key_that_is_ended_before_the_hello_opens_no_link() {
    let site = Site::new().await;
    let mut early = Link::connected(&site, &site.key).await.unwrap();
    let edges = site.get("/edges").await.done();
    let (edge, key) = (&edges["items"][0]["id"], &edges["items"][0]["keys"][0]["id"]);
    site.delete(&format!("/edges/{edge}/keys/{key}")).await.done();
    early.say(&hello(&site, 1, Uuid::from_u128(8))).await;
    assert_eq!(early.closed().await, 1012);
}

#[tokio::test]
async fn two_gateways_with_one_key_are_alarmed_when_they_take_the_link_from_each_other() {
    let site = Site::new().await;
    let mut links = Vec::new();
    let alarms = async || {
        let text = site.admin().get("/metrics").await.text;
        let mut counted = text
            .lines()
            .filter_map(|line| line.strip_prefix("edge_key_shared_total "));
        counted.next().map(str::to_owned)
    };
    for boot in [8, 9, 8, 9] {
        let mut link = Link::connected(&site, &site.key).await.unwrap();
        link.say(&hello(&site, 1, Uuid::from_u128(boot))).await;
        link.hear("welcome").await;
        links.push(link);
    }
    assert_eq!(alarms().await, None, "machines that were swapped look so");
    let mut link = Link::connected(&site, &site.key).await.unwrap();
    link.say(&hello(&site, 1, Uuid::from_u128(8))).await;
    link.hear("welcome").await;
    assert_eq!(alarms().await.as_deref(), Some("1"));
    for link in &mut links {
        assert_eq!(link.closed().await, 4409);
    }
}

#[tokio::test]
async fn what_is_no_websocket_ends_the_link_with_the_code_that_says_why() {
    let site = Site::new().await;
    for (opcode, payload, code) in [
        (OpCode::Data(Data::Reserved(3)), b"x".to_vec(), 1002),
        (OpCode::Data(Data::Text), b"\xFF\xFE".to_vec(), 1007),
        (OpCode::Data(Data::Text), vec![b' '; 300 * 1024], 1009),
        (OpCode::Data(Data::Text), b"{\"type\":\"nonsense\"}".to_vec(), 4400),
        (OpCode::Data(Data::Binary), b"{}".to_vec(), 4400),
    ] {
        let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
        link.send_frame(opcode, payload).await;
        assert_eq!(link.closed().await, code, "{opcode:?}");
    }
}

#[tokio::test]
async fn an_edge_comes_from_its_networks_alone() {
    let site = Site::new().await;
    site.execute("UPDATE edge_gateway SET allowed_addresses = '{10.0.0.0/8}'")
        .await;
    assert_eq!(refusal(&site, &site.key).await, 401);
    site.execute("UPDATE edge_gateway SET allowed_addresses = '{10.0.0.0/8,127.0.0.1}'")
        .await;
    assert!(Link::open(&site, &site.key).await.is_ok());
}

#[tokio::test]
async fn who_guesses_keys_has_to_wait() {
    let site = Site::new().await;
    for _ in 0..10 {
        assert_eq!(refusal(&site, "wbk_1_guess").await, 401);
    }
    let eleventh = site.ask_as(&[], Method::GET, PATH, &Value::Null).await;
    assert_eq!(eleventh.outcome(), "429 RATE_LIMITED");
    assert!(eleventh.headers.contains_key("retry-after"));
    for guess in ["wbk_1_guess", "wbk_1_another", "wbk_1_another"] {
        assert_eq!(refusal(&site, guess).await, 429);
    }
    assert!(
        Link::open(&site, &site.key).await.is_ok(),
        "others' guesses are not its own"
    );
    let weight = json!({});
    let posted = site
        .ask_as(
            &[("x-api-key", &site.key)],
            Method::POST,
            "/internal/weigh-data",
            &weight,
        )
        .await;
    assert_eq!(posted.status, 400, "the key is right, the weight is none");
}

#[tokio::test]
async fn a_scale_is_rearmed_by_the_edge_that_is_linked() {
    let site = Site::new().await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let (path, reason) = (
        format!("/stations/{}/rearm", site.stations[0]),
        json!({ "reason": "돌이 있음" }),
    );
    for (ok, expected) in [(true, "200"), (false, "409 INVALID_STATE")] {
        let edge = async {
            let command = link.hear("command").await;
            assert_eq!(
                (&command["action"], &command["reason"]),
                (&json!("rearm"), &reason["reason"])
            );
            link.say(&json!({ "type": "done", "id": command["id"], "ok": ok }))
                .await;
        };
        let (asked, ()) = tokio::join!(site.post(&path, reason.clone()), edge);
        assert_eq!(asked.outcome(), expected);
    }
    let audited = "SELECT count(*) FROM v_audit WHERE action = 'station.rearm' AND after->>'reason' = '돌이 있음'";
    assert_eq!(site.count(audited).await, 1, "what was refused was not done");
}

#[tokio::test]
async fn staff_see_what_an_edge_has_lost() {
    let site = Site::new().await;
    let mut greeting = hello(&site, 1, Uuid::nil());
    greeting["epochs"][0]["next_seq"] = json!(200);
    greeting["epochs"][0]["missing"] = json!([[120, 150], [7, 7]]);
    let mut link = Link::connected(&site, &site.key).await.unwrap();
    link.say(&greeting).await;
    link.hear("welcome").await;
    let listed = site.get("/edges").await.done();
    let edge = site.get(&format!("/edges/{}", listed["items"][0]["id"])).await.done();
    assert_eq!((&edge["name"], &edge["lost_events"]), (&json!("gate"), &json!(32)));
    let ranges: Vec<_> = edge["lost"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lost| (&lost["from"], &lost["to"]))
        .collect();
    assert_eq!(ranges, [(&json!(7), &json!(7)), (&json!(120), &json!(150))]);
    assert_eq!(edge["lost"][0]["epoch"], greeting["epochs"][0]["epoch"]);
    assert_eq!(edge["conflicts"], json!([]));
}

#[tokio::test]
async fn staff_see_of_what_was_set_aside_all_that_can_be_read() {
    let site = Site::with_stations(2).await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let epoch = hello(&site, 1, Uuid::nil())["epochs"][0]["epoch"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = chrono::Utc::now() - chrono::TimeDelta::days(100);
    let kinds = [
        (
            "capture",
            json!({ "weight": "300000.00", "on_mono_ms": 1, "raw": "0d", "curve": [] }),
        ),
        ("teleport", json!({})),
    ];
    for ((kind, payload), seq) in kinds.into_iter().zip(1..) {
        let body = json!({
            "epoch": epoch, "seq": seq, "station_id": site.stations[1], "cycle": "00000000000000000000000000000003",
            "at": at.to_rfc3339(), "mono_ms": 1, "boot": Uuid::nil(), "kind": kind, "payload": payload,
        });
        let body = body.to_string();
        let event = json!({ "type": "event", "epoch": epoch, "seq": seq, "sha256": sha256_hex(&body), "body": body });
        link.say(&event).await;
        while link.hear("ack").await["through"] != seq {}
    }
    let path = format!("/captures?state=rejected&station_id={}", site.stations[1]);
    let listed = site.get(&path).await.done();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2), "{listed}");
    let items = listed["items"].as_array().unwrap();
    let capture = items.iter().find(|item| item["kind"] == "capture").unwrap();
    assert_eq!(
        (&capture["weight"], &capture["station_name"], &capture["doubtful"]),
        (&json!(300_000), &json!("2번 계량대"), &json!(true))
    );
    let taken_at = capture["captured_at"].as_str().unwrap();
    let taken_at = chrono::DateTime::parse_from_rfc3339(taken_at).unwrap();
    assert_eq!(taken_at.timestamp_millis(), at.timestamp_millis());
    assert!(items.iter().any(|item| item["kind"] == "teleport"), "{listed}");
    let elsewhere = format!("/captures?state=rejected&station_id={}", site.stations[0]);
    assert_eq!(site.get(&elsewhere).await.done()["items"], json!([]));

    let vehicle = site.truck("12가3456").await.vehicle;
    let assign = format!("/captures/{}/assign", capture["id"].as_str().unwrap());
    site.post(&assign, json!({ "vehicle_id": vehicle })).await.done();
    let dated = "SELECT count(*) FROM weigh_record WHERE weighed_at < now() - interval '99 days'";
    assert_eq!(site.count(dated).await, 1, "it was taken when its edge says");
}
