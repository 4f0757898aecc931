//! What happens on a deck, told as stays of trucks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod any_deck;
mod odd_frames;
mod outages;
mod properties;
mod showing_net;
mod yard;

use weighbridge_protocol::{
    Kilograms,
    link::messages::DeckState,
    scale::{CaptureSettings, ScaleError, ScaleEvent},
};

use crate::yard::{Edge, flagged, reading, truck, without_weight};

/// The events of all readings, a line each, as `weighbridge-edge capture` prints them, without the times.
pub fn story(events: &[ScaleEvent]) -> Vec<String> {
    let short = |event: &ScaleEvent| {
        let line: serde_json::Value = serde_json::from_str(&event.line(0)).unwrap();
        let kg = line["kg"].as_str().map(|kg| format!(" {kg}")).unwrap_or_default();
        format!("{}{kg}", line["event"].as_str().unwrap())
    };
    events.iter().map(short).collect()
}

fn settings() -> CaptureSettings {
    CaptureSettings {
        dwell_ms: 1000,
        ..CaptureSettings::default()
    }
}

#[track_caller]
fn check(edge: &mut Edge, weights: &[i32], expected: &[&str]) {
    let events: Vec<ScaleEvent> = weights.iter().flat_map(|&kg| edge.shows(kg)).collect();
    assert_eq!(story(&events), expected);
}

#[test]
fn a_truck_is_weighed_once_from_zero_to_zero() {
    let mut edge = Edge::at_work(settings());
    for _ in 0..3 {
        check(
            &mut edge,
            &truck(18_340),
            &["vehicle_on 1820.00", "settled 18340.00", "vehicle_off 0.00"],
        );
    }
    let captures: Vec<_> = edge.file.captures().collect();
    assert_eq!(captures.len(), 3);
    assert!(captures.iter().all(|capture| !capture.gap));
    assert_ne!(captures[0].cycle, captures[1].cycle);
}

#[test]
fn a_capture_brings_its_curve_its_frame_and_when_the_truck_drove_on() {
    let mut edge = Edge::at_work(settings());
    let began_ms = edge.now_ms;
    edge.weighs(18_340);
    let capture = edge.file.captures().next().unwrap();
    assert_eq!(
        capture.on_mono_ms,
        began_ms + 100,
        "900 kg is the first weight of a vehicle"
    );
    assert_eq!(capture.raw, b"18340");
    assert_eq!(capture.curve.first().unwrap().1, Kilograms::from_whole(900));
    assert_eq!(capture.curve.last().unwrap().1, Kilograms::from_whole(18_340));
    assert_eq!(capture.curve[1].0, 100);
}

#[test]
fn what_is_lighter_than_a_vehicle_is_not_weighed() {
    let mut edge = Edge::at_work(settings());
    assert_eq!(edge.shows_for(499, 5_000), []);
    assert_eq!(edge.shows_for(-400, 5_000), []);
    assert_eq!(
        story(&edge.shows_for(500, 2_000)),
        ["vehicle_on 500.00", "settled 500.00"]
    );
}

#[test]
fn noise_between_the_thresholds_neither_ends_a_cycle_nor_begins_one() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(600, 2_000);
    check(&mut edge, &[450, 300, 510, 301, 600], &[]);
    check(&mut edge, &[299; 6], &["vehicle_off 299.00"]);
    check(&mut edge, &[301, 450, 499, 300], &[]);
}

#[test]
fn a_weight_that_does_not_come_to_rest_is_not_captured() {
    let mut edge = Edge::at_work(settings());
    let rocking: Vec<i32> = (0..200).map(|step| 18_000 + (step % 4) * 10).collect();
    check(&mut edge, &rocking, &["vehicle_on 18010.00"]);
    assert_eq!(edge.scale.deck(), DeckState::Settling);
}

