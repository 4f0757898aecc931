//! What receipts bring back after a restore, and what they may not.

use expect_test::expect;
use uuid::Uuid;
use weighbridge_protocol::link::Receipt;

use super::{
    super::{
        last_record_id,
        ledger::{Record, RecordStatus, Row},
    },
    yard::{Yard, pending},
};

#[test]
fn a_receipt_brings_its_record_and_its_slip_back_whatever_the_calls_say() {
    let receipt = Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(400),
        vehicle_id: Some(5),
        ..Receipt::default()
    };
    Yard::new()
        .with_receipt(receipt)
        .capture(40, 50, 25_000)
        .check(expect![[r#"
        call Called, capture Some(1), record Some(400)
        record 400 COMPLETED, net 15000.00, slip WR19700101007, review -
        capture 1 25000.00 of record Some(400)
    "#]]);
}

#[test]
fn a_receipt_whose_number_is_anothers_by_now_gets_the_next_free_one() {
    let receipt = Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(400),
        vehicle_id: Some(5),
        ..Receipt::default()
    };
    let mut yard = Yard::new().with_receipt(receipt);
    yard.ledger.slips.insert("WR19700101007".into(), Some(3));
    yard.ledger.records.insert(
        400,
        Row::loaded(Record {
            status: RecordStatus::Completed,
            ..pending(6)
        }),
    );
    yard.capture(40, 50, 25_000).check(expect![[r#"
        call Called, capture Some(1), record Some(900)
        record 400 COMPLETED, net -, slip -, review -
        record 900 COMPLETED, net 15000.00, slip -, review -
        capture 1 25000.00 of record Some(900)
        alarm RECEIPT_RECORD_TAKEN
        alarm RECEIPT_SLIP_TAKEN
    "#]]);
}

#[test]
fn a_receipt_that_names_what_nobody_can_have_given_out_is_not_believed() {
    let receipt = Receipt {
        slip_number: Some("WR19700101999999".into()),
        record_id: Some(1_000_000_000_000),
        vehicle_id: Some(5),
        ..Receipt::default()
    };
    assert_eq!(last_record_id(800, std::slice::from_ref(&receipt)), 800);
    Yard::new()
        .with_receipt(receipt)
        .capture(40, 50, 25_000)
        .check(expect![[r#"
        call Called, capture Some(1), record Some(900)
        record 900 COMPLETED, net 15000.00, slip -, review -
        capture 1 25000.00 of record Some(900)
        alarm RECEIPT_RECORD_TAKEN
        alarm RECEIPT_SLIP_TAKEN
    "#]]);
}

#[test]
fn a_receipt_is_of_the_truck_with_its_plate_whatever_id_that_has_now() {
    // Vehicle 6 is another truck; the one that was weighed has id 5 since it was registered again.
    let receipt = Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(400),
        vehicle_id: Some(6),
        vehicle_plate: Some("12가3456".into()),
        ..Receipt::default()
    };
    Yard::new()
        .with_receipt(receipt)
        .capture(40, 50, 25_000)
        .check(expect![[r#"
        call Called, capture Some(1), record Some(400)
        record 400 COMPLETED, net 15000.00, slip WR19700101007, review -
        capture 1 25000.00 of record Some(400)
    "#]]);
}

#[test]
fn a_receipt_of_a_truck_that_is_not_known_any_more_waits_for_staff_and_is_no_calls() {
    let receipt = Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(400),
        vehicle_id: Some(5),
        vehicle_plate: Some("99하9999".into()),
        ..Receipt::default()
    };
    let yard = Yard::new().with_receipt(receipt.clone()).capture(110, 120, 25_000);
    let row = yard.ledger.captures.values().next().unwrap();
    let kept = row.evidence.as_ref().unwrap().receipt.clone();
    assert_eq!(kept, Some(receipt));
    yard.check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        capture 1 25000.00 of record None
        alarm RECEIPT_UNKNOWN_VEHICLE
    "#]]);
}

#[test]
fn a_receipt_of_another_server_is_none_and_no_call_takes_its_capture() {
    let [here, elsewhere] = [1, 2].map(Uuid::from_u128);
    let receipt = |database| Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(400),
        vehicle_id: Some(5),
        vehicle_plate: Some("12가3456".into()),
        database,
        ..Receipt::default()
    };
    let told = |of: Option<Uuid>| {
        let mut yard = Yard::new().with_receipt(receipt(of));
        yard.ledger.database = Some(here);
        yard.capture(110, 120, 25_000)
    };
    told(Some(elsewhere)).check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        capture 1 25000.00 of record None
        alarm RECEIPT_OF_ANOTHER_SERVER
    "#]]);
    for own in [Some(here), None] {
        let yard = told(own);
        assert_eq!(yard.ledger.records[&400].slip.as_ref().unwrap().number(), 7, "{own:?}");
        assert!(yard.ledger.alarms.is_empty(), "{own:?}");
    }
}

#[test]
fn a_driver_whose_id_is_anothers_by_now_is_left_out() {
    let receipt = Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(400),
        vehicle_id: Some(5),
        vehicle_plate: Some("12가3456".into()),
        driver_id: Some(1),
        driver_name: Some("김".into()),
        ..Receipt::default()
    };
    let mut yard = Yard::new().with_receipt(receipt);
    yard.ledger.drivers.insert(1, "이".into());
    let yard = yard.capture(40, 50, 25_000);
    assert_eq!(yard.ledger.records[&400].driver_id, None);
    yard.check(expect![[r#"
        call Called, capture Some(1), record Some(400)
        record 400 COMPLETED, net 15000.00, slip WR19700101007, review RESTORED_DRIVER
        capture 1 25000.00 of record Some(400)
        alarm RECEIPT_OTHER_DRIVER
    "#]]);
}

#[test]
fn what_receipts_name_is_not_drawn_again() {
    let naming = |record_id: i64| Receipt {
        record_id: Some(record_id),
        ..Receipt::default()
    };
    let receipts = [naming(810), naming(7), naming(803), Receipt::default()];
    assert_eq!(last_record_id(800, &receipts), 810);
    assert_eq!(last_record_id(900, &receipts), 900);
}
