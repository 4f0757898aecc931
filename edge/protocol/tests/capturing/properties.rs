//! What holds for every weight and every course of them: thresholds, settling, curves, drift, overload and errors.

use proptest::prelude::*;
use weighbridge_protocol::{
    CycleId, Epoch, Kilograms,
    link::{
        EventId,
        curve::{self, Step},
        event::CurvePoint,
    },
    reading::Reading,
    scale::{CaptureSettings, Scale, ScaleEvent, Settled},
};

use crate::yard::{Edge, flagged, reading, without_weight};

const BAND_KG: i32 = 40;
const MOST_KG: i32 = 50_000;

fn settings() -> CaptureSettings {
    CaptureSettings {
        dwell_ms: 500,
        zero_band_kg: Some(Kilograms::from_whole(BAND_KG)),
        zero_drift_after_ms: 1_000,
        max_weight_kg: Some(Kilograms::from_whole(MOST_KG)),
        ..CaptureSettings::default()
    }
}

fn settled(events: &[ScaleEvent]) -> Option<&Settled> {
    events.iter().find_map(|event| match event {
        ScaleEvent::Settled(settled) => Some(settled),
        _ => None,
    })
}

/// Weights of a truck that rocks and comes to rest, each held for some readings.
fn courses() -> impl Strategy<Value = Vec<i32>> {
    let held = (
        prop_oneof![500..2_000_i32, 17_900..18_100_i32, 500..49_000_i32],
        1..12_usize,
    );
    prop::collection::vec(held, 1..12).prop_map(|held| {
        held.into_iter()
            .flat_map(|(kg, times)| std::iter::repeat_n(kg, times))
            .collect()
    })
}

/// A scale that was welcomed and saw its deck empty, without an edge that commits.
fn fresh_scale() -> Scale {
    let mut scale = Scale::new(settings(), uuid::Uuid::from_u128(1));
    scale.welcomed();
    for t_ms in (-500..=0).step_by(100) {
        scale.push(t_ms, &reading(0), || CycleId::from_bits(0));
    }
    scale
}