#[test]
fn an_indicator_that_says_moving_is_believed() {
    let mut edge = Edge::at_work(settings());
    let steps = |stable: fn(i32) -> bool| (0..30).map(move |step| flagged(18_000, stable(step)));
    let events: Vec<_> = steps(|step| step % 5 == 4)
        .flat_map(|reading| edge.reads(&reading, None))
        .collect();
    assert_eq!(story(&events), ["vehicle_on 18000.00"]);
    let events: Vec<_> = steps(|_| true).flat_map(|reading| edge.reads(&reading, None)).collect();
    assert_eq!(story(&events), ["settled 18000.00"]);
}

#[test]
fn a_site_may_disregard_the_flag() {
    let settings = CaptureSettings {
        require_stable_flag: false,
        ..settings()
    };
    let mut edge = Edge::at_work(settings);
    let events: Vec<_> = (0..20)
        .flat_map(|_| edge.reads(&flagged(18_000, false), None))
        .collect();
    assert_eq!(story(&events), ["vehicle_on 18000.00", "settled 18000.00"]);
}

#[test]
fn a_captured_truck_that_moves_is_told_and_not_captured_again() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(12_000, 3_000);
    assert_eq!(story(&edge.shows_for(18_000, 3_000)), ["moved 18000.00"]);
    assert_eq!(
        story(&edge.shows_for(18_020, 3_000)),
        Vec::<String>::new(),
        "creep is no move"
    );
    assert_eq!(story(&edge.shows_for(0, 1_000)), ["vehicle_off 0.00"]);
    assert_eq!(edge.file.captures().count(), 1);
}

#[test]
fn a_weight_that_was_not_committed_is_superseded_and_comes_anew() {
    let mut edge = Edge::at_work(settings());
    let mut offered = Vec::new();
    for step in 0..60_i32 {
        let kg = if step < 30 { 12_000 } else { 18_000 };
        let new_cycle = || weighbridge_protocol::CycleId::from_bits(9);
        offered.extend(
            edge.scale
                .push(edge.now_ms + i64::from(step) * 100, &reading(kg), new_cycle),
        );
    }
    let told = story(&offered);
    assert_eq!(
        told[..3],
        ["vehicle_on 12000.00", "settled 12000.00", "settled 12000.00"]
    );
    assert_eq!(told.last().unwrap(), "settled 18000.00");
    let cycle = offered[0].cycle();
    assert!(offered.iter().all(|event| event.cycle() == cycle));
}

#[test]
fn an_overload_is_told_once_a_cycle_and_never_captured() {
    let mut edge = Edge::at_work(CaptureSettings {
        max_weight_kg: Some(Kilograms::from_whole(50_000)),
        ..settings()
    });
    assert_eq!(edge.reads(&without_weight(true), None), []);
    let events = edge.reads(&without_weight(true), None);
    assert_eq!(story(&events), ["vehicle_on", "overload"]);
    assert_eq!(edge.scale.deck(), DeckState::Overload);
    assert_eq!(edge.shows_for(50_001, 5_000), []);
    assert_eq!(story(&edge.shows_for(49_000, 2_000)), ["settled 49000.00"]);
    assert_eq!(story(&edge.empties(0)), ["vehicle_off 0.00"]);
    assert_eq!(
        story(&edge.shows_for(50_020, 200)),
        ["vehicle_on 50020.00", "overload 50020.00"]
    );
}

#[test]
fn an_overload_within_the_window_begins_it_anew() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 900);
    edge.reads(&without_weight(true), None);
    assert_eq!(edge.shows_for(18_000, 1_000), []);
    assert_eq!(story(&edge.shows(18_000)), ["settled 18000.00"]);
}

#[test]
fn nothing_is_captured_while_an_error_stands() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 600);
    for _ in 0..9 {
        edge.now_ms += 100;
        edge.scale.push_error(edge.now_ms);
        assert_eq!(edge.scale.deck(), DeckState::Error);
    }
    assert_eq!(edge.shows(18_000), [], "the window began anew");
    assert_eq!(story(&edge.shows_for(18_000, 1_000)), ["settled 18000.00"]);
}

