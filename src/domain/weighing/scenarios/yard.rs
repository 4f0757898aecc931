//! The yard in which the stories take place, and how they are told.

use chrono::{DateTime, TimeDelta, Utc};
use expect_test::Expect;
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{EventBody, EventKind, Receipt, event::Capture},
};

use crate::domain::edge_time::Moments;
use crate::domain::weighing::{
    Arrival, Fate, Ledger, apply, deck,
    ledger::{Call, CallStatus, Record, RecordStatus, Row, Site, Station, StationStatus, Vehicle},
};

pub(super) const STATION: i64 = 1;
const EDGE: i64 = 1;
const CALLED_AT: i64 = 100;

fn second(n: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(n)
}

/// A yard of one station to which vehicle 5 (tare 10 t) is called, with record 9, since second 100.
pub(super) struct Yard {
    pub(super) ledger: Ledger,
    seq: i64,
    receipt: Option<Receipt>,
    is_late: bool,
    fates: Vec<Fate>,
}

impl Yard {
    pub(super) fn new() -> Self {
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
            least_approach: chrono::TimeDelta::zero(),
            status: StationStatus::Idle,
            deck: None,
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
            calls_made: 1,
            status: CallStatus::Called,
            capture_id: None,
            record_id: Some(9),
            completed_at: None,
        };
        ledger.calls.insert(7, Row::loaded(call));
        ledger.records.insert(9, Row::loaded(pending(5)));
        ledger.last_record_id = 800;
        Self {
            ledger,
            seq: 0,
            receipt: None,
            is_late: false,
            fates: Vec::new(),
        }
    }

    pub(super) fn of_a_vehicle_without_tare() -> Self {
        let mut yard = Self::new();
        if let Some(call) = yard.ledger.calls.get_mut(&7) {
            call.change().vehicle_id = 6;
        }
        yard.ledger.records.insert(9, Row::loaded(pending(6)));
        yard
    }

    /// Its truck has been called so often, this time included.
    pub(super) fn after_calls(mut self, calls_made: i32) -> Self {
        if let Some(call) = self.ledger.calls.get_mut(&7) {
            call.change().calls_made = calls_made;
        }
        self
    }

    pub(super) fn distrusted_since(mut self, at: i64) -> Self {
        if let Some(station) = self.ledger.stations.get_mut(&STATION) {
            station.change().trusted_since = second(at);
        }
        self
    }

    pub(super) fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    pub(super) fn without_receipt(mut self) -> Self {
        self.receipt = None;
        self
    }

    /// What comes from now on was lost before, and later events are stored.
    pub(super) fn late(mut self) -> Self {
        self.is_late = true;
        self
    }

    pub(super) fn on(self, at: i64) -> Self {
        self.event(at, at, Some(at), EventKind::VehicleOn {})
    }

    pub(super) fn capture(self, on: i64, at: i64, kg: i32) -> Self {
        self.captured(on, at, kg, false)
    }

    pub(super) fn gap_capture(self, on: i64, at: i64, kg: i32) -> Self {
        self.captured(on, at, kg, true)
    }

    /// The same cycle, by another clock.
    pub(super) fn captured_as(self, on: i64, at: i64, kg: i32, cycle: i64) -> Self {
        self.capture_of(Some(cycle), on, at, kg, false)
    }

    pub(super) fn captured(self, on: i64, at: i64, kg: i32, gap: bool) -> Self {
        self.capture_of(Some(on), on, at, kg, gap)
    }

    fn capture_of(self, cycle: Option<i64>, on: i64, at: i64, kg: i32, gap: bool) -> Self {
        let weight = Kilograms::from_whole(kg);
        let capture = Capture {
            weight,
            gap,
            on_mono_ms: on * 1000,
            raw: String::new(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        };
        self.event(on, at, cycle, EventKind::Capture(capture))
    }

    pub(super) fn off(self, at: i64, captured: bool) -> Self {
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

    /// The truck that drove on at `on` drives off.
    pub(super) fn off_of(self, on: i64, at: i64) -> Self {
        let kind = EventKind::VehicleOff {
            captured: true,
            inferred: false,
        };
        self.event(at, at, Some(on), kind)
    }

    pub(super) fn approach_takes(mut self, seconds: i64) -> Self {
        if let Some(station) = self.ledger.stations.get_mut(&STATION) {
            station.change().least_approach = chrono::TimeDelta::seconds(seconds);
        }
        self
    }

    pub(super) fn event(mut self, on: i64, at: i64, cycle: Option<i64>, kind: EventKind) -> Self {
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
            is_late: self.is_late,
        };
        self.fates.push(apply(&mut self.ledger, &arrival));
        self
    }

    /// Readings show the deck empty, though no event told so.
    pub(super) fn seen_empty(&mut self, at: i64) {
        deck::seen_empty(&mut self.ledger, STATION, second(at));
    }

    #[track_caller]
    pub(super) fn check_deck(self, expected: &str) {
        let said = self.ledger.stations.get(&STATION).map(|station| {
            let deck = if station.is_empty() { "nothing" } else { "a vehicle" };
            format!("{}, {deck} stands there", station.status.name())
        });
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[expect(clippy::needless_pass_by_value, reason = "as expect_test's own functions take it")]
    #[track_caller]
    pub(super) fn check(self, expected: Expect) {
        let mut story = Vec::new();
        let ledger = &self.ledger;
        for call in ledger.calls.values() {
            story.push(format!(
                "call {:?}, capture {:?}, record {:?}\n",
                call.status, call.capture_id, call.record_id
            ));
        }
        for (id, record) in ledger.records.iter().filter(|(id, _)| !ledger.removed.contains(id)) {
            let net = record
                .weights
                .map_or_else(|| "-".to_owned(), |weights| weights.net.to_string());
            let slip = record.slip.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let review = record.review.unwrap_or("-");
            story.push(format!(
                "record {id} {}, net {net}, slip {slip}, review {review}\n",
                record.status.name()
            ));
        }
        for capture in ledger.captures.values() {
            story.push(format!(
                "capture {} {} of record {:?}\n",
                capture.id, capture.weight, capture.record_id
            ));
        }
        for alarm in &ledger.alarms {
            story.push(format!("alarm {}\n", alarm.code));
        }
        for fate in self.fates.iter().filter(|fate| **fate != Fate::Stored) {
            story.push(format!("{fate:?}\n"));
        }
        expected.assert_eq(&story.concat());
    }
}

pub(super) fn pending(vehicle_id: i64) -> Record {
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
