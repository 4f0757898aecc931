//! A station knows whether a truck stands on its deck, whatever its indicator says: nobody is called to it, nobody on it loses
//! his call, and it is not waited for who has gone.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{
        EventBody, EventKind,
        event::{Capture, sha256_hex},
    },
};

use crate::support::{
    link::{BOOT, EPOCH, Link, clock, hello},
    site::Site,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The edge of a site's first station, event by event.
struct Edge {
    link: Link,
    station: i64,
    seq: i64,
    cycle: CycleId,
    on_mono_ms: i64,
}

impl Edge {
    async fn of(site: &Site) -> Self {
        let mut link = Link::connected(site, &site.key).await.unwrap();
        let mut hello = hello(site, 1, BOOT);
        hello["clock"] = json!(clock());
        link.say(&hello).await;
        link.hear("welcome").await;
        Self {
            link,
            station: site.stations[0],
            seq: 0,
            cycle: CycleId::from_bits(0),
            on_mono_ms: 0,
        }
    }

    /// What stands on the deck, as the indicator shows it.
    async fn shows(&mut self, kg: i32, state: &str) {
        self.link.shows(self.station, kg, state).await;
    }

    /// An event, stored by the time this returns.
    async fn tells(&mut self, cycle: Option<CycleId>, kind: EventKind) {
        self.seq += 1;
        let now = clock();
        let body = EventBody {
            epoch: EPOCH,
            seq: self.seq,
            station_id: self.station,
            cycle,
            at: now.wall,
            mono_ms: now.mono_ms,
            boot: now.boot,
            kind,
        };
        let body = serde_json::to_string(&body).unwrap();
        let event = json!({
            "type": "event", "epoch": EPOCH, "seq": self.seq, "sha256": sha256_hex(&body), "body": body,
        });
        self.link.say(&event).await;
        while self.link.hear("ack").await["through"] != self.seq {}
    }

    async fn drives_on(&mut self) {
        self.cycle = CycleId::from_bits(self.cycle.bits() + 1);
        self.on_mono_ms = clock().mono_ms;
        self.tells(Some(self.cycle), EventKind::VehicleOn {}).await;
    }

    async fn settles(&mut self, kg: i32) {
        let capture = Capture {
            weight: Kilograms::from_whole(kg),
            gap: false,
            on_mono_ms: self.on_mono_ms,
            raw: String::new(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        };
        self.tells(Some(self.cycle), EventKind::Capture(capture)).await;
    }

    async fn drives_off(&mut self, captured: bool) {
        let kind = EventKind::VehicleOff {
            captured,
            inferred: false,
        };
        self.tells(Some(self.cycle), kind).await;
    }

    async fn falls_silent(&mut self) {
        self.tells(None, EventKind::IndicatorDown { why: None }).await;
    }

    async fn is_heard_again(&mut self) {
        self.tells(None, EventKind::IndicatorUp {}).await;
    }

    /// Waits until the board of the station is to show this, and answers all it was to show before.
    async fn board_says(&mut self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        let said = async {
            loop {
                let text = self.link.hear("board").await["text"].as_str().unwrap().to_owned();
                if text == wanted {
                    return;
                }
                before.push(text);
            }
        };
        let said = timeout(PATIENCE, said).await;
        said.unwrap_or_else(|_| panic!("the board never says {wanted:?}, but {before:?}"));
        before
    }
}

async fn status(site: &Site) -> String {
    let station = site.get(&format!("/stations/{}", site.stations[0])).await.done();
    station["status"].as_str().unwrap().to_owned()
}

async fn entry_status(site: &Site, entry: &Value) -> String {
    let query = format!("SELECT status::text FROM wait_queue WHERE id = {}", entry["id"]);
    site.connect().await.query_one(&query, &[]).await.unwrap().get(0)
}

/// A site, a called truck, and the edge of the station to which it is called.
async fn called() -> (Site, Value, Edge) {
    let site = Site::new().await;
    let edge = Edge::of(&site).await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    site.call_next(site.stations[0]).await.done();
    (site, entry, edge)
}

#[tokio::test]
async fn an_indicator_that_flickers_under_a_truck_frees_no_deck() {
    let site = Site::new().await;
    let path = format!("/stations/{}", site.stations[0]);
    site.put(&path, json!({ "calling": "AUTO" })).await.done();
    let mut edge = Edge::of(&site).await;
    edge.drives_on().await;
    edge.settles(22_000).await;
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    edge.falls_silent().await;
    assert_eq!(status(&site).await, "ERROR");
    edge.is_heard_again().await;
    assert_eq!(status(&site).await, "WEIGHING");
    edge.shows(22_000, "captured").await;
    edge.falls_silent().await;
    edge.is_heard_again().await;
    let called = "SELECT count(*) FROM wait_queue WHERE status = 'CALLED'";
    assert_eq!(site.count(called).await, 0);
    edge.drives_off(true).await;
    edge.shows(0, "empty").await;
    let before = edge.board_says("12가3456 진입").await;
    assert!(!before.iter().any(|text| text.contains("진입")), "{before:?}");
    assert_eq!(status(&site).await, "IDLE");
}

#[tokio::test]
async fn a_truck_under_a_silent_indicator_keeps_its_call_and_nobody_is_told_to_drive_on() {
    let (site, entry, mut edge) = called().await;
    edge.board_says("12가3456 진입").await;
    let next = site.truck("34나5678").await;
    let next = site.check_in(next).await.done();
    edge.drives_on().await;
    edge.falls_silent().await;
    edge.board_says("12가3456 대기").await;
    assert_eq!(edge.link.hear("signal").await["lamp"], "red");
    let reason = json!({ "reason": "고장" });
    let cancel = format!("/queue/{}/cancel", entry["id"]);
    assert_eq!(site.post(&cancel, reason).await.failure(), "409 INVALID_STATE");
    let skip = format!("/queue/{}/skip", entry["id"]);
    assert_eq!(site.post(&skip, json!({})).await.failure(), "409 INVALID_STATE");
    let station = site.stations[0];
    for door in ["close", "open"] {
        site.post(&format!("/stations/{station}/{door}"), json!({}))
            .await
            .done();
        assert_eq!(entry_status(&site, &entry).await, "CALLED", "{door}");
    }
    edge.is_heard_again().await;
    edge.settles(22_000).await;
    edge.drives_off(true).await;
    assert_eq!(entry_status(&site, &entry).await, "COMPLETED");
    assert_eq!(entry_status(&site, &next).await, "WAITING");
}

#[tokio::test]
async fn nobody_is_promised_a_free_scale_while_no_indicator_is_heard() {
    let site = Site::new().await;
    let mut edge = Edge::of(&site).await;
    let truck = site.truck("12가3456").await;
    let entry = site.check_in(truck).await.done();
    assert_eq!((&entry["estimated_time"], &entry["eta_p50"]), (&json!(0), &json!(0)));
    edge.falls_silent().await;
    let line = site.get("/queue").await.done();
    let entry = &line["items"][0];
    for estimate in ["estimated_time", "eta_p50", "eta_p80"] {
        assert!(entry[estimate].as_i64().unwrap() > 0, "{estimate} of {entry}");
    }
}

#[tokio::test]
async fn who_has_left_with_a_lost_word_is_not_waited_for() {
    let (site, entry, mut edge) = called().await;
    edge.drives_on().await;
    edge.settles(22_000).await;
    assert_eq!(status(&site).await, "WEIGHING");
    // Its vehicle_off was lost with the edge's file.
    let free = async {
        while status(&site).await != "IDLE" {
            edge.shows(0, "empty").await;
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("the station waits for ever");
    assert_eq!(entry_status(&site, &entry).await, "COMPLETED");
}

#[tokio::test]
async fn a_deadline_does_not_run_while_another_stands_on_the_deck() {
    let (site, unseen, mut edge) = called().await;
    let halted = "SELECT count(*) FROM wait_queue WHERE deadline_paused_at IS NOT NULL";
    let until = async |edge: &mut Edge, wanted: i64, kg: i32, state: &str| {
        let looking = async {
            while site.count(halted).await != wanted {
                edge.shows(kg, state).await;
                sleep(Duration::from_millis(100)).await;
            }
        };
        let looked = timeout(PATIENCE, looking).await;
        looked.unwrap_or_else(|_| panic!("{kg} kg lie there, and never are {wanted} deadlines halted"));
    };
    // Its indicator is heard from then on.
    let halting = async {
        while site.count(halted).await == 0 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, halting)
        .await
        .expect("nobody could see the truck come");
    until(&mut edge, 0, 0, "empty").await;
    let cancel = format!("/queue/{}/cancel", unseen["id"]);
    site.post(&cancel, json!({ "reason": "다시 부름" })).await.done();

    edge.drives_on().await;
    edge.settles(22_000).await;
    let truck = site.truck("34나5678").await;
    let entry = site.check_in(truck).await.done();
    site.call_next(site.stations[0]).await.done();
    let left = "SELECT (1000000 * extract(epoch FROM deadline_at - called_at))::bigint FROM wait_queue WHERE status = 'CALLED'";
    let given = site.count(left).await;
    until(&mut edge, 1, 22_000, "captured").await;
    edge.drives_off(true).await;
    until(&mut edge, 0, 0, "empty").await;
    assert_eq!(entry_status(&site, &entry).await, "CALLED");
    assert!(site.count(left).await > given, "what was lost is given back");
}

#[tokio::test]
async fn staff_free_a_deck_that_nobody_reads() {
    let (site, entry, mut edge) = called().await;
    edge.drives_on().await;
    drop(edge);
    let rearm = format!("/stations/{}/rearm", site.stations[0]);
    let cancel = format!("/queue/{}/cancel", entry["id"]);
    let reason = json!({ "reason": "차량이 떠났고 에지가 고장" });
    assert_eq!(site.post(&cancel, reason.clone()).await.failure(), "409 INVALID_STATE");
    let freed = async {
        // The link may count as open for a moment yet.
        while site.post(&rearm, reason.clone()).await.outcome() != "200" {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, freed).await.expect("staff cannot free the deck");
    assert_eq!(status(&site).await, "IDLE");
    assert_eq!(site.post(&rearm, reason.clone()).await.failure(), "503 UNAVAILABLE");
    assert_eq!(site.post(&cancel, reason).await.done()["status"], "CANCELLED");
    let noted = "SELECT count(*) FROM audit_log WHERE action = 'station.rearm'";
    assert_eq!(site.count(noted).await, 1);
}
