//! What holds for arbitrary readings, errors, deaths and outages.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weighbridge_protocol::{
    CycleId, Kilograms,
    reading::Reading,
    scale::{CaptureSettings, Moment, ScaleEvent},
};

use crate::yard::{Death, Edge, flagged, reading, truck, without_weight};

#[derive(Clone, Debug)]
enum Step {
    Reads(i32, Option<bool>),
    /// The same weight for some readings, so that weights settle at all.
    Stands(i32, u8),
    Overload,
    Underload,
    Garbled,
    Silent,
    Dies(i32, Death),
    Away(i64),
    Reboots,
    Welcomed,
    Unlinked,
}

fn step() -> impl Strategy<Value = Step> {
    let weight = prop_oneof![Just(0), -200..700_i32, Just(18_000), 17_950..18_050_i32, 0..40_000_i32];
    let death = prop_oneof![Just(Death::BeforeCommit), Just(Death::AfterCommit)];
    prop_oneof![
        4 => (weight.clone(), prop::option::of(any::<bool>())).prop_map(|(kg, stable)| Step::Reads(kg, stable)),
        6 => (weight.clone(), 1..20_u8).prop_map(|(kg, times)| Step::Stands(kg, times)),
        1 => Just(Step::Overload),
        1 => Just(Step::Underload),
        1 => Just(Step::Garbled),
        1 => Just(Step::Silent),
        2 => (weight, death).prop_map(|(kg, death)| Step::Dies(kg, death)),
        1 => prop_oneof![0..30_000_i64, 30_000..90_000_i64].prop_map(Step::Away),
        1 => Just(Step::Reboots),
        1 => Just(Step::Welcomed),
        1 => Just(Step::Unlinked),
    ]
}

fn settings() -> CaptureSettings {
    CaptureSettings {
        dwell_ms: 500,
        ..CaptureSettings::default()
    }
}

/// Runs the steps; answers the edge, with each reading that it was shown, when, and what came of it.
fn run(steps: &[Step]) -> (Edge, Vec<(Moment, Reading, Vec<ScaleEvent>)>) {
    let mut edge = Edge::new(settings());
    let mut seen = Vec::new();
    for step in steps {
        let (shown, times, death) = match *step {
            Step::Reads(kg, Some(stable)) => (flagged(kg, stable), 1, None),
            Step::Reads(kg, None) => (reading(kg), 1, None),
            Step::Stands(kg, times) => (reading(kg), times, None),
            Step::Overload => (without_weight(true), 1, None),
            Step::Underload => (without_weight(false), 1, None),
            Step::Dies(kg, death) => (reading(kg), 1, Some(death)),
            ref other => {
                happens(&mut edge, other);
                continue;
            }
        };
        for _ in 0..times {
            let events = edge.reads(&shown, death);
            seen.push((edge.moment(), shown.clone(), events));
        }
    }
    (edge, seen)
}

