//! Whole stays on a deck, told as stories: what becomes of the call, the record and the capture.

mod coming_back;
mod receipts;
mod yard;

use expect_test::expect;
use weighbridge_protocol::{
    Kilograms,
    link::{EventKind, event::IndicatorTrouble},
};

use yard::{STATION, Yard};

#[test]
fn a_called_truck_with_a_tare_is_weighed_in_one_pass() {
    Yard::new()
        .on(110)
        .capture(110, 120, 25_000)
        .off(130, true)
        .check(expect![[r#"
        call Completed, capture Some(1), record Some(9)
        record 9 COMPLETED, net 15000.00, slip -, review -
        capture 1 25000.00 of record Some(9)
    "#]]);
}

#[test]
fn a_first_pass_ends_the_call_and_leaves_the_record_open() {
    Yard::of_a_vehicle_without_tare()
        .on(110)
        .capture(110, 120, 25_000)
        .off(130, true)
        .check(expect![[r#"
        call Completed, capture Some(1), record Some(9)
        record 9 WEIGHING, net -, slip -, review -
        capture 1 25000.00 of record Some(9)
    "#]]);
}

#[test]
fn another_truck_before_the_called_one_leaves_it_its_call() {
    // It stood there when the call was made: only its leaving falls into the call.
    Yard::new()
        .capture(90, 99, 25_000)
        .off_of(90, 105)
        .on(110)
        .capture(110, 120, 18_000)
        .off_of(110, 130)
        .check(expect![[r#"
        call Completed, capture Some(2), record Some(9)
        record 9 COMPLETED, net 8000.00, slip -, review -
        capture 1 25000.00 of record None
        capture 2 18000.00 of record Some(9)
        alarm OTHER_TRUCK
    "#]]);
}

#[test]
fn a_truck_that_comes_sooner_than_the_called_one_can_is_another() {
    Yard::new()
        .approach_takes(20)
        .capture(103, 115, 25_000)
        .off_of(103, 118)
        .capture(121, 130, 18_000)
        .off_of(121, 140)
        .check(expect![[r#"
        call Completed, capture Some(2), record Some(9)
        record 9 COMPLETED, net 8000.00, slip -, review -
        capture 1 25000.00 of record None
        capture 2 18000.00 of record Some(9)
        alarm OTHER_TRUCK
    "#]]);
}

#[test]
fn what_weighs_less_than_the_called_truck_empty_is_another() {
    Yard::new().capture(110, 120, 3_500).off_of(110, 130).check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        capture 1 3500.00 of record None
        alarm OTHER_TRUCK
    "#]]);
}

#[test]
fn a_backlog_never_lands_on_the_truck_that_is_called_now() {
    Yard::new()
        .on(80)
        .capture(80, 90, 25_000)
        .off(95, true)
        .check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        capture 1 25000.00 of record None
    "#]]);
}

#[test]
fn a_truck_that_stood_there_when_the_call_came_is_for_staff() {
    Yard::new()
        .on(95)
        .capture(95, 120, 25_000)
        .off(130, true)
        .check(expect![[r#"
        call Review, capture None, record None
        capture 1 25000.00 of record None
        alarm CALL_REVIEW
    "#]]);
}

#[test]
fn a_gap_capture_completes_nothing() {
    Yard::new()
        .gap_capture(110, 120, 25_000)
        .off(130, true)
        .check(expect![[r#"
        call Review, capture None, record None
        capture 1 25000.00 of record None
        alarm CALL_REVIEW
    "#]]);
}

#[test]
fn a_truck_that_leaves_unweighed_is_called_anew() {
    Yard::new().on(110).off(115, false).check(expect![[r#"
        call BackInLine, capture None, record None
        alarm LEFT_UNWEIGHED
    "#]]);
}

#[test]
fn a_truck_that_left_unweighed_after_its_third_call_is_for_staff() {
    Yard::new().after_calls(2).on(110).off(115, false).check(expect![[r#"
        call BackInLine, capture None, record None
        alarm LEFT_UNWEIGHED
    "#]]);
    Yard::new().after_calls(3).on(110).off(115, false).check(expect![[r#"
        call Review, capture None, record None
        alarm LEFT_UNWEIGHED
    "#]]);
}

#[test]
fn who_leaves_unweighed_sooner_than_the_called_truck_can_come_ends_nothing() {
    Yard::new()
        .approach_takes(20)
        .on(103)
        .off(119, false)
        .check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        alarm OTHER_TRUCK
    "#]]);
    Yard::new().approach_takes(20).off(120, false).check(expect![[r#"
        call BackInLine, capture None, record None
        alarm LEFT_UNWEIGHED
    "#]]);
}

#[test]
fn a_truck_that_is_called_again_may_stand_at_the_deck_already() {
    Yard::new()
        .approach_takes(20)
        .after_calls(2)
        .capture(103, 115, 25_000)
        .off_of(103, 118)
        .check(expect![[r#"
        call Completed, capture Some(1), record Some(9)
        record 9 COMPLETED, net 15000.00, slip -, review -
        capture 1 25000.00 of record Some(9)
    "#]]);
}

#[test]
fn a_call_takes_one_capture() {
    Yard::of_a_vehicle_without_tare()
        .capture(110, 120, 25_000)
        .capture(121, 125, 9_980)
        .check(expect![[r#"
        call Called, capture Some(1), record Some(9)
        record 9 WEIGHING, net -, slip -, review -
        capture 1 25000.00 of record Some(9)
        capture 2 9980.00 of record None
    "#]]);
}

#[test]
fn after_a_loss_nothing_is_assigned_to_a_truck_that_drove_on_before() {
    Yard::new()
        .distrusted_since(115)
        .capture(110, 120, 25_000)
        .off(130, true)
        .check(expect![[r#"
        call Review, capture None, record None
        capture 1 25000.00 of record None
        alarm CALL_REVIEW
    "#]]);
}

#[test]
fn one_cycle_is_one_weighing_also_under_another_identity() {
    Yard::new()
        .capture(110, 120, 25_000)
        .capture(110, 120, 25_000)
        .capture(110, 121, 25_020)
        .check(expect![[r#"
        call Called, capture Some(1), record Some(9)
        record 9 COMPLETED, net 15000.00, slip -, review -
        capture 1 25000.00 of record Some(9)
        Duplicate
        Rejected(OtherWeight { cycle: "0000000000000000000000000000006e", stored: Kilograms(2500000) })
    "#]]);
}

#[test]
fn more_than_the_scale_can_weigh_is_refused() {
    Yard::new().capture(110, 120, 66_020).check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        Rejected(ImpossibleWeight(Kilograms(6602000)))
    "#]]);
}

#[test]
fn a_truck_that_moved_after_its_capture_is_looked_at() {
    let weight = Kilograms::from_whole(26_000);
    Yard::new()
        .capture(110, 120, 25_000)
        .event(110, 122, Some(110), EventKind::Moved { weight })
        .check(expect![[r#"
        call Called, capture Some(1), record Some(9)
        record 9 COMPLETED, net 15000.00, slip -, review MOVED
        capture 1 25000.00 of record Some(9)
        alarm MOVED
    "#]]);
}

#[test]
fn another_edge_may_not_speak_for_a_station() {
    let mut yard = Yard::new();
    if let Some(station) = yard.ledger.stations.get_mut(&STATION) {
        station.change().edge_id = Some(2);
    }
    yard.capture(110, 120, 25_000).check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        Rejected(ForeignStation(1))
    "#]]);
}

#[test]
fn an_indicator_that_shows_net_is_alarmed_as_that() {
    let why = Some(IndicatorTrouble::Net);
    Yard::new()
        .event(40, 50, None, EventKind::IndicatorDown { why })
        .check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 PENDING, net -, slip -, review -
        alarm INDICATOR_NET
    "#]]);
}

#[test]
fn an_indicator_that_falls_silent_and_is_heard_again_tells_nothing_of_the_deck() {
    let standing = || Yard::new().on(110);
    standing().check_deck("WEIGHING, a vehicle stands there");
    let silent = || standing().event(110, 112, None, EventKind::IndicatorDown { why: None });
    silent().check_deck("ERROR, a vehicle stands there");
    let heard = || silent().event(110, 113, None, EventKind::IndicatorUp {});
    heard().check_deck("WEIGHING, a vehicle stands there");
    heard().off_of(110, 130).check_deck("IDLE, nothing stands there");
    silent().off_of(110, 130).check_deck("IDLE, nothing stands there");
    let empty = || Yard::new().event(110, 112, None, EventKind::IndicatorDown { why: None });
    empty().check_deck("ERROR, nothing stands there");
    empty()
        .event(110, 113, None, EventKind::IndicatorUp {})
        .check_deck("IDLE, nothing stands there");
}

#[test]
fn a_vehicle_is_remembered_by_all_that_only_a_vehicle_does_until_its_own_end() {
    let weight = Kilograms::from_whole(26_000);
    for kind in [
        EventKind::Moved { weight },
        EventKind::Overload {},
        EventKind::NeverZero { weight },
    ] {
        Yard::new()
            .event(110, 112, Some(110), kind)
            .check_deck("WEIGHING, a vehicle stands there");
    }
    let captured = || Yard::new().capture(110, 120, 25_000);
    captured().check_deck("WEIGHING, a vehicle stands there");
    // The end of a stay that was lost and found tells nothing of the vehicle that stands there now.
    captured()
        .off_of(105, 108)
        .check_deck("WEIGHING, a vehicle stands there");
    captured().off_of(110, 130).check_deck("IDLE, nothing stands there");
    // One that replaces another is the one that stands there.
    captured()
        .on(131)
        .off_of(110, 132)
        .check_deck("WEIGHING, a vehicle stands there");
}

#[test]
fn a_deck_that_is_seen_empty_completes_the_call_that_has_its_weight_and_no_other() {
    let mut weighed = Yard::new().capture(110, 120, 25_000);
    weighed.seen_empty(140);
    weighed.check(expect![[r#"
        call Completed, capture Some(1), record Some(9)
        record 9 COMPLETED, net 15000.00, slip -, review -
        capture 1 25000.00 of record Some(9)
    "#]]);
    let mut awaited = Yard::new().on(110);
    awaited.seen_empty(140);
    awaited.check(expect![[r#"
        call Called, capture None, record Some(9)
        record 9 WEIGHING, net -, slip -, review -
    "#]]);
}

#[test]
fn what_comes_late_tells_nothing_of_the_present() {
    let weight = Kilograms::from_whole(26_000);
    for kind in [
        EventKind::VehicleOn {},
        EventKind::Overload {},
        EventKind::NeverZero { weight },
        EventKind::ZeroDrift { weight },
        EventKind::IndicatorUp {},
        EventKind::IndicatorDown { why: None },
        EventKind::VehicleOff {
            captured: false,
            inferred: false,
        },
    ] {
        let yard = || Yard::new().late().event(110, 112, Some(110), kind.clone());
        yard().check_deck("IDLE, nothing stands there");
        yard().check(expect![[r#"
            call Called, capture None, record Some(9)
            record 9 PENDING, net -, slip -, review -
        "#]]);
    }
    Yard::new()
        .on(120)
        .late()
        .off_of(110, 112)
        .check_deck("WEIGHING, a vehicle stands there");
}

#[test]
fn a_weight_that_comes_late_is_a_weight_and_its_end_ends_its_own_stay_alone() {
    Yard::new()
        .distrusted_since(140)
        .late()
        .capture(110, 120, 25_000)
        .check(expect![[r#"
            call Called, capture None, record Some(9)
            record 9 PENDING, net -, slip -, review -
            capture 1 25000.00 of record None
        "#]]);
    let weighed = || Yard::new().capture(110, 120, 25_000).late();
    weighed().off_of(110, 130).check_deck("IDLE, nothing stands there");
    weighed()
        .event(
            110,
            125,
            Some(110),
            EventKind::Moved {
                weight: Kilograms::from_whole(26_000),
            },
        )
        .off_of(110, 130)
        .check(expect![[r#"
            call Completed, capture Some(1), record Some(9)
            record 9 COMPLETED, net 15000.00, slip -, review MOVED
            capture 1 25000.00 of record Some(9)
        "#]]);
}
