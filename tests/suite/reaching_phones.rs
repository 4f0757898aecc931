//! Pushes to drivers' phones: each call to each device, nothing that is no longer true, and what FCM answers is understood.
//!
//! FCM is a process of its own that speaks HTTP/2 and refuses what the real one refuses.

mod again;
mod corrected;

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    cab::Cab,
    site::{Clock, Site},
    stand_in::{StandIn, is_send},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A send of this type, whether it was taken or not.
fn of_type(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |line| is_send(line) && line["body"]["message"]["data"]["type"] == kind
}

fn at(line: &Value) -> DateTime<Utc> {
    line["at"].as_str().unwrap().parse().unwrap()
}

fn token(line: &Value) -> &str {
    line["body"]["message"]["token"].as_str().unwrap()
}

/// Waits until the pushes of this kind stand so in the outbox.
async fn settled(site: &Site, kind: &str, states: &[&str]) -> Vec<(String, i32, Option<String>)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = site
            .connect()
            .await
            .query(
                "SELECT state, attempts, last_error FROM outbox WHERE kind = $1 ORDER BY id",
                &[&kind],
            )
            .await
            .unwrap();
        let rows: Vec<(String, i32, Option<String>)> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        if rows.len() == states.len() && rows.iter().zip(states).all(|(row, state)| row.0 == *state) {
            return rows;
        }
        assert!(Instant::now() < until, "{kind}: {rows:?}, expected {states:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn a_call_reaches_every_device_and_a_recall_does_again() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let cab = Cab::new(&site, 1).await;
    let second = cab.on_second_device().await;
    cab.tell_token("phone-one").await;
    second.tell_token("phone-two").await;
    let entry = cab.check_in(&site).await;
    let began = Utc::now();
    site.call_next(site.stations[0]).await.done();
    let calls = fcm.got(2, of_type("QUEUE_CALLED")).await;
    let arrived: Vec<i64> = calls.iter().map(|call| (at(call) - began).num_milliseconds()).collect();
    println!("from the call's request to FCM, the first access token included: {arrived:?} ms");
    let tokens: BTreeSet<&str> = calls.iter().map(token).collect();
    assert_eq!(tokens, BTreeSet::from(["phone-one", "phone-two"]));
    let message = &calls[0]["body"]["message"];
    assert_eq!(calls[0]["status"], 200);
    assert_eq!(message["android"]["collapse_key"], format!("queue-{entry}"));
    assert_eq!(
        message["android"]["ttl"].as_str().unwrap().len(),
        "120s".len(),
        "{message}"
    );
    assert!(
        message["notification"]["body"].as_str().unwrap().contains("1번 계량대"),
        "{message}"
    );
    let words = message.to_string();
    assert!(
        !words.contains("기사1") && !words.contains("5555"),
        "no person: {words}"
    );
    site.post(&format!("/queue/{entry}/recall"), json!({})).await.done();
    let calls = fcm.got(4, of_type("QUEUE_CALLED")).await;
    let ids: BTreeSet<&str> = calls
        .iter()
        .filter_map(|call| call["body"]["message"]["data"]["call_id"].as_str())
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    settled(&site, "PUSH_CALLED", &["SENT", "SENT"]).await;
    let listed = cab.get("/notifications?unread=true").await.done();
    assert_eq!(listed["pagination"]["total"], 2);
    let first = listed["items"][0]["id"].as_i64().unwrap();
    assert_eq!(
        cab.post(&format!("/notifications/{first}/read"), json!({}))
            .await
            .done()["is_read"],
        true
    );
    assert_eq!(
        cab.get("/notifications?unread=true").await.done()["pagination"]["total"],
        1
    );
}

#[actix_web::test]
async fn the_slip_is_pushed_when_the_truck_is_weighed() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    let record = cab.be_weighed(&site, &mut Clock::now()).await;
    let slip = &fcm.got(1, of_type("WEIGHING_COMPLETED")).await[0]["body"]["message"];
    assert_eq!(slip["data"]["record_id"], record.to_string());
    assert_eq!(slip["data"]["net_weight"], "15000");
    assert_eq!(slip["android"]["priority"], "NORMAL");
    assert_eq!(slip["android"]["collapse_key"], format!("slip-{record}"));
}

