//! What a correction makes of a completed record: another one, with the weights that were measured.

use chrono::NaiveDate;
use weighbridge_protocol::Kilograms;

use super::{
    ledger::{Record, RecordStatus, Vehicle, Weights},
    passes,
};
use crate::domain::overload::Overload;

/// Whom and what staff put in place of what a record names. `None`: that stays; `Some(None)`: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    pub vehicle_id: Option<i64>,
    pub driver_id: Option<Option<i64>>,
    pub product_id: Option<Option<i64>>,
    pub customer_id: Option<Option<i64>>,
}

/// Why a record is not corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncorrectable {
    /// It is open, or void.
    NotComplete,
    /// It names all of that already.
    NothingDiffers,
    /// It was weighed once, against the registered tare of its vehicle; the other one has none that held on that day and
    /// leaves a net weight.
    NoTare,
}

/// The record that takes the place of this one. `vehicle` is the one that it names, `on_day` the local day of its weight.
///
/// What the indicator measured stays to the letter. A tare that was registered is none of it: it is its vehicle's, and the
/// other vehicle brings its own.
pub fn corrected(
    record: &Record,
    correction: &Correction,
    vehicle: &Vehicle,
    on_day: NaiveDate,
    min_net: Kilograms,
) -> Result<Record, Uncorrectable> {
    let weights = record.weights.filter(|_| record.status == RecordStatus::Completed);
    let weights = weights.ok_or(Uncorrectable::NotComplete)?;
    let mut corrected = Record {
        vehicle_id: correction.vehicle_id.unwrap_or(record.vehicle_id),
        driver_id: correction.driver_id.unwrap_or(record.driver_id),
        product_id: correction.product_id.unwrap_or(record.product_id),
        customer_id: correction.customer_id.unwrap_or(record.customer_id),
        slip: None,
        revision: record.revision + 1,
        ..record.clone()
    };
    if named(&corrected) == named(record) {
        return Err(Uncorrectable::NothingDiffers);
    }
    if corrected.vehicle_id != record.vehicle_id {
        let Weights { gross, net, .. } = if is_against_registered_tare(record) {
            against(weights.gross, passes::valid_tare(vehicle, on_day), min_net).ok_or(Uncorrectable::NoTare)?
        } else {
            weights
        };
        let tare = gross - net;
        corrected.weights = Some(Weights { gross, tare, net });
        corrected.overload = Some(Overload::of(gross, net, vehicle.max_load).name());
    }
    Ok(corrected)
}

const fn named(record: &Record) -> (i64, Option<i64>, Option<i64>, Option<i64>) {
    (
        record.vehicle_id,
        record.driver_id,
        record.product_id,
        record.customer_id,
    )
}

/// Whether only its gross weight was measured. What was typed in has no capture, and both its weights.
fn is_against_registered_tare(record: &Record) -> bool {
    record.second.is_none() && record.first.is_some_and(|pass| pass.capture_id.is_some())
}

fn against(gross: Kilograms, tare: Option<Kilograms>, min_net: Kilograms) -> Option<Weights> {
    let tare = tare.filter(|tare| gross - *tare >= min_net)?;
    let net = gross - tare;
    Some(Weights { gross, tare, net })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::weighing::ledger::Pass;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    /// Weighed with 25 t, and then with this.
    fn complete(second: Option<i32>) -> Record {
        let kg = Kilograms::from_whole;
        let pass = |weight| Pass {
            weight: kg(weight),
            at: DateTime::<Utc>::UNIX_EPOCH,
            station_id: 1,
            capture_id: Some(1),
        };
        let tare = kg(second.unwrap_or(10_000));
        Record {
            site_id: 1,
            station_id: 1,
            vehicle_id: 1,
            driver_id: Some(1),
            product_id: Some(1),
            customer_id: None,
            direction: Some("IN".to_owned()),
            weighed_at: DateTime::<Utc>::UNIX_EPOCH,
            status: RecordStatus::Completed,
            first: Some(pass(25_000)),
            second: second.map(pass),
            weights: Some(Weights {
                gross: kg(25_000),
                tare,
                net: kg(25_000) - tare,
            }),
            overload: Some("OK"),
            review: None,
            slip: None,
            revision: 1,
        }
    }

    fn vehicle(tare: Option<i32>) -> Vehicle {
        Vehicle {
            plate: "12가3456".into(),
            tare: tare.map(Kilograms::from_whole),
            tare_valid_until: Some(day(25)),
            max_load: Some(Kilograms::from_whole(14_000)),
        }
    }

    const OTHER_VEHICLE: Correction = Correction {
        vehicle_id: Some(2),
        driver_id: None,
        product_id: None,
        customer_id: None,
    };

    #[track_caller]
    fn check(record: &Record, correction: &Correction, vehicle: &Vehicle, on: u32, expected: &str) {
        let said = match corrected(record, correction, vehicle, day(on), Kilograms::from_whole(100)) {
            Ok(after) => {
                assert_eq!((after.first, after.second), (record.first, record.second));
                let Weights { gross, tare, net } = after.weights.unwrap();
                let overload = after.overload.unwrap();
                format!(
                    "{gross} - {tare} = {net}, {overload}, {:?}, {}",
                    named(&after),
                    after.revision
                )
            }
            Err(why) => format!("{why:?}"),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn another_vehicle_brings_its_own_tare_where_only_the_gross_weight_was_measured() {
        let (once, twice) = (complete(None), complete(Some(9_980)));
        let of = |record, tare, on, expected| check(record, &OTHER_VEHICLE, &vehicle(tare), on, expected);
        let own = "25000.00 - 12000.00 = 13000.00, OK, (2, Some(1), Some(1), None), 2";
        of(&once, Some(12_000), 25, own);
        of(&once, Some(12_000), 26, "NoTare");
        of(&once, None, 25, "NoTare");
        of(&once, Some(24_901), 25, "NoTare");
        let measured = "25000.00 - 9980.00 = 15020.00, VEHICLE_OVER, (2, Some(1), Some(1), None), 2";
        of(&twice, Some(12_000), 25, measured);
        of(&twice, None, 25, measured);
    }

    #[test]
    fn with_its_vehicle_a_record_keeps_the_tare_and_the_finding_that_it_had() {
        let correction = Correction {
            driver_id: Some(None),
            customer_id: Some(Some(7)),
            ..Correction::default()
        };
        let kept = "25000.00 - 10000.00 = 15000.00, OK, (1, None, Some(1), Some(7)), 2";
        check(&complete(None), &correction, &vehicle(Some(12_000)), 25, kept);
    }

    #[test]
    fn what_was_typed_in_keeps_both_its_weights() {
        let mut typed = complete(None);
        typed.first = None;
        let kept = "25000.00 - 10000.00 = 15000.00, VEHICLE_OVER, (2, Some(1), Some(1), None), 2";
        check(&typed, &OTHER_VEHICLE, &vehicle(None), 25, kept);
    }

    #[test]
    fn what_is_not_complete_or_would_be_the_same_is_not_corrected() {
        let same = Correction {
            vehicle_id: Some(1),
            driver_id: Some(Some(1)),
            ..Correction::default()
        };
        let own = vehicle(Some(10_000));
        check(&complete(None), &same, &own, 25, "NothingDiffers");
        check(&complete(None), &Correction::default(), &own, 25, "NothingDiffers");
        for status in [RecordStatus::Pending, RecordStatus::Weighing, RecordStatus::Voided] {
            let mut record = complete(None);
            record.status = status;
            check(&record, &OTHER_VEHICLE, &own, 25, "NotComplete");
        }
    }
}
