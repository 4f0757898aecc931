//! The server's word about an event: what it acknowledges is committed, and what is stored the database alone says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use weighbridge_protocol::link::{EventBody, EventKind, event::sha256_hex};

use crate::support::{
    link::{EPOCH, Link},
    site::Site,
};

/// How long something that will happen is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The event of this seq, as an edge sends it.
fn event(site: &Site, seq: i64) -> Value {
    let body = EventBody {
        epoch: EPOCH,
        seq,
        station_id: site.stations[0],
        cycle: None,
        at: "2026-01-25T14:30:00+09:00".parse().unwrap(),
        mono_ms: seq,
        boot: uuid::Uuid::from_u128(7),
        kind: EventKind::IndicatorUp {},
    };
    let body = serde_json::to_string(&body).unwrap();
    json!({ "type": "event", "epoch": EPOCH, "seq": seq, "sha256": sha256_hex(&body), "body": body })
}

/// Who waits for a lock in this database, other than `before`.
async fn who_waits(site: &Site, before: Option<i32>) -> i32 {
    let query = "SELECT pid FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid IS DISTINCT FROM $1";
    let database = site.connect().await;
    let look = async {
        loop {
            if let Some(row) = database.query_opt(query, &[&before]).await.unwrap() {
                return row.get(0);
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, look)
        .await
        .expect("no transaction that stores the event waits for the lock")
}

#[tokio::test]
async fn an_event_is_acknowledged_after_its_commit_and_not_before_nor_where_that_fails() {
    let site = Site::new().await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let holder = site.connect().await;
    holder
        .batch_execute("BEGIN; SELECT * FROM edge_epoch FOR UPDATE")
        .await
        .unwrap();
    link.say(&event(&site, 1)).await;
    let first = who_waits(&site, None).await;
    assert!(
        !link.said_by_now().await.contains(&"ack".to_owned()),
        "it is not committed"
    );
    site.execute(&format!("SELECT pg_terminate_backend({first})")).await;
    who_waits(&site, Some(first)).await;
    assert!(
        !link.said_by_now().await.contains(&"ack".to_owned()),
        "its transaction has failed"
    );
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(link.hear("ack").await["through"], 1);
    assert_eq!(site.count("SELECT count(*) FROM edge_event").await, 1);
}

#[tokio::test]
async fn a_database_that_goes_back_under_a_link_gets_again_what_it_lacks() {
    let site = Site::new().await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    for seq in 1..=2 {
        link.say(&event(&site, seq)).await;
        assert_eq!(link.hear("ack").await["through"], seq);
    }
    // As if a standby that lagged had taken over. The schema itself refuses to forget an event.
    let forget = "SET session_replication_role = replica; DELETE FROM edge_event WHERE seq = 2;
                  UPDATE edge_epoch SET have = 1";
    site.execute(forget).await;
    link.say(&event(&site, 3)).await;
    let nack = link.hear("nack").await;
    assert_eq!((&nack["code"], &nack["have"]), (&json!("GAP"), &json!(1)));
    for seq in 2..=3 {
        link.say(&event(&site, seq)).await;
        assert_eq!(link.hear("ack").await["through"], seq);
    }
    assert_eq!(site.count("SELECT count(*) FROM edge_event").await, 3);
}