#[test]
fn a_garbled_frame_now_and_then_does_not_keep_a_truck_waiting() {
    let mut edge = Edge::at_work(settings());
    let mut events = Vec::new();
    for _ in 0..12 {
        edge.scale.push_error(edge.now_ms + 50);
        events.extend(edge.shows(18_000));
    }
    assert_eq!(story(&events), ["vehicle_on 18000.00", "settled 18000.00"]);
}

#[test]
fn silence_begins_the_window_anew() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 900);
    edge.scale.silent();
    edge.now_ms += 3_000;
    assert_eq!(edge.shows_for(18_000, 1_000), []);
    assert_eq!(story(&edge.shows(18_000)), ["settled 18000.00"]);
}

#[test]
fn a_deck_that_no_weight_comes_from_is_not_an_empty_one() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 2_000);
    assert_eq!(edge.reads(&without_weight(false), None), []);
    assert_eq!(edge.scale.deck(), DeckState::Error);
    assert_eq!(edge.shows_for(18_000, 3_000), []);
    assert_eq!(edge.scale.deck(), DeckState::Captured);
}

#[test]
fn a_tare_is_not_what_lies_on_the_deck() {
    let mut edge = Edge::at_work(settings());
    let tare = weighbridge_protocol::reading::Reading {
        mode: weighbridge_protocol::reading::Mode::Tare,
        ..reading(9_000)
    };
    assert_eq!(edge.reads(&tare, None), []);
    assert_eq!(edge.scale.deck(), DeckState::Empty);
}

#[test]
fn after_a_rearm_the_thresholds_count_from_what_lies_there() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 2_000);
    edge.shows_for(800, 2_000);
    let rearmed = edge.scale.rearm().unwrap();
    assert!(matches!(
        rearmed[..],
        [ScaleEvent::VehicleOff {
            captured: true,
            inferred: true,
            ..
        }]
    ));
    assert_eq!(edge.scale.deck(), DeckState::Empty);
    assert_eq!(edge.shows_for(1_299, 2_000), [], "800 kg of mud and 499 kg more");
    let told = story(&edge.shows_for(9_000, 2_000));
    assert_eq!(
        told,
        ["vehicle_on 9000.00", "settled 9000.00"],
        "weights are told as they are"
    );
    assert_eq!(story(&edge.empties(1_099)), ["vehicle_off 1099.00"]);
    assert_eq!(edge.empties(0), []);
    assert_eq!(
        story(&edge.shows_for(500, 200)),
        ["vehicle_on 500.00"],
        "the deck was seen empty"
    );
}

#[test]
fn a_scale_without_a_weight_cannot_be_rearmed() {
    let mut edge = Edge::at_work(settings());
    edge.scale.silent();
    assert_eq!(edge.scale.rearm(), Err(ScaleError::NoWeight));
}

#[test]
fn new_settings_wait_for_zero() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 200);
    let faster = CaptureSettings {
        dwell_ms: 100,
        ..settings()
    };
    edge.scale.set(faster);
    assert_eq!(edge.shows_for(18_000, 800), []);
    assert_eq!(story(&edge.shows(18_000)), ["settled 18000.00"]);
    edge.empties(0);
    assert_eq!(edge.scale.settings(), &faster);
    check(
        &mut edge,
        &[18_000, 18_000],
        &["vehicle_on 18000.00", "settled 18000.00"],
    );
}

#[test]
fn an_empty_deck_beyond_the_zero_band_is_told_once_until_it_comes_back() {
    let mut edge = Edge::at_work(CaptureSettings {
        zero_band_kg: Some(Kilograms::from_whole(40)),
        ..settings()
    });
    assert_eq!(story(&edge.shows_for(60, 30_000)), ["zero_drift 60.00"]);
    assert_eq!(edge.shows_for(20, 30_000), []);
    assert_eq!(story(&edge.shows_for(-60, 30_000)), ["zero_drift -60.00"]);
}

#[test]
fn a_deck_that_never_returns_to_zero_is_told_once() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 2_000);
    assert_eq!(edge.shows_for(400, 170_000), []);
    assert_eq!(story(&edge.shows_for(400, 200_000)), ["never_zero 400.00"]);
}
