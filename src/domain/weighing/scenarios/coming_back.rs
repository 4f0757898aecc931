//! Weighings that come back after a restore are what they were, in whichever order their edges come.

use chrono::{DateTime, NaiveDate, Utc};
use expect_test::expect;
use proptest::prelude::*;
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{Receipt, WhichPass},
};

use super::{
    super::{
        completed,
        ledger::{RecordStatus, Row},
    },
    yard::{Yard, pending},
};
use crate::domain::outbox::Names;

const RECORD: i64 = 400;

/// A stay on the deck: when its truck drove on, and its weight. It was captured ten seconds later.
type Stay = (i64, i32);

/// All that others may know of a weighing.
#[derive(Debug, PartialEq)]
struct Weighing {
    slip: Option<String>,
    direction: Option<String>,
    passes: [Option<Kilograms>; 2],
    weights: Option<[Kilograms; 3]>,
    weighed_at: DateTime<Utc>,
    review: Option<&'static str>,
    erp_keys: Vec<Uuid>,
}

impl Yard {
    fn weighing(&self) -> Weighing {
        let record = &self.ledger.records[&RECORD];
        let messages = completed::messages(&self.ledger, RECORD, &Names::default());
        Weighing {
            slip: record.slip.as_ref().map(ToString::to_string),
            direction: record.direction.clone(),
            passes: [record.first, record.second].map(|pass| pass.map(|pass| pass.weight)),
            weights: record.weights.map(|weights| [weights.gross, weights.tare, weights.net]),
            weighed_at: record.weighed_at,
            review: record.review,
            erp_keys: messages.iter().map(|message| message.idempotency_key).collect(),
        }
    }

    fn told(&self, stay: Stay) -> Receipt {
        let cycle = CycleId::from_bits(u128::try_from(stay.0).unwrap());
        self.ledger.receipt(cycle).unwrap()
    }

    fn stays(self, (on, kg): Stay, receipt: &Receipt) -> Self {
        self.with_receipt(receipt.clone()).capture(on, on + 10, kg)
    }

    /// Its edge's clock has been set since.
    fn stays_later(self, (on, kg): Stay, by: i64, receipt: &Receipt) -> Self {
        self.with_receipt(receipt.clone()).captured_as(on, on + 10 + by, kg, on)
    }
}

/// What is known once a truck without a tare has been weighed twice, and what its edges were told.
fn weighed_twice(first: Stay, second: Stay) -> (Weighing, [Receipt; 2]) {
    let mut yard = Yard::of_a_vehicle_without_tare();
    yard.ledger.records.insert(RECORD, Row::loaded(pending(6)));
    let call = |yard: &mut Yard| {
        let call = yard.ledger.calls.get_mut(&7).unwrap().change();
        (call.record_id, call.capture_id) = (Some(RECORD), None);
    };
    call(&mut yard);
    let mut yard = yard.capture(first.0, first.0 + 10, first.1);
    let told_first = yard.told(first);
    call(&mut yard);
    let mut yard = yard.capture(second.0, second.0 + 10, second.1);
    let day = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    completed::number(&mut yard.ledger, 1, day, 1, &[RECORD]);
    (yard.weighing(), [told_first, yard.told(second)])
}

proptest! {
    #[test]
    fn two_passes_come_back_the_same_in_either_order_and_by_whatever_clock(
        weights in (1_000..50_000, 1_000..50_000), loads in any::<bool>(), clock in -500..500_i64, again in any::<bool>()
    ) {
        let (first, second) = ((110, weights.0), (210, weights.1));
        let (before, [mut told_first, told_second]) = weighed_twice(first, second);
        prop_assert!(before.slip.is_some() && before.erp_keys.len() == 1);
        if again {
            // Its edge sent it again after the second pass, and was told of the whole.
            told_first = Receipt { pass: Some(WhichPass::First), ..told_second.clone() };
        }
        // By now the truck has a tare, with which either weight alone would be a whole weighing.
        let restored = || {
            let mut yard = Yard::of_a_vehicle_without_tare();
            yard.ledger.vehicles.get_mut(&6).unwrap().tare = loads.then_some(Kilograms::from_whole(500));
            yard
        };
        let in_order = restored().stays(first, &told_first).stays(second, &told_second);
        prop_assert_eq!(&in_order.weighing(), &before);
        let in_reverse = restored().stays(second, &told_second).stays(first, &told_first);
        prop_assert_eq!(&in_reverse.weighing(), &before);
        let by_another_clock = restored().stays(second, &told_second).stays_later(first, clock, &told_first);
        prop_assert_eq!(&by_another_clock.weighing(), &before);
    }
}

