//! OB-09 and OB-10: calls that are taken back in their instant, and what FCM answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, at, begin};
use crate::support::{
    cab::Cab,
    site::Site,
    stand_in::{StandIn, is_send},
};

async fn settled(site: &Site) {
    let owed = "SELECT count(*) FROM outbox WHERE kind LIKE 'PUSH_%' AND state IN ('PENDING', 'LEASED')";
    let until = Instant::now() + PATIENCE;
    while site.count(owed).await > 0 {
        assert!(Instant::now() < until, "pushes are still owed");
        sleep(Duration::from_millis(50)).await;
    }
}

#[actix_rt::test]
async fn a_thousand_drivers_cancel_in_the_instant_of_their_call() {
    const ROUNDS: u64 = 1000;
    let Some(mut case) = begin("OB-09").await else { return };
    let fcm = StandIn::start("fcm", &[]);
    let site = Site::pushing_to(&fcm, &[("database.pool", "8")]).await;
    let cab = Cab::new(&site, 1).await;
    cab.tell_token("phone").await;
    let mut cancelled: BTreeMap<i64, DateTime<Utc>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let entry = cab.check_in(&site).await;
        let cancelling = async {
            // The instant moves over the whole of the call, and beyond it.
            sleep(Duration::from_micros(round % 100 * 300)).await;
            cab.cancel(&site, entry).await;
            Utc::now()
        };
        let (_, at) = tokio::join!(site.call_next(site.stations[0]), cancelling);
        cancelled.insert(entry, at);
    }
    settled(&site).await;
    let calls = fcm
        .all(|line| is_send(line) && line["body"]["message"]["data"]["type"] == "QUEUE_CALLED")
        .await;
    let mut seen = BTreeSet::new();
    for call in &calls {
        let data = &call["body"]["message"]["data"];
        let entry: i64 = data["queue_id"].as_str().unwrap().parse().unwrap();
        let late = at(call) - cancelled[&entry];
        assert!(
            late <= TimeDelta::seconds(1),
            "{entry} is called {late} after it was cancelled"
        );
        assert!(seen.insert(data["call_id"].to_string()), "twice: {data}");
    }
    case.did("cancellations", usize::try_from(ROUNDS).unwrap());
    case.did("calls that were told before", calls.len());
    case.passed();
}

/// A slip is pushed to the cab, as if it had been weighed.
async fn owe(site: &Site, cab: &Cab, count: usize) {
    let driver = cab.driver;
    let rows = format!(
        "INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload) \
         SELECT 'PUSH_COMPLETED', gen_random_uuid(), gen_random_uuid()::text, jsonb_build_object('record_id', n, \
           'driver_id', {driver}, 'slip_number', 'WR20260125001', 'net_kg', '5990') FROM generate_series(1, {count}) AS n"
    );
    site.execute(&rows).await;
}

async fn last(site: &Site) -> (String, i32, String) {
    let sql = "SELECT state, attempts, coalesce(last_error, '') FROM outbox WHERE kind = 'PUSH_COMPLETED' ORDER BY id DESC LIMIT 1";
    let row = site.connect().await.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[actix_rt::test]
async fn each_answer_of_fcm_does_what_its_page_of_errors_says() {
    const ROUNDS: usize = 10;
    let Some(mut case) = begin("OB-10").await else { return };
    let fcm = StandIn::start("fcm", &[]);
    let settings = [
        ("delivery.look_every", "50ms"),
        ("delivery.breaker_rest", "20ms"),
        ("delivery.first_pause", "400ms"),
        ("delivery.longest_pause", "1600ms"),
    ];
    let site = Site::pushing_to(&fcm, &settings).await;
    let cab = Cab::new(&site, 1).await;
    let tokens = "SELECT count(*) FROM login_session WHERE fcm_token IS NOT NULL";
    for round in 0..ROUNDS {
        for (how, forgotten, state) in [
            ("unregistered", true, "DISCARDED"),
            ("invalid-token", true, "DISCARDED"),
            ("sender-mismatch", true, "DISCARDED"),
            ("bad-payload", false, "DEAD"),
            ("unauthenticated", false, "SENT"),
        ] {
            cab.tell_token(&format!("phone-{round}-{how}")).await;
            fcm.told(&format!("fail {how}"));
            owe(&site, &cab, 1).await;
            settled(&site).await;
            assert_eq!(
                (site.count(tokens).await, last(&site).await.0.as_str()),
                (i64::from(!forgotten), state),
                "{how}"
            );
            case.did(how, 1);
        }
    }
    cab.tell_token("phone").await;
    for (how, seconds) in [("quota", 7), ("internal", 10)] {
        fcm.told(&format!("fail {how}"));
        let before = fcm.all(is_send).await.len();
        owe(&site, &cab, 1).await;
        settled(&site).await;
        let tries = fcm.all(is_send).await.split_off(before);
        let pause = (at(&tries[1]) - at(&tries[0])).num_milliseconds();
        assert!(tries.len() == 2 && pause >= seconds * 1000, "{how}: {pause} ms");
        case.did(how, 1);
    }
    case.did("unavailable", jitter(&fcm, &site, &cab).await);
    case.passed();
}

/// Many that fail do not come back together. Answers how many failed.
async fn jitter(fcm: &StandIn, site: &Site, cab: &Cab) -> usize {
    let before = fcm.all(is_send).await.len();
    fcm.told("fail unavailable 0.3");
    owe(site, cab, 300).await;
    settled(site).await;
    let tries = fcm.all(is_send).await.split_off(before);
    let mut attempts: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in &tries {
        let record = line["body"]["message"]["data"]["record_id"].as_str().unwrap();
        attempts.entry(record).or_default().push(line);
    }
    // In milliseconds, after a first failure.
    let gaps: Vec<i64> = attempts
        .values()
        .filter(|tries| tries.len() > 1)
        .map(|tries| (at(tries[1]) - at(tries[0])).num_milliseconds())
        .collect();
    assert!(gaps.len() >= 50, "the fault was there: {}", gaps.len());
    let count = i64::try_from(gaps.len()).unwrap();
    let mean = gaps.iter().sum::<i64>() / count;
    let variance = gaps.iter().map(|gap| (gap - mean).pow(2)).sum::<i64>() / count;
    // Its root is at least a fifth of the mean.
    assert!(variance * 25 >= mean * mean, "mean {mean} ms, variance {variance}");
    gaps.len()
}
