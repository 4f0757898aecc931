//! What the simulator sends, the edge's own decoder and capture logic must understand, and each checks the other.

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    indicators::{Decoder, Options, Protocol},
    link::EventId,
    scale::{CaptureSettings, Scale, ScaleEvent},
};

use crate::{
    chance::Chance,
    curve::Curve,
    encode::Format,
    indicator::{Calibration, Indicator, Shown},
    truck::{Habits, Truck},
};

/// One stay of a truck: the indicator sees it frame by frame, and so does the capture logic.
struct Stay {
    format: Format,
    rate_hz: u32,
    dwell_ms: u32,
    haste: f64,
}

impl Stay {
    /// The truck's true weight, and what the capture logic told about it.
    fn of(&self, seed: u64) -> (Kilograms, Vec<ScaleEvent>) {
        let truck = Truck::new(
            Chance::of_seed(seed),
            1,
            Habits {
                two_pass: 0.5,
                strangers: 0.0,
            },
        );
        let weight = truck.weight(0, 0);
        let curve = Curve::new(truck.axles(weight), self.haste, Chance::of_seed(seed));
        let frame_time = Duration::from_secs(1) / self.rate_hz;
        let leaves = curve.driving_on() + Duration::from_secs(10);
        let ends = leaves + curve.driving_off() + Duration::from_secs(3);

        let mut indicator = Indicator::new(Calibration::default());
        let protocol = Protocol::named(self.format.id()).unwrap();
        let mut decoder = Decoder::new(protocol, &Options::default()).unwrap();
        let settings = CaptureSettings {
            dwell_ms: self.dwell_ms,
            ..CaptureSettings::default()
        };
        let mut scale = Scale::new(settings, Uuid::nil());
        let (mut told, mut cycles) = (Vec::new(), 0);
        let warm_up = Duration::from_secs(3);
        for frame in 0..(warm_up + ends).as_millis() / frame_time.as_millis() {
            let at = frame_time * u32::try_from(frame).unwrap();
            let load = at
                .checked_sub(warm_up)
                .map_or(0.0, |on| curve.load(on, on.checked_sub(leaves)));
            let bytes = self.format.frame(&indicator.sample(load)).bytes;
            decoder.push(&bytes, &mut |decoded| {
                let events = scale.push(i64::try_from(at.as_millis()).unwrap(), &decoded.unwrap(), || {
                    cycles += 1;
                    CycleId::from_bits(cycles)
                });
                if events.iter().any(|event| matches!(event, ScaleEvent::Settled(_))) {
                    scale.committed(EventId {
                        epoch: Epoch::from_bits(1),
                        seq: 1,
                    });
                }
                told.extend(events);
            });
        }
        (weight, told)
    }
}

#[track_caller]
fn check_one_weighing(stay: &Stay, seed: u64) {
    let (weight, told) = stay.of(seed);
    let division = Calibration::default().division;
    match told.as_slice() {
        [
            ScaleEvent::VehicleOn { .. },
            ScaleEvent::Settled(settled),
            ScaleEvent::VehicleOff {
                captured: true,
                inferred: false,
                ..
            },
        ] => assert!(
            settled.weight.distance(weight) <= division,
            "{} kg for {weight} kg, seed {seed}",
            settled.weight
        ),
        other => panic!("{other:?} for {weight} kg, seed {seed}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_truck_is_weighed_once_and_within_one_division(seed: u64, format in prop::sample::select(&Format::ALL)) {
        check_one_weighing(&Stay { format, rate_hz: 10, dwell_ms: 2000, haste: 1.0 }, seed);
    }

    #[test]
    fn a_yard_in_haste_weighs_as_well(seed: u64, format in prop::sample::select(&Format::ALL)) {
        check_one_weighing(&Stay { format, rate_hz: 50, dwell_ms: 200, haste: 10.0 }, seed);
    }

    #[test]
    fn every_frame_decodes_to_what_was_shown(
        format in prop::sample::select(&Format::ALL), divisions in -50_i64..3000, stable: bool,
        (division, decimals) in prop::sample::select(&[(2000_i64, 0_u8), (500, 0), (50, 1), (5, 2)]),
    ) {
        let weight = Kilograms::from_hundredths(division * divisions);
        let shown = Shown { weight, stable, overload: false, zero: divisions == 0, decimals };
        let mut decoder = Decoder::new(Protocol::named(format.id()).unwrap(), &Options::default()).unwrap();
        let mut readings = Vec::new();
        decoder.push(&format.frame(&shown).bytes, &mut |decoded| readings.push(decoded.unwrap()));
        decoder.finish(&mut |decoded| readings.push(decoded.unwrap()));
        prop_assert_eq!(readings.len(), 1);
        prop_assert_eq!(readings[0].kg, Some(weight));
        prop_assert_eq!(readings[0].decimals, decimals);
        prop_assert!(readings[0].stable.is_none_or(|said| said == stable));
    }
}

#[test]
fn an_overload_has_no_weight() {
    let shown = Shown {
        weight: Kilograms::from_whole(61_000),
        stable: false,
        overload: true,
        zero: false,
        decimals: 0,
    };
    // The ten bytes of CAS cannot say it, and Yaohua falls silent.
    for format in Format::ALL
        .into_iter()
        .filter(|format| ![Format::Cas10, Format::YaohuaTf0].contains(format))
    {
        let mut decoder = Decoder::new(Protocol::named(format.id()).unwrap(), &Options::default()).unwrap();
        let mut said = Vec::new();
        decoder.push(&format.frame(&shown).bytes, &mut |decoded| said.push(decoded.unwrap()));
        assert!(
            said.iter().all(|reading| reading.kg.is_none() && reading.overload),
            "{format}: {said:?}"
        );
        assert_eq!(said.len(), 1, "{format}");
    }
}