#[test]
fn a_record_that_waits_for_its_other_pass_keeps_its_number_and_takes_no_other_weight() {
    let (first, second) = ((110, 25_000), (210, 9_000));
    let (_, [_, told]) = weighed_twice(first, second);
    let mut yard = Yard::of_a_vehicle_without_tare().stays(second, &told);
    let record = &yard.ledger.records[&RECORD];
    assert_eq!((record.status, record.slip.clone()), (RecordStatus::Weighing, None));
    assert_eq!(yard.ledger.reserved.len(), 1);
    // Its truck is called meanwhile, and weighed again.
    let call = yard.ledger.calls.get_mut(&7).unwrap().change();
    (call.record_id, call.capture_id) = (Some(RECORD), None);
    yard.without_receipt().capture(310, 320, 8_980).check(expect![[r#"
        call Called, capture None, record Some(400)
        record 400 WEIGHING, net -, slip -, review RESTORED_INCOMPLETE
        capture 1 9000.00 of record Some(400)
        capture 2 8980.00 of record None
        alarm RESTORED_INCOMPLETE
    "#]]);
}

fn told_at_once(tare: i32, net: i32) -> Receipt {
    Receipt {
        slip_number: Some("WR19700101007".into()),
        record_id: Some(RECORD),
        vehicle_id: Some(5),
        pass: Some(WhichPass::Only),
        gross: Some(Kilograms::from_whole(25_000)),
        tare: Some(Kilograms::from_whole(tare)),
        net: Some(Kilograms::from_whole(net)),
        ..Receipt::default()
    }
}

#[test]
fn the_weights_that_were_printed_stand_where_the_tare_is_another_now() {
    let of = |receipt: &Receipt| Yard::new().stays((40, 25_000), receipt);
    // As they are known here.
    of(&told_at_once(10_000, 15_000)).check(expect![[r#"
        call Called, capture Some(1), record Some(400)
        record 400 COMPLETED, net 15000.00, slip WR19700101007, review -
        capture 1 25000.00 of record Some(400)
    "#]]);
    let altered = expect![[r#"
        call Called, capture Some(1), record Some(400)
        record 400 COMPLETED, net 15500.00, slip WR19700101007, review RESTORED_WEIGHTS
        capture 1 25000.00 of record Some(400)
        alarm RESTORED_WEIGHTS
    "#]];
    of(&told_at_once(9_500, 15_500)).check(altered);
}

#[test]
fn the_weights_that_were_printed_stand_where_no_tare_is_known_now() {
    let mut yard = Yard::new();
    yard.ledger.vehicles.get_mut(&5).unwrap().tare = None;
    let yard = yard.stays((40, 25_000), &told_at_once(10_000, 15_000));
    assert_eq!(yard.weighing().erp_keys.len(), 1);
    yard.check(expect![[r#"
        call Called, capture Some(1), record Some(400)
        record 400 COMPLETED, net 15000.00, slip WR19700101007, review RESTORED_WEIGHTS
        capture 1 25000.00 of record Some(400)
        alarm RESTORED_WEIGHTS
    "#]]);
}

#[test]
fn weights_that_cannot_have_been_printed_are_not_believed_and_looked_at() {
    let wrong = [
        told_at_once(10_000, 15_500),
        told_at_once(-500, 25_500),
        Receipt {
            gross: Some(Kilograms::from_whole(26_000)),
            ..told_at_once(10_000, 16_000)
        },
        Receipt {
            tare: None,
            ..told_at_once(10_000, 15_000)
        },
    ];
    for receipt in wrong {
        let weighing = Yard::new().stays((40, 25_000), &receipt).weighing();
        let [gross, tare, net] = [25_000, 10_000, 15_000].map(Kilograms::from_whole);
        assert_eq!(weighing.weights, Some([gross, tare, net]), "{receipt:?}");
        assert_eq!(weighing.review, Some("RESTORED_WEIGHTS"), "{receipt:?}");
        assert_eq!(weighing.slip.as_deref(), Some("WR19700101007"));
    }
}
