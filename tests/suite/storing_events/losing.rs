//! What an edge has lost, however much: nothing waits for it, and what comes after all is taken.

use weighbridge_protocol::link::{
    event::sha256_hex,
    messages::{EpochState, SeqRange},
};

use super::acknowledged;
use crate::support::yard::{Yard, epoch};

const RANGES: &str =
    "SELECT coalesce(string_agg(from_seq || '-' || to_seq, ' ' ORDER BY from_seq), '') FROM edge_lost_range";

async fn ranges(yard: &Yard) -> String {
    yard.database()
        .connect()
        .await
        .query_one(RANGES, &[])
        .await
        .unwrap()
        .get(0)
}

/// A file of which the events from 3 to 8 are lost.
fn holed(yard: &Yard) -> EpochState {
    EpochState {
        next_seq: 10,
        missing: vec![SeqRange(3, 8)],
        ..yard.file()
    }
}

#[tokio::test]
async fn a_file_that_has_lost_millions_of_events_is_welcome_at_once() {
    let mut yard = Yard::new().await;
    let file = EpochState {
        first_kept: 3_000_000_001,
        next_seq: 3_000_000_001,
        ..yard.file()
    };
    let welcomed = yard.greet(file.clone()).await;
    assert_eq!(welcomed.newly_lost, 3_000_000_000);
    assert_eq!(welcomed.have[&epoch()], 3_000_000_000);
    assert_eq!(welcomed.lost[&epoch()], [SeqRange(1, 3_000_000_000)]);
    assert_eq!(ranges(&yard).await, "1-3000000000");
    let stored = yard.store_stay(25_000).await;
    assert_eq!(acknowledged(&stored), 3_000_000_003);
    assert_eq!(yard.greet(file).await.newly_lost, 0, "it is known by now");
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn what_is_lost_after_what_is_stored_is_passed_over_when_its_turn_comes() {
    let mut yard = Yard::new().await;
    let file = holed(&yard);
    yard.greet(file).await;
    yard.go_on_at(1);
    let mut events = yard.stay(25_000);
    events.truncate(2);
    yard.go_on_at(9);
    events.push(yard.stay(26_000).remove(0));
    let stored = yard.store(events).await;
    assert_eq!(acknowledged(&stored), 9);
    assert_eq!(yard.numbers("SELECT have::int FROM edge_epoch").await, [9]);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_lost_event_that_comes_after_all_is_cut_out_of_what_is_lost() {
    let mut yard = Yard::new().await;
    let file = EpochState {
        first_kept: 10,
        ..holed(&yard)
    };
    yard.greet(file).await;
    yard.go_on_at(4);
    let events = yard.stay(25_000);
    for _ in 0..2 {
        let stored = yard.store(events.clone()).await;
        assert_eq!(acknowledged(&stored), 6);
        assert_eq!(ranges(&yard).await, "1-3 7-9");
    }
    assert_eq!(yard.count("SELECT count(*) FROM capture").await, 1);
    let seen = "SELECT count(*) FROM v_edge_events WHERE status = 'LOST'";
    assert_eq!(yard.count(seen).await, 6);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn an_arrival_that_was_lost_and_comes_after_all_says_nothing_of_the_deck_as_it_is_now() {
    let mut yard = Yard::new().await;
    let file = EpochState {
        first_kept: 10,
        ..holed(&yard)
    };
    yard.greet(file).await;
    yard.go_on_at(4);
    let on = yard.stay(25_000).remove(0);
    assert_eq!(acknowledged(&yard.store(vec![on]).await), 4);
    let empty = "SELECT count(*) FROM weigh_station WHERE status = 'IDLE' AND deck_cycle IS NULL";
    assert_eq!(yard.count(empty).await, 1);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_lost_event_that_comes_after_all_and_cannot_be_handled_is_set_aside() {
    let mut yard = Yard::new().await;
    let file = EpochState {
        first_kept: 10,
        ..holed(&yard)
    };
    yard.greet(file).await;
    yard.go_on_at(4);
    let events = yard.stay(25_000);
    assert!(yard.set_aside(&events[1]).await);
    let legible = "SELECT count(*) FROM edge_event WHERE status = 'QUARANTINED' AND station_id = 1 AND kind = 'capture' AND weight = 25000 AND cycle IS NOT NULL";
    assert_eq!(yard.count(legible).await, 1, "staff see what it is");
    assert_eq!(ranges(&yard).await, "1-4 6-9");
    assert_eq!(yard.numbers("SELECT have::int FROM edge_epoch").await, [9]);
    assert!(yard.set_aside(&events[1]).await, "it is kept");
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn what_is_lost_behind_an_event_that_is_set_aside_is_passed_over() {
    let mut yard = Yard::new().await;
    let file = holed(&yard);
    yard.greet(file).await;
    yard.go_on_at(1);
    let events = yard.stay(25_000);
    assert!(yard.set_aside(&events[0]).await);
    assert!(yard.set_aside(&events[1]).await);
    assert_eq!(yard.numbers("SELECT have::int FROM edge_epoch").await, [8]);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn rows_of_the_time_before_ranges_become_ranges_and_are_filled() {
    let mut yard = Yard::new().await;
    let down = include_str!("../../../migrations/2026-11-29-110000_keep_lost_events_as_ranges/down.sql");
    let up = include_str!("../../../migrations/2026-11-29-110000_keep_lost_events_as_ranges/up.sql");
    let lost = "INSERT INTO edge_event (epoch, seq, edge_id, status)
                SELECT epoch, seq, 1, 'LOST' FROM edge_epoch, unnest(ARRAY[1, 2, 3, 4, 7]) AS seq;
                UPDATE edge_epoch SET have = 4;";
    yard.execute(&format!("{down}; {lost} {up}")).await;
    assert_eq!(ranges(&yard).await, "1-4 7-7");
    yard.say_hello().await;
    let mut first = yard.stay(25_000).remove(0);
    first.body = first.body.replace("\"seq\":1", "\"seq\":2");
    (first.seq, first.sha256) = (2, sha256_hex(&first.body));
    let stored = yard.store(vec![first]).await;
    assert_eq!(acknowledged(&stored), 2);
    assert_eq!(ranges(&yard).await, "1-1 3-4 7-7");
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
    yard.execute(down).await;
    let rows = "SELECT count(*) FROM edge_event WHERE status = 'LOST'";
    assert_eq!(yard.count(rows).await, 4);
}
