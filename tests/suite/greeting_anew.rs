//! What an edge was told of its stations holds no more: it says hello again, is told anew, and nobody sees an outage.

use std::{cell::Cell, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{
    link::{Link, clock},
    screen::Screen,
    site::Site,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The edge of a site, linked.
async fn linked(site: &Site) -> Link {
    Link::open(site, &site.key).await.unwrap().0
}

/// The edge comes again after the server has sent it away in good order.
async fn comes_again(link: &mut Link, site: &Site, key: &str) -> (Link, Value) {
    assert_eq!(link.closed().await, 1012);
    Link::open(site, key).await.unwrap()
}

/// The path of the edge that was set up first.
async fn edge(site: &Site) -> String {
    format!("/edges/{}", site.get("/edges").await.done()["items"][0]["id"])
}

async fn rename(site: &Site, station: i64, name: &str) {
    let path = format!("/stations/{station}");
    site.put(&path, json!({ "name": name })).await.done();
}

/// Whether a frame shows the station so.
fn shows(frame: &Value, station: i64, key: &str, value: &str) -> bool {
    let is_so = |shown: &Value| shown["id"] == station && shown[key] == value;
    let several = frame["data"]["stations"].as_array();
    is_so(&frame["data"]) || several.is_some_and(|stations| stations.iter().any(is_so))
}

/// The weight that a frame shows of a station, and whether it is of now.
fn weight(frame: &Value, station: i64) -> Option<(f64, bool)> {
    let items = |key: &str| frame["data"][key].as_array();
    // What is there when a screen comes is in its snapshot.
    let item = items("items")
        .or_else(|| items("weights"))?
        .iter()
        .find(|item| item["station_id"] == station)?;
    Some((item["weight"].as_f64()?, item["stale"] == false))
}

async fn sees_link(screen: &mut Screen, station: i64, link: &str) {
    screen.hears(link, |frame| shows(frame, station, "link", link)).await;
}

#[tokio::test]
async fn settings_that_change_reach_an_edge_that_is_linked() {
    let site = Site::new().await;
    let path = format!("/stations/{}", site.stations[0]);
    let mut link = linked(&site).await;
    for (change, key, told) in [
        (json!({ "capture": { "dwell_ms": 200 } }), "dwell_ms", json!(200)),
        (json!({ "division": 50 }), "tolerance_kg", json!("50.00")),
    ] {
        site.put(&path, change).await.done();
        let (again, welcome) = comes_again(&mut link, &site, &site.key).await;
        assert_eq!(welcome["stations"][0]["capture"][key], told);
        link = again;
    }
}

#[tokio::test]
async fn what_another_hand_changes_reaches_it_too() {
    let site = Site::new().await;
    let mut link = linked(&site).await;
    site.execute("UPDATE weigh_station SET division = 50").await;
    let (_, welcome) = comes_again(&mut link, &site, &site.key).await;
    assert_eq!(welcome["stations"][0]["capture"]["tolerance_kg"], "50.00");
}

#[tokio::test]
async fn a_change_of_what_it_is_not_told_leaves_its_link_alone() {
    let site = Site::new().await;
    let path = format!("/stations/{}", site.stations[0]);
    let mut link = linked(&site).await;
    let change = json!({
        "name": "정문", "calling": "AUTO", "capacity": 50_000, "capture": { "leave_ms": 0, "dwell_ms": 100 },
    });
    site.put(&path, change).await.done();
    site.post(&format!("{path}/close"), json!({})).await.done();
    let same = json!({ "name": "main gate", "station_ids": site.stations });
    site.put(&edge(&site).await, same).await.done();
    link.hear("ping").await;
    link.obeys(&site).await;
}

#[tokio::test]
async fn a_command_in_hand_is_answered_before_it_is_sent_away() {
    let site = Site::new().await;
    let path = format!("/stations/{}", site.stations[0]);
    let rearm = format!("{path}/rearm");
    let mut link = linked(&site).await;
    let edge = async {
        let command = link.hear("command").await;
        site.put(&path, json!({ "division": 50 })).await.done();
        link.hear("ping").await;
        link.say(&json!({ "type": "done", "id": command["id"], "ok": true }))
            .await;
    };
    let (asked, ()) = tokio::join!(site.post(&rearm, json!({ "reason": "돌이 있음" })), edge);
    assert_eq!(asked.outcome(), "200");
    assert_eq!(link.closed().await, 1012);
}

/// A site whose edge was linked and has just been sent away to come again, and a screen that saw it linked.
async fn sent_away() -> (Site, Screen) {
    let site = Site::new().await;
    let station = site.stations[0];
    let mut link = linked(&site).await;
    let mut screen = Screen::open(&site, "stations").await;
    sees_link(&mut screen, station, "UP").await;
    let change = json!({ "division": 50 });
    site.put(&format!("/stations/{station}"), change).await.done();
    assert_eq!(link.closed().await, 1012);
    (site, screen)
}

#[tokio::test]
async fn nobody_is_shown_an_outage_while_it_comes_again() {
    let (site, mut screen) = sent_away().await;
    let station = site.stations[0];
    rename(&site, station, "보냄").await;
    let is_renamed = |name: &'static str| {
        move |frame: &Value| {
            assert!(!shows(frame, station, "link", "DOWN"), "{frame}");
            shows(frame, station, "name", name)
        }
    };
    screen.hears("the first name", is_renamed("보냄")).await;
    let _link = linked(&site).await;
    rename(&site, station, "다시 옴").await;
    screen.hears("the second name", is_renamed("다시 옴")).await;
}

#[tokio::test]
async fn one_that_does_not_come_again_is_away() {
    let (site, mut screen) = sent_away().await;
    let station = site.stations[0];
    sees_link(&mut screen, station, "DOWN").await;
}

#[tokio::test]
async fn a_station_that_is_given_to_a_linked_edge_is_seen_by_it() {
    let site = Site::new().await;
    let (of_another, _) = site.another_edge().await;
    let another = format!("/edges/{}", site.get("/edges").await.done()["items"][1]["id"]);
    let mut link = linked(&site).await;
    let mut screen = Screen::open(&site, "stations").await;
    site.put(&another, json!({ "station_ids": [] })).await.done();
    let both = json!({ "station_ids": [site.stations[0], of_another] });
    site.put(&edge(&site).await, both).await.done();
    let (mut link, welcome) = comes_again(&mut link, &site, &site.key).await;
    assert_eq!(welcome["stations"][1]["station_id"], of_another);
    sees_link(&mut screen, of_another, "UP").await;
    link.shows(of_another, 18_340, "loaded").await;
    let is_shown = |frame: &Value| weight(frame, of_another) == Some((18_340.0, true));
    screen.hears("its weight", is_shown).await;
}

#[tokio::test]
async fn a_station_that_is_taken_from_a_linked_edge_shows_no_more_of_it() {
    let site = Site::new().await;
    let station = site.stations[0];
    let mut link = linked(&site).await;
    let mut screen = Screen::open(&site, "stations").await;
    sees_link(&mut screen, station, "UP").await;
    link.shows(station, 18_340, "loaded").await;
    let is_shown = |frame: &Value| weight(frame, station) == Some((18_340.0, true));
    screen.hears("its weight", is_shown).await;
    site.put(&edge(&site).await, json!({ "station_ids": [] })).await.done();
    let (mut link, welcome) = comes_again(&mut link, &site, &site.key).await;
    assert_eq!(welcome["unknown"], json!([station, 999]));
    let (is_down, is_old) = (Cell::new(false), Cell::new(false));
    let is_gone = |frame: &Value| {
        is_down.set(is_down.get() || shows(frame, station, "link", "DOWN"));
        is_old.set(is_old.get() || weight(frame, station) == Some((18_340.0, false)));
        is_down.get() && is_old.get()
    };
    screen.hears("that it is gone", is_gone).await;
    link.shows(station, 500, "loaded").await;
    link.said_by_now().await;
    rename(&site, station, "창고").await;
    let is_renamed = |frame: &Value| {
        assert!(weight(frame, station).is_none_or(|(_, is_new)| !is_new), "{frame}");
        shows(frame, station, "name", "창고")
    };
    screen.hears("its new name", is_renamed).await;
}

#[tokio::test]
async fn a_station_out_of_use_is_none_of_its_edges() {
    let site = Site::with_stations(2).await;
    let mut link = linked(&site).await;
    site.delete(&format!("/stations/{}", site.stations[0])).await.done();
    let (_, welcome) = comes_again(&mut link, &site, &site.key).await;
    assert_eq!(welcome["unknown"], json!([site.stations[0], 999]));
    assert_eq!(welcome["stations"].as_array().map(Vec::len), Some(1));
}

/// What the site's first station shows of what its edge does not follow.
async fn unfit(site: &Site) -> Value {
    let path = format!("/stations/{}", site.stations[0]);
    site.get(&path).await.done()["capture_unfit"].clone()
}

/// The edge answers pings with this until staff see it.
async fn says_until_shown(link: &mut Link, site: &Site, said: &Value, shown: &Value) {
    let pong = json!({ "type": "pong", "t": 0, "clock": clock(), "unfit": said });
    let saying = async {
        while unfit(site).await != *shown {
            link.say(&pong).await;
        }
    };
    let is_shown = timeout(PATIENCE, saying).await.is_ok();
    assert!(is_shown, "never shown: {shown}");
}

#[tokio::test]
async fn staff_see_which_setting_an_edge_does_not_follow_until_it_does() {
    let site = Site::new().await;
    let path = format!("/stations/{}", site.stations[0]);
    let mut link = linked(&site).await;
    let wish = json!([{ "key": "dwell_ms", "value": "100", "why": "for a test" }]);
    let named = json!([{ "station_id": 999, "wishes": wish }, { "station_id": site.stations[0], "wishes": wish }]);
    says_until_shown(&mut link, &site, &named, &wish).await;
    says_until_shown(&mut link, &site, &json!([]), &json!([])).await;
    says_until_shown(&mut link, &site, &named, &wish).await;
    site.put(&path, json!({ "name": "정문" })).await.done();
    assert_eq!(unfit(&site).await, wish);
    site.put(&path, json!({ "division": 50 })).await.done();
    assert_eq!(unfit(&site).await, json!([]), "nobody knows yet");
}
