//! What a weight makes of a record: a first pass, or a complete weighing.

use chrono::NaiveDate;
use weighbridge_protocol::Kilograms;

use super::{
    ledger::{Call, Pass, Record, RecordStatus, Vehicle, Weights},
    review,
};
use crate::domain::overload::Overload;

/// How a weight was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    First,
    Completed,
}

/// Puts a pass on an open record. `on_day` is the pass's local day, by which a registered tare is still valid or not.
///
/// - a vehicle with a valid tare completes at once if the weight exceeds the tare by `min_net`; a lighter one came empty,
///   and that was its first pass
/// - without a tare the first pass waits for the second; the heavier is gross, the lighter tare
/// - first and second are so by their time, whichever is told first: staff may assign an earlier weight later
pub fn take(record: &mut Record, vehicle: &Vehicle, pass: Pass, on_day: NaiveDate, min_net: Kilograms) -> Taken {
    if let Some(known) = record.first {
        let (first, second) = if pass.at < known.at {
            (pass, known)
        } else {
            (known, pass)
        };
        return pair(record, vehicle, first, second, min_net);
    }
    match tare_of(vehicle, pass.weight, on_day, min_net) {
        Some(tare) => alone(record, vehicle, pass, tare),
        None => wait(record, pass),
    }
}

/// A first pass, which waits for the other one.
pub(super) const fn wait(record: &mut Record, pass: Pass) -> Taken {
    record.first = Some(pass);
    record.status = RecordStatus::Weighing;
    Taken::First
}

/// Complete with one weight, against this tare.
pub(super) fn alone(record: &mut Record, vehicle: &Vehicle, pass: Pass, tare: Kilograms) -> Taken {
    record.first = Some(pass);
    complete(record, vehicle, pass.weight, tare, pass);
    Taken::Completed
}

/// Complete with two weights, in this order.
pub(super) fn pair(record: &mut Record, vehicle: &Vehicle, first: Pass, second: Pass, min_net: Kilograms) -> Taken {
    (record.first, record.second) = (Some(first), Some(second));
    complete(
        record,
        vehicle,
        first.weight.max(second.weight),
        first.weight.min(second.weight),
        second,
    );
    let way = way_of(first, second);
    let said = record.direction.get_or_insert_with(|| way.to_owned());
    if record.weights.is_some_and(|weights| weights.net < min_net) {
        record.review = Some(review::NET_BELOW_MINIMUM);
    } else if said != way {
        record.review.get_or_insert(review::DIRECTION_CONTRADICTED);
    }
    Taken::Completed
}

/// What goods do whose truck has these passes.
fn way_of(first: Pass, second: Pass) -> &'static str {
    if first.weight >= second.weight { "IN" } else { "OUT" }
}

/// What the check-in for the second pass said otherwise than the weights do, or the check-in for the first, whose word the
/// record has.
pub fn said_otherwise(record: &Record, call: &Call) -> Option<&'static str> {
    let (first, second) = (record.first?, record.second?);
    let differ = |said: Option<i64>, kept: Option<i64>| said.zip(kept).is_some_and(|(said, kept)| said != kept);
    if call
        .direction
        .as_deref()
        .is_some_and(|said| said != way_of(first, second))
    {
        Some(review::DIRECTION_CONTRADICTED)
    } else if differ(call.product_id, record.product_id) {
        Some(review::PRODUCT_CHANGED)
    } else if differ(call.driver_id, record.driver_id) {
        Some(review::DRIVER_CHANGED)
    } else {
        None
    }
}

/// The registered tare with which this weight alone is a whole weighing.
pub fn tare_of(vehicle: &Vehicle, weight: Kilograms, on_day: NaiveDate, min_net: Kilograms) -> Option<Kilograms> {
    valid_tare(vehicle, on_day).filter(|tare| weight - *tare >= min_net)
}

/// The vehicle's registered tare, unless it has expired.
pub(super) fn valid_tare(vehicle: &Vehicle, on_day: NaiveDate) -> Option<Kilograms> {
    let expired = vehicle.tare_valid_until.is_some_and(|until| on_day > until);
    vehicle.tare.filter(|_| !expired)
}

fn complete(record: &mut Record, vehicle: &Vehicle, gross: Kilograms, tare: Kilograms, pass: Pass) {
    let net = gross - tare;
    weigh(record, vehicle, Weights { gross, tare, net });
    record.status = RecordStatus::Completed;
    record.station_id = pass.station_id;
    record.weighed_at = pass.at;
}

