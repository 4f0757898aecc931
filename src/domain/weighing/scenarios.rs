//! Whole stays on a deck, told as stories: what becomes of the call, the record and the capture.

use chrono::{DateTime, TimeDelta, Utc};
use expect_test::{Expect, expect};
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{EventBody, EventKind, Receipt, event::Capture},
};

use super::{
    Arrival, Fate, Ledger, apply,
    ledger::{Call, CallStatus, Record, RecordStatus, Row, Site, Station, StationStatus, Vehicle},
};
use crate::domain::edge_time::Moments;

const STATION: i64 = 1;
const EDGE: i64 = 1;
const CALLED_AT: i64 = 100;

fn second(n: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(n)
}

/// A yard of one station to which vehicle 5 (tare 10 t) is called, with record 9, since second 100.
struct Yard {
    ledger: Ledger,
    seq: i64,
    receipt: Option<Receipt>,
    fates: Vec<Fate>,
}

impl Yard {
    fn new() -> Self {
        let mut ledger = Ledger {
            fresh_capture_ids: (1..=9).rev().collect(),
            fresh_record_ids: vec![901, 900],
            min_net: Kilograms::from_whole(100),
            ..Ledger::default()
        };
        ledger.sites.insert(
            1,
            Site {
                zone: chrono_tz::Asia::Seoul,
                slip_prefix: "WR".into(),
            },
        );
        let station = Station {
            site_id: 1,
            edge_id: Some(EDGE),
            capacity: Some(Kilograms::from_whole(60_000)),
            trusted_since: second(0),
            status: StationStatus::Idle,
        };
        ledger.stations.insert(STATION, Row::loaded(station));
        let vehicle = |plate: &str, tare| Vehicle {
            plate: plate.into(),
            tare,
            tare_valid_until: None,
            max_load: None,
        };
        ledger
            .vehicles
            .insert(5, vehicle("12가3456", Some(Kilograms::from_whole(10_000))));
        ledger.vehicles.insert(6, vehicle("34나5678", None));
        let call = Call {
            station_id: STATION,
            vehicle_id: 5,
            driver_id: None,
            product_id: None,
            customer_id: None,
            direction: None,
            called_at: second(CALLED_AT),
            status: CallStatus::Called,
            capture_id: None,
            record_id: Some(9),
            completed_at: None,
        };
        ledger.calls.insert(7, Row::loaded(call));
        ledger.records.insert(9, Row::loaded(pending(5)));
        Self {
            ledger,
            seq: 0,
            receipt: None,
            fates: Vec::new(),
        }
    }

    fn of_a_vehicle_without_tare() -> Self {
        let mut yard = Self::new();
        if let Some(call) = yard.ledger.calls.get_mut(&7) {
            call.change().vehicle_id = 6;
        }
        yard.ledger.records.insert(9, Row::loaded(pending(6)));
        yard
    }

    fn distrusted_since(mut self, at: i64) -> Self {
        if let Some(station) = self.ledger.stations.get_mut(&STATION) {
            station.change().trusted_since = second(at);
        }
        self
    }

    fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    fn on(self, at: i64) -> Self {
        self.event(at, at, Some(at), EventKind::VehicleOn {})
    }

    fn capture(self, on: i64, at: i64, kg: i32) -> Self {
        self.captured(on, at, kg, false)
    }

    fn gap_capture(self, on: i64, at: i64, kg: i32) -> Self {
        self.captured(on, at, kg, true)
    }

    fn captured(self, on: i64, at: i64, kg: i32, gap: bool) -> Self {
        let weight = Kilograms::from_whole(kg);
        let capture = Capture {
            weight,
            gap,
            on_mono_ms: on * 1000,
            raw: String::new(),
            curve: Vec::new(),
        };
        self.event(on, at, Some(on), EventKind::Capture(capture))
    }

    fn off(self, at: i64, captured: bool) -> Self {
        self.event(
            at,
            at,
            None,
            EventKind::VehicleOff {
                captured,
                inferred: false,
            },
        )
    }

    fn event(mut self, on: i64, at: i64, cycle: Option<i64>, kind: EventKind) -> Self {
        self.seq += 1;
        let body = EventBody {
            epoch: Epoch::from_bits(1),
            seq: self.seq,
            station_id: STATION,
            cycle: cycle
                .and_then(|cycle| u128::try_from(cycle).ok())
                .map(CycleId::from_bits),
            at: second(at).fixed_offset(),
            mono_ms: at * 1000,
            boot: Uuid::nil(),
            kind,
        };
        let moments = Moments {
            at: second(at),
            on: second(on),
            doubtful: false,
        };
        let arrival = Arrival {
            edge_id: Some(EDGE),
            body: &body,
            receipt: self.receipt.as_ref(),
            moments,
            received_at: second(at),
        };
        self.fates.push(apply(&mut self.ledger, &arrival));
        self
    }

    #[expect(clippy::needless_pass_by_value, reason = "as expect_test's own functions take it")]
    #[track_caller]
    fn check(self, expected: Expect) {
        let mut story = String::new();
        let ledger = &self.ledger;
        for call in ledger.calls.values() {
            story += &format!(
                "call {:?}, capture {:?}, record {:?}\n",
                call.status, call.capture_id, call.record_id
            );
        }
        for (id, record) in ledger.records.iter().filter(|(id, _)| !ledger.removed.contains(id)) {
            let net = record
                .weights
                .map_or_else(|| "-".to_owned(), |weights| weights.net.to_string());
            let slip = record.slip.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let review = record.review.unwrap_or("-");
            story += &format!(
                "record {id} {}, net {net}, slip {slip}, review {review}\n",
                record.status.name()
            );
        }
        for capture in ledger.captures.values() {
            story += &format!(
                "capture {} {} of record {:?}\n",
                capture.id, capture.weight, capture.record_id
            );
        }
        for alarm in &ledger.alarms {
            story += &format!("alarm {}\n", alarm.code);
        }
        for fate in self.fates.iter().filter(|fate| **fate != Fate::Stored) {
            story += &format!("{fate:?}\n");
        }
        expected.assert_eq(&story);
    }
}

fn pending(vehicle_id: i64) -> Record {
    Record {
        site_id: 1,
        station_id: STATION,
        vehicle_id,
        driver_id: None,
        product_id: None,
        customer_id: None,
        direction: None,
        weighed_at: second(CALLED_AT),
        status: RecordStatus::Pending,
        first: None,
        second: None,
        weights: None,
        overload: None,
        review: None,
        slip: None,
        revision: 1,
    }
}

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
