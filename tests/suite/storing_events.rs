//! An edge's events reach the database exactly once, with all that follows from them.

mod coming_back;
mod curves;
mod going_back;
mod losing;
mod receipts;
mod storm;
mod voiding;

use weighbridge::db::{edge_event::Outcome, wait_queue::Refusal};
use weighbridge_protocol::link::{
    Event, FromServer,
    messages::{Ack, Nack, NackCode},
};

use crate::support::yard::{Yard, epoch};

fn acknowledged(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Taken(taken) => match taken.answers.as_slice() {
            [.., FromServer::Ack(Ack { through, .. })] => *through,
            other => panic!("no ack: {other:?}"),
        },
        Outcome::Fenced => panic!("fenced"),
    }
}

fn nacked(outcome: &Outcome) -> Nack {
    match outcome {
        Outcome::Taken(taken) => match taken.answers.first() {
            Some(FromServer::Nack(nack)) => *nack,
            other => panic!("no nack: {other:?}"),
        },
        Outcome::Fenced => panic!("fenced"),
    }
}

#[tokio::test]
async fn a_called_truck_with_a_tare_is_complete_with_its_slip() {
    let mut yard = Yard::new().await;
    let entry = yard.check_in_and_call().await;
    let stored = yard.store_stay(25_000).await;
    assert_eq!(acknowledged(&stored), 3);
    let record = yard.record(entry.record_id.unwrap()).await;
    assert_eq!(record.status, "COMPLETED");
    assert_eq!(
        record.net_weight.map(|weight| weight.0.to_string()).as_deref(),
        Some("15000.00")
    );
    let slip = record.slip_number.unwrap();
    assert!(slip.starts_with("WR") && slip.ends_with("001"), "{slip}");
    assert_eq!(yard.entry(entry.id).await.status, "COMPLETED");
    assert_eq!(
        yard.count("SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE'")
            .await,
        1
    );
    assert_eq!(
        yard.count("SELECT count(*) FROM outbox WHERE kind = 'PUSH_COMPLETED'")
            .await,
        1
    );
    let Outcome::Taken(taken) = stored else {
        panic!("fenced")
    };
    let FromServer::Ack(ack) = &taken.answers[0] else {
        panic!("no ack")
    };
    assert_eq!(ack.receipts[0].receipt.slip_number.as_deref(), Some(slip.as_str()));
}

#[tokio::test]
async fn the_same_events_again_change_nothing_and_are_acknowledged_with_their_receipt() {
    let mut yard = Yard::new().await;
    yard.check_in_and_call().await;
    let events = yard.stay(25_000);
    yard.store(events.clone()).await;
    let before = yard.fingerprint().await;
    let again = yard.store(events).await;
    assert_eq!(acknowledged(&again), 3);
    assert_eq!(yard.fingerprint().await, before);
    let Outcome::Taken(taken) = again else { panic!("fenced") };
    assert_eq!((taken.tally.stored, taken.tally.duplicates), (0, 3));
    let FromServer::Ack(ack) = &taken.answers[0] else {
        panic!("no ack")
    };
    assert!(ack.receipts[0].receipt.slip_number.is_some());
}