/// What it weighs, and what that says of its load.
pub(super) fn weigh(record: &mut Record, vehicle: &Vehicle, weights: Weights) {
    record.weights = Some(weights);
    record.overload = Some(Overload::of(weights.gross, weights.net, vehicle.max_load).name());
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::weighing::ledger::CallStatus;

    fn record() -> Record {
        Record {
            site_id: 1,
            station_id: 1,
            vehicle_id: 1,
            driver_id: None,
            product_id: None,
            customer_id: None,
            direction: None,
            weighed_at: DateTime::<Utc>::UNIX_EPOCH,
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

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn pass(weight: i32) -> Pass {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        Pass {
            weight: Kilograms::from_whole(weight),
            at,
            station_id: 2,
            capture_id: Some(1),
        }
    }

    fn vehicle(tare: Option<i32>, until: Option<u32>) -> Vehicle {
        Vehicle {
            plate: "12가3456".into(),
            tare: tare.map(Kilograms::from_whole),
            tare_valid_until: until.map(day),
            max_load: None,
        }
    }

    #[track_caller]
    fn check(vehicle: &Vehicle, weights: &[i32], expected: &str) {
        let mut record = record();
        for weight in weights {
            take(&mut record, vehicle, pass(*weight), day(25), Kilograms::from_whole(100));
        }
        let said = match record.weights {
            Some(Weights { gross, tare, net }) => {
                format!(
                    "{gross} - {tare} = {net}, {}",
                    record.direction.as_deref().unwrap_or("-")
                )
            }
            None => format!(
                "{} first {}",
                record.status.name(),
                record.first.map_or(Kilograms::ZERO, |pass| pass.weight)
            ),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn a_registered_tare_completes_at_once() {
        check(
            &vehicle(Some(10_000), None),
            &[25_000],
            "25000.00 - 10000.00 = 15000.00, -",
        );
        check(
            &vehicle(Some(10_000), Some(25)),
            &[25_000],
            "25000.00 - 10000.00 = 15000.00, -",
        );
        check(
            &vehicle(Some(10_000), None),
            &[10_100],
            "10100.00 - 10000.00 = 100.00, -",
        );
    }

    #[test]
    fn a_truck_that_came_empty_has_made_its_first_pass() {
        check(&vehicle(Some(10_000), None), &[10_080], "WEIGHING first 10080.00");
        check(
            &vehicle(Some(10_000), None),
            &[10_080, 25_080],
            "25080.00 - 10080.00 = 15000.00, OUT",
        );
    }

    #[test]
    fn the_order_of_passes_is_that_of_their_times_and_not_that_in_which_they_are_told() {
        let at = |second, weight| Pass {
            at: DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::seconds(second),
            station_id: second,
            ..pass(weight)
        };
        for told in [[at(1, 25_000), at(2, 9_000)], [at(2, 9_000), at(1, 25_000)]] {
            let mut record = record();
            for pass in told {
                take(
                    &mut record,
                    &vehicle(None, None),
                    pass,
                    day(25),
                    Kilograms::from_whole(100),
                );
            }
            assert_eq!((record.first, record.second), (Some(at(1, 25_000)), Some(at(2, 9_000))));
            assert_eq!((record.weighed_at, record.station_id), (at(2, 0).at, 2));
            assert_eq!(record.direction.as_deref(), Some("IN"));
        }
    }

    #[test]
    fn an_expired_tare_asks_for_two_passes() {
        check(&vehicle(Some(10_000), Some(24)), &[25_000], "WEIGHING first 25000.00");
        check(
            &vehicle(None, None),
            &[25_000, 9_980],
            "25000.00 - 9980.00 = 15020.00, IN",
        );
    }

    #[test]
    fn two_passes_of_the_same_weight_are_complete_and_looked_at() {
        let mut record = record();
        for _ in 0..2 {
            take(
                &mut record,
                &vehicle(None, None),
                pass(25_000),
                day(25),
                Kilograms::from_whole(100),
            );
        }
        assert_eq!(
            (record.status, record.review),
            (RecordStatus::Completed, Some(review::NET_BELOW_MINIMUM))
        );
    }

    #[test]
    fn what_was_said_at_check_in_and_is_contradicted_is_looked_at() {
        let check =
            |said: Option<&str>, weights: [i32; 2], then: (Option<&str>, Option<i64>, Option<i64>), expected| {
                let mut record = Record {
                    direction: said.map(str::to_owned),
                    product_id: Some(1),
                    driver_id: Some(1),
                    ..record()
                };
                for weight in weights {
                    take(
                        &mut record,
                        &vehicle(None, None),
                        pass(weight),
                        day(25),
                        Kilograms::from_whole(100),
                    );
                }
                let (direction, product_id, driver_id) = then;
                let call = Call {
                    station_id: 2,
                    vehicle_id: 1,
                    driver_id,
                    product_id,
                    customer_id: None,
                    direction: direction.map(str::to_owned),
                    called_at: DateTime::<Utc>::UNIX_EPOCH,
                    calls_made: 1,
                    status: CallStatus::Called,
                    capture_id: None,
                    record_id: Some(1),
                    completed_at: None,
                };
                let review = record.review.or_else(|| said_otherwise(&record, &call));
                assert_eq!(review, expected, "{said:?} {weights:?} {then:?}");
            };
        let loads = [9_000, 25_000];
        let same = (None, Some(1), Some(1));
        check(None, loads, same, None);
        check(Some("OUT"), loads, (Some("OUT"), None, None), None);
        check(Some("IN"), [25_000, 9_000], same, None);
        check(Some("IN"), loads, same, Some("DIRECTION_CONTRADICTED"));
        check(Some("OUT"), [25_000, 9_000], same, Some("DIRECTION_CONTRADICTED"));
        check(None, loads, (Some("IN"), None, None), Some("DIRECTION_CONTRADICTED"));
        check(Some("IN"), [9_000, 9_050], same, Some("NET_BELOW_MINIMUM"));
        check(None, loads, (None, Some(2), Some(2)), Some("PRODUCT_CHANGED"));
        check(None, loads, (None, Some(1), Some(2)), Some("DRIVER_CHANGED"));
    }

    proptest! {
        #[test]
        fn net_is_gross_less_tare_and_nothing_is_negative(
            tare in proptest::option::of(0i32..60_000), weights in proptest::collection::vec(0i32..60_000, 1..3)
        ) {
            let mut record = record();
            for weight in weights {
                if record.status.is_open() {
                    take(&mut record, &vehicle(tare, None), pass(weight), day(25), Kilograms::from_whole(100));
                }
            }
            if let Some(Weights { gross, tare, net }) = record.weights {
                prop_assert_eq!(net, gross - tare);
                prop_assert!(gross >= tare && !tare.is_negative());
            }
        }
    }
}
