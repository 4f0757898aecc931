//! Receipts of weighings that this database does not know any more, and what they may not do.

use chrono::Utc;
use weighbridge::{
    db::edge_event::{Outcome, Taken},
    domain::{slip::SlipNumber, slip::local_day},
};
use weighbridge_protocol::link::Receipt;

use crate::support::yard::Yard;

fn slip(number: i32) -> String {
    SlipNumber::new("WR", local_day(Utc::now(), chrono_tz::Asia::Seoul), number).to_string()
}

fn receipt(record_id: i64, number: i32) -> Receipt {
    Receipt {
        slip_number: Some(slip(number)),
        record_id: Some(record_id),
        vehicle_id: Some(1),
        ..Receipt::default()
    }
}

/// The yard's edge sends a stay again with what it was told of it.
async fn send_again(yard: &mut Yard, receipt: Receipt) -> Taken {
    let mut events = yard.stay(25_000);
    events[1].receipt = Some(receipt);
    match yard.store(events).await {
        Outcome::Taken(taken) => *taken,
        Outcome::Fenced => panic!("fenced"),
    }
}

fn alarms(taken: &Taken) -> Vec<&'static str> {
    taken.changes.alarms.iter().map(|alarm| alarm.code).collect()
}

#[tokio::test]
async fn a_record_that_comes_back_keeps_its_id_and_no_later_one_gets_it() {
    let mut yard = Yard::new().await;
    let taken = send_again(&mut yard, receipt(4, 3)).await;
    assert_eq!(alarms(&taken), [""; 0]);
    assert_eq!(yard.record(4).await.slip_number, Some(slip(3)));
    for _ in 0..5 {
        let entry = yard.check_in_and_call().await;
        assert!(entry.record_id > Some(4), "{:?} was given out before", entry.record_id);
        yard.store_stay(25_000).await;
        assert_eq!(yard.entry(entry.id).await.status, "COMPLETED");
    }
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn an_id_that_is_drawn_while_a_receipt_brings_it_back_becomes_the_next_one() {
    let mut yards = Yard::several(2).await;
    // As if the call had drawn it just before.
    yards[0].execute("SELECT setval('weigh_record_id_seq', 4)").await;
    send_again(&mut yards[0], receipt(4, 3)).await;
    yards[0].execute("SELECT setval('weigh_record_id_seq', 3)").await;
    let entry = yards[1].check_in_and_insist_on_a_call().await;
    assert_eq!(entry.record_id, Some(5));
    assert_eq!(yards[1].broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_receipt_with_a_far_number_or_id_takes_the_next_free_ones() {
    let mut yard = Yard::new().await;
    let taken = send_again(&mut yard, receipt(4_000_000_000_000, 999_999)).await;
    assert_eq!(alarms(&taken), ["RECEIPT_RECORD_TAKEN", "RECEIPT_SLIP_TAKEN"]);
    assert_eq!(yard.numbers("SELECT last_number FROM slip_counter").await, [1]);
    assert_eq!(
        yard.count("SELECT count(*) FROM weigh_record WHERE id < 100 AND status = 'COMPLETED'")
            .await,
        1
    );
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}

fn receipt_of(plate: &str, vehicle_id: i64) -> Receipt {
    Receipt {
        vehicle_id: Some(vehicle_id),
        vehicle_plate: Some(plate.into()),
        ..receipt(4, 3)
    }
}

#[tokio::test]
async fn a_weighing_comes_back_to_the_truck_with_its_plate_though_another_has_its_id_now() {
    let mut yards = Yard::several(2).await;
    let taken = send_again(&mut yards[0], receipt_of("12가3452", 1)).await;
    assert_eq!(alarms(&taken), [""; 0]);
    let whose = "SELECT vehicle_id FROM weigh_record WHERE id = 4 AND status = 'COMPLETED'";
    assert_eq!(yards[0].count(whose).await, 2);
}

#[tokio::test]
async fn a_weighing_of_a_truck_that_is_not_known_any_more_waits_with_what_was_printed() {
    let mut yard = Yard::new().await;
    yard.check_in_and_call().await;
    let taken = send_again(&mut yard, receipt_of("99하9999", 1)).await;
    // Whoever is called here has not been weighed: staff look at his entry, too.
    assert_eq!(alarms(&taken), ["RECEIPT_UNKNOWN_VEHICLE", "CALL_REVIEW"]);
    let waits = "SELECT count(*) FROM capture WHERE state = 'UNASSIGNED' AND receipt->>'vehicle_plate' = '99하9999'";
    assert_eq!(yard.count(waits).await, 1);
    assert_eq!(yard.count("SELECT count(*) FROM slip").await, 0);
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}