#[tokio::test]
async fn the_same_events_in_two_transactions_at_once_are_stored_once() {
    let mut yard = Yard::new().await;
    yard.check_in_and_call().await;
    let events = yard.stay(25_000);
    let holder = yard.hold_station().await;
    let let_go = async {
        yard.until_locked_out(2).await;
        drop(holder);
    };
    let (one, other, ()) = tokio::join!(yard.store(events.clone()), yard.store(events.clone()), let_go);
    let tallies = [&one, &other].map(|outcome| match outcome {
        Outcome::Taken(taken) => (taken.tally.stored, taken.tally.duplicates),
        Outcome::Fenced => panic!("fenced"),
    });
    assert!(
        tallies == [(3, 0), (0, 3)] || tallies == [(0, 3), (3, 0)],
        "{tallies:?}"
    );
    assert_eq!((acknowledged(&one), acknowledged(&other)), (3, 3));
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn only_the_next_event_in_order_is_set_aside() {
    let mut yard = Yard::new().await;
    let events = yard.stay(25_000);
    assert!(!yard.set_aside(&events[1]).await, "the first is not here yet");
    assert!(yard.set_aside(&events[0]).await);
    let outcome = yard.store(events).await;
    assert_eq!(acknowledged(&outcome), 3);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn what_was_set_aside_may_come_again() {
    let mut yard = Yard::new().await;
    let events = yard.stay(25_000);
    assert!(yard.set_aside(&events[0]).await);
    assert!(yard.set_aside(&events[0]).await, "an edge sends its last row again");
    let altered = Event {
        sha256: "0".repeat(64),
        ..events[0].clone()
    };
    assert!(!yard.set_aside(&altered).await, "another text is not what was kept");
}

#[tokio::test]
async fn two_passes_make_one_record_with_the_heavier_as_gross() {
    let mut yard = Yard::new().await;
    yard.forget_tare().await;
    let first = yard.check_in_and_call().await;
    yard.store_stay(25_000).await;
    assert_eq!(yard.record(first.record_id.unwrap()).await.status, "WEIGHING");
    assert_eq!(yard.entry(first.id).await.status, "COMPLETED");
    let second = yard.check_in_and_call().await;
    assert_eq!(second.record_id, first.record_id, "it comes back to its open record");
    yard.store_stay(9_980).await;
    let record = yard.record(first.record_id.unwrap()).await;
    assert_eq!(
        (record.status.as_str(), record.direction.as_deref()),
        ("COMPLETED", Some("IN"))
    );
    assert_eq!(
        record.net_weight.map(|weight| weight.0.to_string()).as_deref(),
        Some("15020.00")
    );
}

#[tokio::test]
async fn what_no_call_explains_waits_for_staff() {
    let mut yard = Yard::new().await;
    yard.store_stay(18_340).await;
    assert_eq!(
        yard.count("SELECT count(*) FROM capture WHERE state = 'UNASSIGNED'")
            .await,
        1
    );
    assert_eq!(yard.count("SELECT count(*) FROM weigh_record").await, 0);
}

#[tokio::test]
async fn a_gap_is_named_and_nothing_behind_it_is_taken() {
    let mut yard = Yard::new().await;
    let mut events = yard.stay(25_000);
    events.remove(0);
    let outcome = yard.store(events).await;
    assert_eq!(
        nacked(&outcome),
        Nack {
            epoch: epoch(),
            seq: 2,
            code: NackCode::Gap,
            have: 0
        }
    );
    assert_eq!(yard.count("SELECT count(*) FROM edge_event").await, 0);
}

#[tokio::test]
async fn another_text_under_a_stored_identity_is_kept_as_a_conflict_and_distrusts_the_stations() {
    let mut yard = Yard::new().await;
    yard.store_stay(25_000).await;
    yard.rewind();
    let other = yard.stay(26_000);
    let outcome = yard.store(other).await;
    assert_eq!(nacked(&outcome).code, NackCode::EpochConflict);
    assert_eq!(yard.count("SELECT count(*) FROM edge_conflict").await, 3);
    assert_eq!(
        yard.count("SELECT count(*) FROM weigh_station WHERE trusted_since > now() - interval '1 minute'")
            .await,
        1
    );
}

#[tokio::test]
async fn an_older_connection_writes_nothing_any_more() {
    let mut yard = Yard::new().await;
    let old = yard.session;
    yard.say_hello().await;
    let events = yard.stay(25_000);
    let outcome = yard.store_as(old, events).await;
    assert!(matches!(outcome, Outcome::Fenced));
    assert_eq!(yard.count("SELECT count(*) FROM edge_event").await, 0);
}

#[tokio::test]
async fn an_event_that_is_wrong_in_itself_is_kept_and_nothing_waits_for_it() {
    let mut yard = Yard::new().await;
    let mut events = yard.stay(25_000);
    yard.spoil(&mut events[0]);
    let outcome = yard.store(events).await;
    assert_eq!(acknowledged(&outcome), 3);
    assert_eq!(
        yard.count("SELECT count(*) FROM edge_event WHERE status = 'REJECTED' AND body LIKE 'not json%'")
            .await,
        1
    );
    assert_eq!(yard.count("SELECT count(*) FROM capture").await, 1);
}

#[tokio::test]
async fn many_links_in_one_commit_number_their_slips_without_gaps() {
    let mut yards = Yard::several(5).await;
    let mut group = Vec::new();
    for yard in &mut yards {
        yard.check_in_and_call().await;
        let events = yard.stay(25_000);
        group.push(yard.query(yard.session, events));
    }
    let outcomes = yards[0].run_group(group).await;
    assert_eq!(outcomes.len(), 5);
    let numbers = yards[0].numbers("SELECT number FROM slip ORDER BY number").await;
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn one_station_calls_one_truck_at_a_time() {
    let yard = Yard::new().await;
    yard.check_in_and_call().await;
    assert_eq!(yard.call().await.unwrap_err(), Refusal::StationTaken);
}

#[tokio::test]
async fn a_database_in_which_trucks_were_weighed_keeps_every_promise() {
    let mut yard = Yard::new().await;
    yard.check_in_and_call().await;
    yard.store_stay(25_000).await;
    yard.store_stay(18_340).await;
    yard.check_in_and_call().await;
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_slip_that_is_missing_is_found() {
    let mut yard = Yard::new().await;
    yard.check_in_and_call().await;
    yard.store_stay(25_000).await;
    yard.execute("UPDATE slip_counter SET last_number = 3").await;
    yard.execute("UPDATE edge_epoch SET have = 9").await;
    assert_eq!(
        yard.broken_promises().await,
        [
            "every event up to an epoch's watermark is stored",
            "slip numbers of a day run from 1 to its counter without a gap"
        ]
    );
}
