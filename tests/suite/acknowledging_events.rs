//! The server's word about an event: what it acknowledges is committed, and what is stored the database alone says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use weighbridge_protocol::{
    Epoch,
    link::{EventBody, EventKind, event::sha256_hex},
};

use crate::support::{
    link::{BOOT, EPOCH, Link, hello},
    site::Site,
};

/// How long something that will happen is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The event of this seq, as an edge sends it.
fn event(site: &Site, seq: i64) -> Value {
    event_of(EPOCH, site.stations[0], seq)
}

fn event_of(epoch: Epoch, station_id: i64, seq: i64) -> Value {
    let body = EventBody {
        epoch,
        seq,
        station_id,
        cycle: None,
        at: "2026-01-25T14:30:00+09:00".parse().unwrap(),
        mono_ms: seq,
        boot: uuid::Uuid::from_u128(7),
        kind: EventKind::IndicatorUp {},
    };
    let body = serde_json::to_string(&body).unwrap();
    json!({ "type": "event", "epoch": epoch, "seq": seq, "sha256": sha256_hex(&body), "body": body })
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
    // Before the edge was told, room was made for what it may have been told.
    assert_eq!(site.count("SELECT last_number::bigint FROM slip_counter").await, 500);
    assert_eq!(
        site.count("SELECT count(*) FROM weigh_station WHERE trusted_since > now() - interval '1 minute'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_database_that_goes_back_under_a_silent_link_is_found_by_its_pulse() {
    let site = Site::new().await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    for seq in 1..=2 {
        link.say(&event(&site, seq)).await;
        assert_eq!(link.hear("ack").await["through"], seq);
    }
    let forget = "SET session_replication_role = replica; DELETE FROM edge_event WHERE seq = 2;
                  UPDATE edge_epoch SET have = 1";
    site.execute(forget).await;
    let nack = link.hear("nack").await;
    assert_eq!((&nack["code"], &nack["have"]), (&json!("GAP"), &json!(1)));
    assert_eq!(site.count("SELECT last_number::bigint FROM slip_counter").await, 500);
}

/// What takes too long takes a second at most; a change that a database has time for takes less than a fifth of it.
const IMPATIENT: [(&str, &str); 1] = [("database.query_timeout", "1s")];

#[tokio::test]
async fn an_event_over_which_the_database_never_ends_is_set_aside_and_holds_up_no_other_edge() {
    let site = Site::with_settings(1, &IMPATIENT).await;
    let (station, key) = site.another_edge().await;
    site.execute(
        "CREATE FUNCTION never_end() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
         CREATE TRIGGER never_ends BEFORE INSERT ON edge_event FOR EACH ROW
             WHEN (NEW.status = 'STORED' AND NEW.seq = 2) EXECUTE FUNCTION never_end();",
    )
    .await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    let mut other = Link::connected(&site, &key).await.unwrap();
    let epoch = Epoch::from_bits(2);
    let mut greeting = hello(&site, 1, BOOT);
    greeting["epochs"][0]["epoch"] = json!(epoch);
    other.say(&greeting).await;
    other.hear("welcome").await;
    for seq in 1..=3 {
        link.say(&event(&site, seq)).await;
    }
    other.say(&event_of(epoch, station, 1)).await;
    let acknowledged = async { while link.hear("ack").await["through"] != 3 {} };
    let (first, ()) = tokio::join!(other.hear("ack"), acknowledged);
    assert_eq!(first["through"], 1);
    let status = "SELECT count(*) FROM edge_event WHERE seq = 2 AND status = 'QUARANTINED'";
    assert_eq!(site.count(status).await, 1);
    assert_eq!(
        site.count("SELECT count(*) FROM edge_event WHERE status = 'STORED'")
            .await,
        3
    );
}

#[tokio::test]
async fn a_database_that_has_time_for_nothing_lets_no_event_be_set_aside() {
    let site = Site::with_settings(1, &IMPATIENT).await;
    // From the first attempt alone on, whatever else the edge changes takes its time too.
    site.execute(
        "CREATE SEQUENCE alone;
         CREATE FUNCTION never_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF current_setting('statement_timeout') = '800ms' THEN PERFORM nextval('alone'); END IF;
             PERFORM pg_sleep(600);
             RETURN NEW;
         END $$;
         CREATE TRIGGER never_ends BEFORE INSERT ON edge_event FOR EACH ROW WHEN (NEW.status = 'STORED')
             EXECUTE FUNCTION never_end();
         CREATE FUNCTION dally() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT is_called FROM alone) THEN PERFORM pg_sleep(0.3); END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER dallies BEFORE UPDATE ON edge_gateway FOR EACH ROW EXECUTE FUNCTION dally();",
    )
    .await;
    let (mut link, _) = Link::open(&site, &site.key).await.unwrap();
    link.say(&event(&site, 1)).await;
    let tried = async {
        while site.count("SELECT last_value FROM alone").await < 6 {
            // It is heard all the while.
            assert!(!link.said_by_now().await.contains(&"ack".to_owned()));
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE * 6, tried).await.expect("it is not tried again");
    assert_eq!(site.count("SELECT count(*) FROM edge_event").await, 0);
    site.execute("DROP TRIGGER never_ends ON edge_event; DROP TRIGGER dallies ON edge_gateway")
        .await;
    assert_eq!(link.hear("ack").await["through"], 1);
    assert_eq!(
        site.count("SELECT count(*) FROM edge_event WHERE status = 'STORED'")
            .await,
        1
    );
}