proptest! {
    #[test]
    fn only_the_thresholds_begin_and_end_a_cycle(weights in prop::collection::vec((-400..900_i32, 1..8), 1..60)) {
        let mut edge = Edge::at_work(settings());
        let (mut stands, mut heavy, mut light) = (false, 0, 0);
        for (kg, times) in weights {
            for _ in 0..times {
                heavy = if kg >= 500 { heavy + 1 } else { 0 };
                light = if kg < 300 { light + 1 } else { 0 };
                for event in edge.shows(kg) {
                    match event {
                        ScaleEvent::VehicleOn { .. } => prop_assert!(!std::mem::replace(&mut stands, true) && heavy == 2),
                        ScaleEvent::VehicleOff { .. } => prop_assert!(std::mem::replace(&mut stands, false) && light == 5),
                        _ => {}
                    }
                }
                prop_assert!(heavy < 2 || stands, "{kg} kg twice are a vehicle");
                prop_assert!(light < 5 || !stands, "{kg} kg for half a second are none");
            }
        }
    }

    #[test]
    fn the_settled_weight_is_the_lower_median_of_its_window(base in 600..40_000_i32, jitter in prop::collection::vec(0..=20_i32, 6)) {
        let mut edge = Edge::at_work(settings());
        let weights: Vec<i32> = jitter.iter().map(|kg| base + kg).collect();
        let events: Vec<ScaleEvent> = weights.iter().flat_map(|kg| edge.shows(*kg)).collect();
        let mut sorted = weights;
        sorted.sort_unstable();
        prop_assert_eq!(settled(&events).map(|settled| settled.weight), Some(Kilograms::from_whole(sorted[2])));
    }

    #[test]
    fn an_indicator_that_says_moving_within_the_dwell_holds_the_capture_up(flags in prop::collection::vec(any::<bool>(), 1..60)) {
        let mut edge = Edge::at_work(settings());
        let mut calm = 0;
        for stable in flags {
            let events = edge.reads(&flagged(18_000, stable), None);
            calm = if stable { calm + 1 } else { 0 };
            prop_assert!(settled(&events).is_none() || calm > 5, "settled after {calm} calm readings");
        }
    }

    #[test]
    fn a_curve_that_is_replayed_gives_the_same_capture_bit_for_bit(course in courses()) {
        let mut edge = Edge::at_work(settings());
        let Some(first) = course.iter().find_map(|kg| settled(&edge.shows(*kg)).cloned()) else {
            return Ok(());
        };
        let text = serde_json::to_string(&curve::encode(&first.curve)).unwrap();
        let steps: Vec<Step> = serde_json::from_str(&text).unwrap();
        let read = curve::decode(&steps).unwrap();
        prop_assert_eq!(&read, &first.curve);
        let mut scale = fresh_scale();
        let mut replayed = None;
        for CurvePoint(since_on, kg) in read {
            let reading = Reading { kg: Some(kg), raw: first.raw.clone(), ..reading(0) };
            let events = scale.push(first.on_mono_ms + i64::from(since_on), &reading, || first.cycle);
            replayed = settled(&events).cloned();
        }
        prop_assert_eq!(replayed, Some(first), "the last point is the one that settled it");
    }

    #[test]
    fn a_weight_is_superseded_only_until_it_is_committed(course in courses(), commit_at in 0..4_usize) {
        let mut scale = fresh_scale();
        let (mut offers, mut committed) = (0, false);
        for (kg, t_ms) in course.into_iter().zip((100..).step_by(100)) {
            let events = scale.push(t_ms, &reading(kg), || CycleId::from_bits(1));
            if settled(&events).is_none() {
                continue;
            }
            prop_assert!(!committed, "offered again after its commit");
            if offers == commit_at {
                scale.committed(EventId { epoch: Epoch::from_bits(1), seq: 1 });
                committed = true;
            }
            offers += 1;
        }
    }

    /// Each weight stands long enough to settle by itself, whatever was shown before.
    #[test]
    fn drift_is_told_once_until_the_deck_is_back_in_its_band(shown in prop::collection::vec((-90..90_i32, 23..30_usize), 1..8)) {
        let mut edge = Edge::at_work(settings());
        let mut drifted = false;
        for (kg, times) in shown {
            let events: Vec<ScaleEvent> = (0..times).flat_map(|_| edge.shows(kg)).collect();
            let is_drift = kg.abs() > BAND_KG;
            prop_assert_eq!(events.len(), usize::from(is_drift && !drifted), "{} kg: {:?}", kg, events);
            for event in events {
                let beyond = matches!(event, ScaleEvent::ZeroDrift { weight } if weight.abs() > Kilograms::from_whole(BAND_KG));
                prop_assert!(beyond, "{event:?}");
            }
            drifted = is_drift;
        }
    }

    #[test]
    fn no_overload_is_captured_and_each_cycle_tells_it_once(shown in prop::collection::vec((0..60_000_i32, 1..10_usize), 1..20)) {
        let mut edge = Edge::at_work(settings());
        let mut told = std::collections::BTreeSet::new();
        for (kg, times) in shown {
            for _ in 0..times {
                let beyond = kg > MOST_KG;
                for event in edge.shows(kg) {
                    match event {
                        ScaleEvent::Overload { cycle, .. } => prop_assert!(beyond && told.insert(cycle)),
                        ScaleEvent::Settled(settled) => {
                            prop_assert!(!beyond && settled.weight <= Kilograms::from_whole(MOST_KG));
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_captured_while_an_error_stands_nor_over_one_that_lasted(errors in 0..12_i64, before in 0..6_usize) {
        let mut edge = Edge::at_work(settings());
        for _ in 0..before.min(5) {
            prop_assert!(settled(&edge.shows(18_000)).is_none());
        }
        for _ in 0..errors {
            prop_assert!(
                settled(&edge.reads(&without_weight(false), None)).is_none(),
                "captured from no weight"
            );
        }
        // A hole of more than half a dwell begins the window anew.
        let lasted = errors * 100 > 250;
        let mut needed = 0;
        while settled(&edge.shows(18_000)).is_none() {
            needed += 1;
            prop_assert!(needed < 20);
        }
        prop_assert!(!lasted || needed == 5, "settled {needed} readings after an error of {errors} readings");
    }
}
