//! A database whose files were put back says nothing of that: an edge that was told of more than is here shows it.

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
