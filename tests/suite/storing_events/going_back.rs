//! A database whose files were put back says nothing of that: an edge that was told of more than is here shows it.

use chrono::{TimeDelta, Utc};
use weighbridge_protocol::link::messages::EpochState;

use crate::support::yard::Yard;

/// A file of twelve events that were all acknowledged.
fn told_of_twelve(yard: &Yard) -> EpochState {
    EpochState {
        next_seq: 13,
        acked: 12,
        ..yard.file()
    }
}

/// Two yards, and the way the database was identified when it served last.
async fn yards() -> (Yard, Yard) {
    let mut yards = Yard::several(2).await;
    let identity = "INSERT INTO database_identity (system_identifier, timeline) VALUES (1, 1);
                    UPDATE edge_gateway SET last_seen_at = now() - interval '1 hour'";
    yards[0].execute(identity).await;
    (yards.remove(0), yards.remove(0))
}

async fn last_slip(yard: &Yard) -> Vec<i32> {
    yard.numbers("SELECT last_number FROM slip_counter ORDER BY day").await
}

const DISTRUSTED: &str = "SELECT count(*) FROM weigh_station WHERE trusted_since > now() - interval '1 minute'";

#[tokio::test]
async fn an_edge_that_was_told_of_more_makes_room_for_what_is_missing_and_the_next_one_does_not_again() {
    let (mut first, mut second) = yards().await;
    let file = told_of_twelve(&first);
    let welcomed = first.greet(file.clone()).await;
    assert!(welcomed.went_back && welcomed.room_made, "{welcomed:?}");
    assert_eq!(last_slip(&first).await, [500]);
    assert_eq!(first.count(DISTRUSTED).await, 2);
    for table in ["weigh_record", "vehicle", "driver", "product", "customer"] {
        let last = format!("SELECT last_value FROM {table}_id_seq");
        assert!(first.count(&last).await >= 500, "{table}");
    }

    let again = first.greet(file).await;
    assert!(!again.went_back, "it did not hear the answer: {again:?}");
    let file = told_of_twelve(&second);
    let other = second.greet(file).await;
    assert!(other.went_back && !other.room_made, "{other:?}");
    assert_eq!(last_slip(&first).await, [500]);

    // Its counter passes by what was printed.
    first.go_on_at(1);
    let entry = first.check_in_and_call().await;
    first.store_stay(25_000).await;
    let slip = first.record(entry.record_id.unwrap()).await.slip_number.unwrap();
    assert!(slip.ends_with("501"), "{slip}");
    assert_eq!(first.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_database_that_goes_back_once_more_makes_room_once_more() {
    let (mut yard, _) = yards().await;
    let file = told_of_twelve(&yard);
    assert!(yard.greet(file.clone()).await.room_made);
    yard.execute("UPDATE edge_gateway SET last_seen_at = now() + interval '1 second'")
        .await;
    let file = EpochState {
        next_seq: 16,
        acked: 15,
        ..file
    };
    assert!(yard.greet(file).await.room_made);
    assert_eq!(last_slip(&yard).await, [1_000]);
}

#[tokio::test]
async fn a_number_of_the_line_that_a_driver_may_hold_is_not_given_out_again() {
    let (mut first, second) = yards().await;
    assert_eq!(first.check_in_and_call().await.queue_number, 1);
    let file = told_of_twelve(&first);
    assert!(first.greet(file).await.room_made);
    assert_eq!(second.check_in_and_call().await.queue_number, 502);
    assert_eq!(second.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn an_edge_of_which_all_is_stored_shows_nothing() {
    let (mut yard, _) = yards().await;
    yard.store_stay(25_000).await;
    let file = EpochState {
        acked: 3,
        ..yard.file()
    };
    let welcomed = yard.greet(file).await;
    assert!(!welcomed.went_back && !welcomed.room_made, "{welcomed:?}");
    assert_eq!(yard.count(DISTRUSTED).await, 0);
}

/// A record of so many days ago with the first slip of its day.
const OLD: &str = "
    SELECT ensure_weigh_record_partition(now() - interval '1 day' * days) FROM unnest(ARRAY[50, 51, 100, 101, 550]) AS days;
    WITH old (at, day) AS (SELECT now() - interval '550 days', (now() - interval '550 days') AT TIME ZONE 'Asia/Seoul'),
    counted AS (INSERT INTO slip_counter (site_id, day, last_number) SELECT 1, day::date, 1 FROM old),
    slips AS (INSERT INTO slip (slip_number, site_id, day, number, record_id)
        SELECT 'WR' || to_char(day, 'YYYYMMDD') || '001', 1, day::date, 1, 1 FROM old),
    owed AS (INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload)
        SELECT 'ERP_COMPLETE', gen_random_uuid(), 'old', jsonb_build_object('slip_number', 'WR' || to_char(day, 'YYYYMMDD') || '001') FROM old)
    INSERT INTO weigh_record (id, site_id, station_id, vehicle_id, driver_id, weighed_at, status, slip_number,
        gross_weight, tare_weight, net_weight)
    SELECT nextval('weigh_record_id_seq'), 1, 1, 1, 1, at, 'COMPLETED', 'WR' || to_char(day, 'YYYYMMDD') || '001', 25000, 10000, 15000 FROM old";

const TRUSTED: &str = "UPDATE weigh_station SET trusted_since = now() - interval '1 year'";

#[tokio::test]
async fn a_site_whose_newest_slip_is_old_gets_its_room_when_something_is_numbered_there() {
    let (mut yard, _) = yards().await;
    yard.execute(OLD).await;
    let file = told_of_twelve(&yard);
    assert!(yard.greet(file).await.room_made);
    let lost = "SELECT count(*) FROM slip WHERE state = 'LOST'";
    assert_eq!(yard.count(lost).await, 1_000, "of the old day and of today");
    assert_eq!(last_slip(&yard).await, [501, 500]);

    // A weighing of a day between that comes only now, and that its call explains.
    yard.execute(TRUSTED).await;
    yard.go_on_at(1);
    yard.weigh_through_failures(Utc::now() - TimeDelta::days(100)).await;
    assert_eq!(last_slip(&yard).await, [501, 501, 500]);
    assert_eq!(yard.count(lost).await, 1_500);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());

    // Once more: each day twice.
    yard.execute("UPDATE edge_gateway SET last_seen_at = now() + interval '1 second'")
        .await;
    let file = EpochState {
        next_seq: 16,
        acked: 15,
        ..yard.file()
    };
    assert!(yard.greet(file).await.room_made);
    assert_eq!(last_slip(&yard).await, [501, 1_001, 1_000]);
    yard.execute(TRUSTED).await;
    yard.go_on_at(4);
    yard.weigh_through_failures(Utc::now() - TimeDelta::days(50)).await;
    assert_eq!(last_slip(&yard).await, [501, 1_001, 1_001, 1_000]);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}