#[actix_web::test]
async fn a_call_that_ends_on_the_deck_is_taken_back_on_the_phone_at_once() {
    let fcm = StandIn::start("fcm", &[]);
    // Nobody looks by himself what is owed: it is announced.
    let site = Site::pushing_to(&fcm, &[("delivery.look_every", "1h")]).await;
    let (station, mut clock) = (site.stations[0], Clock::now());
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    cab.check_in(&site).await;
    site.call_next(station).await.done();
    fcm.got(1, of_type("QUEUE_CALLED")).await;
    clock.catch_up();
    for kg in [0, 24_000, 25_000, 0] {
        site.post_reading(station, kg, &mut clock).await.done();
    }
    let told = fcm.got(1, of_type("QUEUE_WITHDRAWN")).await;
    assert_eq!(told[0]["body"]["message"]["data"]["reason"], "LEFT_UNWEIGHED");
    site.call_next(station).await.done();
    fcm.got(2, of_type("QUEUE_CALLED")).await;
    clock.catch_up();
    site.weigh(station, 25_000, &mut clock).await;
    let record = site.count("SELECT id FROM weigh_record").await;
    let void = json!({ "reason": "다른 차량", "requeue": true });
    site.post(&format!("/weigh-records/{record}/void"), void).await.done();
    let told = fcm.got(2, of_type("QUEUE_WITHDRAWN")).await;
    assert_eq!(told[1]["body"]["message"]["data"]["reason"], "VOIDED");
}

/// OB-09, at the size of every day.
#[actix_web::test]
async fn whoever_cancels_in_the_instant_of_the_call_is_not_called() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[("database.pool", "8")]).await;
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    let mut cancelled: Vec<(i64, DateTime<Utc>)> = Vec::new();
    for round in 0..25_u64 {
        let entry = cab.check_in(&site).await;
        let cancelling = async {
            // The instant moves over the whole of the call, and beyond it.
            sleep(Duration::from_micros(round * 700)).await;
            cab.cancel(&site, entry).await;
            Utc::now()
        };
        let (_, at) = tokio::join!(site.call_next(site.stations[0]), cancelling);
        cancelled.push((entry, at));
    }
    let states = "SELECT count(*) FROM outbox WHERE kind LIKE 'PUSH_%' AND state NOT IN ('SENT', 'DISCARDED')";
    let until = Instant::now() + PATIENCE;
    while site.count(states).await > 0 {
        assert!(Instant::now() < until, "pushes are still owed");
        sleep(Duration::from_millis(20)).await;
    }
    let calls = fcm.all(of_type("QUEUE_CALLED")).await;
    let mut seen = BTreeSet::new();
    for call in &calls {
        let data = &call["body"]["message"]["data"];
        let entry: i64 = data["queue_id"].as_str().unwrap().parse().unwrap();
        let at = at(call);
        let cancelled_at = cancelled.iter().find(|(id, _)| *id == entry).unwrap().1;
        assert!(
            at <= cancelled_at + chrono::TimeDelta::seconds(1),
            "{entry}: {at} after {cancelled_at}"
        );
        assert!(seen.insert(data["call_id"].to_string()), "twice: {data}");
    }
    let told = site
        .count("SELECT count(*) FROM outbox WHERE kind = 'PUSH_CALLED' AND state = 'DISCARDED'")
        .await;
    println!(
        "25 cancellations: {} calls were told before, {told} were not told any more",
        calls.len()
    );
}

/// OB-10: what FCM says of a device, of the message, and of itself.
#[actix_web::test]
async fn what_fcm_answers_is_understood() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let mut cabs = Vec::new();
    for (number, token) in (1..).zip(["gone-1", "malformed-1", "stranger-1", "phone-4"]) {
        let cab = Cab::new(&site, number).await;
        cab.tell_token(token).await;
        cabs.push(cab);
    }
    let tokens = async || {
        site.count("SELECT count(*) FROM login_session WHERE fcm_token IS NOT NULL")
            .await
    };
    assert_eq!(tokens().await, 4);
    for cab in &cabs[..3] {
        let entry = cab.check_in(&site).await;
        site.call_next(site.stations[0]).await.done();
        fcm.got(1, |line| {
            of_type("QUEUE_CALLED")(line)
                && line["body"]["message"]["data"]["queue_id"].as_str() == Some(&entry.to_string())
        })
        .await;
        cab.cancel(&site, entry).await;
    }
    settled(&site, "PUSH_CALLED", &["DISCARDED"; 3]).await;
    assert_eq!(tokens().await, 1, "only the devices that FCM spoke of are forgotten");
    // A wrong message is dead at once, forgets nobody, and holds nothing else back.
    fcm.told("fail bad-payload");
    cabs[3].be_weighed(&site, &mut Clock::now()).await;
    let calls = settled(&site, "PUSH_CALLED", &["DISCARDED", "DISCARDED", "DISCARDED", "DEAD"]).await;
    assert!(calls[3].2.as_ref().unwrap().starts_with("400"), "{calls:?}");
    settled(&site, "PUSH_COMPLETED", &["SENT"]).await;
    assert_eq!(tokens().await, 1);
}