fn happens(edge: &mut Edge, step: &Step) {
    match *step {
        Step::Garbled => edge.scale.push_error(edge.now_ms),
        Step::Silent => edge.scale.silent(),
        Step::Away(ms) => edge.is_away(ms),
        Step::Reboots => edge.reboots(),
        Step::Welcomed => edge.scale.welcomed(),
        Step::Unlinked => edge.scale.unlinked(),
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_cycle_has_one_capture_at_most_and_one_end_at_most(steps in prop::collection::vec(step(), 1..60)) {
        let (edge, _) = run(&steps);
        let mut counts: BTreeMap<CycleId, [usize; 3]> = BTreeMap::new();
        for event in &edge.file.events {
            let Some(cycle) = event.cycle() else { continue };
            let of = counts.entry(cycle).or_default();
            match event {
                ScaleEvent::VehicleOn { .. } => of[0] += 1,
                ScaleEvent::Settled(_) => of[1] += 1,
                ScaleEvent::VehicleOff { captured, .. } => {
                    of[2] += 1;
                    prop_assert_eq!(*captured, of[1] == 1, "whether it was captured is told truly");
                }
                _ => {}
            }
            prop_assert_eq!(of[0], 1, "a cycle begins with vehicle_on");
        }
        for (cycle, [on, captures, off]) in counts {
            prop_assert!(on <= 1 && captures <= 1 && off <= 1, "{cycle}: {on} {captures} {off}");
        }
    }

    #[test]
    fn between_two_captures_the_deck_was_empty_or_it_says_gap(steps in prop::collection::vec(step(), 1..60)) {
        let (_, seen) = run(&steps);
        let mut must_be_gap = false;
        for (_, shown, events) in &seen {
            must_be_gap &= shown.kg.is_none_or(|kg| kg >= settings().rearm_below_kg);
            for event in events {
                if let ScaleEvent::Settled(settled) = event {
                    prop_assert!(settled.gap || !must_be_gap, "{settled:?}");
                    must_be_gap = true;
                }
            }
        }
    }

    #[test]
    fn what_is_captured_stood_there_for_the_dwell(steps in prop::collection::vec(step(), 1..60)) {
        let (_, seen) = run(&steps);
        for (at, (moment, shown, events)) in seen.iter().enumerate() {
            for event in events {
                let ScaleEvent::Settled(settled) = event else { continue };
                prop_assert!(shown.stable != Some(false));
                prop_assert!(settled.weight >= settings().min_weight_kg);
                let begin_ms = moment.mono_ms - i64::from(settings().dwell_ms);
                let earlier = seen[..=at].iter().rev().take_while(|(then, ..)| then.boot == moment.boot && then.mono_ms >= begin_ms);
                for (_, reading, _) in earlier {
                    let near = |kg: Kilograms| kg.distance(settled.weight) <= settings().tolerance_kg;
                    let fits = reading.kg.map_or(!reading.overload, |kg| near(kg) && reading.stable != Some(false));
                    prop_assert!(fits, "{reading:?} within the window of {settled:?}");
                }
            }
        }
    }

    #[test]
    fn a_replay_gives_the_same_answer(steps in prop::collection::vec(step(), 1..60)) {
        let (first, second) = (run(&steps), run(&steps));
        prop_assert_eq!(first.0.file, second.0.file);
        prop_assert_eq!(first.1, second.1);
    }

    /// Trucks one after another, deaths and outages at any reading. Nobody changes places within `gap_same_ms`, and a
    /// driver leaves only when the board has told him; then every truck has a capture, and one that looks ordinary at
    /// most.
    #[test]
    fn no_truck_is_hidden_and_none_has_two_ordinary_captures(
        trucks in prop::collection::vec((0..3_usize, prop::collection::vec((0..90_usize, 0..4_u8), 0..4)), 1..6),
    ) {
        let mut edge = Edge::at_work(settings());
        for (weight, faults) in trucks {
            let kg = [18_000, 18_020, 25_000][weight];
            let told_before = edge.file.captures().count();
            let mut told = false;
            for (at, shown) in truck(kg).into_iter().take(67).chain(std::iter::repeat_n(kg, 40)).enumerate() {
                let fault = faults.iter().find(|(when, _)| *when == at).map(|&(_, kind)| kind);
                let death = match fault {
                    Some(0) => Some(Death::BeforeCommit),
                    Some(1) => Some(Death::AfterCommit),
                    _ => None,
                };
                match fault {
                    Some(2) => edge.is_away(15_000),
                    Some(3) => edge.is_away(60_000),
                    _ => {}
                }
                let events = edge.reads(&reading(shown), death);
                told |= events.iter().any(|event| matches!(event, ScaleEvent::Settled(_) | ScaleEvent::Recovered { .. }));
            }
            prop_assert!(told, "the driver waits for ever");
            let captures: Vec<_> = edge.file.captures().skip(told_before).collect();
            prop_assert!(!captures.is_empty(), "a truck of {kg} kg was hidden");
            prop_assert!(captures.iter().filter(|capture| !capture.gap).count() <= 1, "two ordinary captures");
            let heavy = captures.iter().all(|capture| capture.weight.distance(Kilograms::from_whole(kg)).hundredths() <= 10_000);
            prop_assert!(heavy || captures.len() > 1, "captured on its way");
            // The swap: the deck is empty for a moment that the edge may or may not see.
            if faults.len() % 2 == 0 {
                edge.empties(0);
            } else {
                edge.is_away(31_000);
            }
        }
    }

    #[test]
    fn a_short_outage_never_doubles(at in 0..60_usize, away_ms in 0..29_000_i64, kg in 600..40_000_i32) {
        let mut edge = Edge::at_work(settings());
        let kg = kg / 20 * 20;
        for (step, shown) in std::iter::repeat_n(kg, 70).enumerate() {
            if step == at {
                edge.is_away(away_ms);
            }
            edge.shows(shown);
        }
        prop_assert_eq!(edge.file.captures().map(|capture| capture.gap).collect::<Vec<_>>(), [false]);
    }
}