#[actix_web::test]
async fn what_passes_is_tried_again_when_fcm_says_and_spread_by_chance() {
    let fcm = StandIn::start("fcm", &[]);
    let settings = [
        ("delivery.first_pause", "40ms"),
        ("delivery.longest_pause", "200ms"),
        ("delivery.look_every", "20ms"),
    ];
    let site = Site::pushing_to(&fcm, &settings).await;
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    fcm.told("fail quota");
    cab.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    let tries = async |kind, count| {
        let tries = fcm.got(count, of_type(kind)).await;
        tries.iter().map(at).collect::<Vec<_>>()
    };
    let calls = tries("QUEUE_CALLED", 1).await;
    // Meanwhile others go on: the pause is the message's own.
    fcm.told("fail unavailable 3");
    site.weigh(site.stations[0], 25_000, &mut Clock::now()).await;
    let slips = tries("WEIGHING_COMPLETED", 4).await;
    let gaps: Vec<i64> = slips
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).num_milliseconds())
        .collect();
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "{gaps:?}");
    let rows = settled(&site, "PUSH_COMPLETED", &["SENT"]).await;
    assert_eq!(rows[0].1, 4, "each attempt counts: {rows:?}");
    let next = site
        .count("SELECT (extract(epoch FROM next_attempt_at) * 1000)::bigint FROM outbox WHERE kind = 'PUSH_CALLED'")
        .await;
    let pause = next - calls[0].timestamp_millis();
    assert!(pause >= 6_900, "Retry-After 7: {pause} ms");
}

#[actix_web::test]
async fn an_access_token_is_asked_for_once_by_many_and_again_when_it_is_refused() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let cabs = join_all((1..=6).map(|number| Cab::new(&site, number))).await;
    for (number, cab) in cabs.iter().enumerate() {
        cab.tell_token(&format!("phone-{number}")).await;
    }
    let is_grant = |line: &Value| line["what"] == "POST /token";
    // One after the other is called to the only station and cancelled by the driver.
    for (number, cab) in cabs.iter().enumerate() {
        if number == 3 {
            fcm.told("fail unauthenticated");
        }
        let entry = cab.check_in(&site).await;
        site.call_next(site.stations[0]).await.done();
        fcm.got(number + 1, |line| {
            of_type("QUEUE_CALLED")(line) && line["status"] == 200
        })
        .await;
        cab.cancel(&site, entry).await;
    }
    let grants = fcm.all(is_grant).await;
    assert_eq!(grants.len(), 2, "one at first, one after a refusal: {grants:?}");
    assert!(grants.iter().all(|grant| grant["status"] == 200));
}

#[actix_web::test]
async fn a_phone_belongs_to_whoever_signed_in_on_it_last_and_not_for_ever() {
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[]).await;
    let (kim, lee) = (Cab::new(&site, 1).await, Cab::new(&site, 2).await);
    kim.tell_token("shared-phone").await;
    lee.tell_token("shared-phone").await;
    let entry = kim.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    let rows = settled(&site, "PUSH_CALLED", &["DISCARDED"]).await;
    assert!(rows[0].2.as_ref().unwrap().contains("no device"), "{rows:?}");
    assert_eq!(
        kim.get("/notifications").await.done()["pagination"]["total"],
        1,
        "listed all the same"
    );
    kim.cancel(&site, entry).await;
    site.execute("UPDATE login_session SET fcm_token_at = now() - interval '271 days' WHERE fcm_token IS NOT NULL")
        .await;
    lee.check_in(&site).await;
    site.call_next(site.stations[0]).await.done();
    settled(&site, "PUSH_CALLED", &["DISCARDED", "DISCARDED"]).await;
    assert!(fcm.all(is_send).await.is_empty());
}

/// How many a second over one connection, and how long a call takes to FCM. A print, no judgement: figures of a debug build.
#[actix_web::test]
async fn many_pushes_share_one_connection() {
    use weighbridge::{
        clients::fcm::Fcm,
        domain::{
            push::{Manner, SlipPayload},
            wording::Language,
        },
    };

    let fcm = StandIn::start("fcm", &[]);
    let client = Fcm::new(&fcm.url(), &fcm.credentials(), PATIENCE).unwrap();
    let now = Utc::now();
    let slip = SlipPayload {
        record_id: 1,
        driver_id: Some(1),
        slip_number: Some("WR20260125001".to_owned()),
        net_kg: None,
        replaces: None,
        first_record_id: None,
    };
    let push = slip.completed(
        &Manner {
            language: Language::Korean,
            zone: chrono_tz::Asia::Seoul,
            call_life: chrono::TimeDelta::minutes(2),
        },
        now,
    );
    let many: Vec<Value> = (0..300)
        .map(|number| push.for_device(&format!("phone-{number}"), now))
        .collect();
    client.send(&many[0]).await;
    let began = Instant::now();
    // As many at a time as the courier sends: what is not read soon, the protocol takes for an attack.
    let sending = stream::iter(&many).map(|message| client.send(message)).buffered(8);
    let sent: Vec<_> = sending.collect().await;
    let took = began.elapsed();
    assert!(
        sent.iter()
            .all(|sent| *sent == weighbridge::clients::fcm::answer::Sent::Accepted),
        "{sent:?}"
    );
    println!("300 pushes over one HTTP/2 connection took {} ms", took.as_millis());
}
