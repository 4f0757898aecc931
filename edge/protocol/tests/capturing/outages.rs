//! What an edge makes of a deck that it could not see for a while.

use weighbridge_protocol::{link::messages::DeckState, scale::ScaleEvent};

use crate::{settings, story, yard::Edge};

const SHORT_MS: i64 = 20_000;
const LONG_MS: i64 = 40_000;

/// An edge that has captured 18000 kg, still on its deck.
fn captured() -> Edge {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 2_000);
    assert!(edge.is_captured());
    edge
}

/// The gap flags of all captures.
fn gaps(edge: &Edge) -> Vec<bool> {
    edge.file.captures().map(|capture| capture.gap).collect()
}

#[track_caller]
fn check_off(event: &ScaleEvent, expected_captured: bool, expected_inferred: bool) {
    let ScaleEvent::VehicleOff { captured, inferred, .. } = event else {
        panic!("{event:?} is no vehicle_off");
    };
    assert_eq!((*captured, *inferred), (expected_captured, expected_inferred));
}

#[test]
fn the_same_truck_is_recognised_after_a_short_outage_once_it_has_settled() {
    let mut edge = captured();
    edge.is_away(SHORT_MS);
    assert_eq!(edge.scale.deck(), DeckState::Error);
    assert_eq!(edge.shows_for(18_040, 1_000), []);
    assert_eq!(edge.scale.deck(), DeckState::Settling);
    assert_eq!(story(&edge.shows(18_040)), ["recovered 18000.00"]);
    assert_eq!(edge.scale.deck(), DeckState::Captured);
    let events = edge.empties(0);
    check_off(&events[0], true, false);
    assert_eq!(gaps(&edge), [false]);
}

#[test]
fn another_weight_after_a_short_outage_is_another_truck() {
    let mut edge = captured();
    edge.is_away(SHORT_MS);
    let first_seen_ms = edge.now_ms + 100;
    let events = edge.shows_for(18_041, 1_200);
    assert_eq!(
        story(&events),
        ["vehicle_off 18041.00", "vehicle_on 18041.00", "settled 18041.00"]
    );
    check_off(&events[0], true, true);
    assert_ne!(events[0].cycle(), events[1].cycle());
    assert_eq!(gaps(&edge), [false, true]);
    let capture = edge.file.captures().last().unwrap();
    assert_eq!(capture.on_mono_ms, first_seen_ms);
    assert_eq!(capture.curve.len(), 11, "the curve begins where it was first seen");
}

#[test]
fn after_a_long_outage_even_the_same_weight_may_be_another_truck() {
    for away in [
        |edge: &mut Edge| edge.is_away(LONG_MS),
        |edge: &mut Edge| edge.reboots(),
    ] {
        let mut edge = captured();
        away(&mut edge);
        let events = edge.shows_for(18_000, 1_200);
        assert_eq!(
            story(&events),
            ["vehicle_off 18000.00", "vehicle_on 18000.00", "settled 18000.00"]
        );
        check_off(&events[0], true, true);
        assert_eq!(gaps(&edge), [false, true]);
    }
}

#[test]
fn a_captured_truck_that_left_unseen_has_left() {
    for away_ms in [SHORT_MS, LONG_MS] {
        let mut edge = captured();
        edge.is_away(away_ms);
        let events = edge.empties(0);
        assert_eq!(story(&events), ["vehicle_off 0.00"]);
        check_off(&events[0], true, true);
    }
}

#[test]
fn a_truck_that_was_not_captured_before_a_short_outage_is_captured_as_ever() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(18_000, 500);
    let on_ms = 1_200;
    edge.is_away(SHORT_MS);
    assert_eq!(story(&edge.shows_for(18_000, 1_200)), ["settled 18000.00"]);
    let capture = edge.file.captures().next().unwrap();
    assert_eq!((capture.gap, capture.on_mono_ms), (false, on_ms));
}

#[test]
fn a_truck_that_was_not_captured_before_a_long_outage_is_a_gap_capture_of_a_new_cycle() {
    let mut edge = Edge::at_work(settings());
    let before = edge.shows_for(18_000, 500)[0].cycle();
    edge.is_away(LONG_MS);
    let events = edge.shows_for(18_000, 1_200);
    assert_eq!(story(&events), ["vehicle_on 18000.00", "settled 18000.00"]);
    assert_ne!(events[0].cycle(), before);
    assert_eq!(gaps(&edge), [true]);
}

#[test]
fn a_truck_that_left_unseen_and_uncaptured_has_left() {
    for away_ms in [SHORT_MS, LONG_MS] {
        let mut edge = Edge::at_work(settings());
        edge.shows_for(18_000, 500);
        edge.is_away(away_ms);
        check_off(&edge.empties(0)[0], false, true);
    }
}

#[test]
fn after_a_long_outage_every_cycle_before_the_welcome_is_a_gap_capture() {
    let mut edge = Edge::at_work(settings());
    edge.is_away(LONG_MS);
    edge.empties(0);
    edge.weighs(18_000);
    edge.is_away(SHORT_MS);
    edge.weighs(18_000);
    assert_eq!(gaps(&edge), [true, true], "a short outage keeps what the long one said");
    edge.shows_for(18_000, 300);
    edge.scale.welcomed();
    edge.shows_for(18_000, 2_000);
    edge.empties(0);
    assert_eq!(gaps(&edge)[2..], [true], "this cycle began before the welcome");
    edge.weighs(18_000);
    assert_eq!(gaps(&edge)[3..], [false]);
}

#[test]
fn a_welcome_before_the_first_look_counts_for_the_cycles_that_begin_after_it() {
    let mut edge = Edge::at_work(settings());
    edge.is_away(LONG_MS);
    edge.scale.welcomed();
    edge.shows_for(18_000, 2_000);
    edge.empties(0);
    edge.weighs(18_000);
    assert_eq!(gaps(&edge), [true, false], "the first was found standing");
}

#[test]
fn a_new_file_knows_nothing_of_the_truck_that_it_finds() {
    let mut edge = Edge::new(settings());
    edge.scale.welcomed();
    assert_eq!(
        story(&edge.shows_for(18_000, 1_200)),
        ["vehicle_on 18000.00", "settled 18000.00"]
    );
    assert_eq!(gaps(&edge), [true]);
}

#[test]
fn a_long_silence_of_the_indicator_is_an_outage_too() {
    let mut edge = captured();
    edge.scale.silent();
    edge.now_ms += LONG_MS;
    edge.shows_for(18_000, 1_200);
    assert_eq!(gaps(&edge), [false, true], "nobody saw whether the truck is the same");
    edge.empties(0);
    edge.weighs(18_000);
    assert_eq!(gaps(&edge), [false, true, false], "the server was there all the time");
}

#[test]
fn a_long_silence_while_the_server_is_away_asks_for_its_welcome() {
    let mut edge = captured();
    edge.scale.unlinked();
    edge.scale.silent();
    edge.now_ms += LONG_MS;
    edge.empties(0);
    edge.weighs(18_000);
    assert_eq!(gaps(&edge), [false, true]);
}

#[test]
fn an_indicator_that_just_speaks_seldom_causes_no_outage() {
    let mut edge = captured();
    edge.now_ms += LONG_MS;
    assert_eq!(edge.shows_for(18_000, 1_200), []);
}

#[test]
fn a_truck_behind_a_long_outage_is_not_taken_for_the_captured_one_after_a_second_short_one() {
    let mut edge = captured();
    edge.is_away(LONG_MS);
    assert_eq!(edge.shows(400), [], "its first axle is too light to be a vehicle");
    edge.is_away(SHORT_MS);
    edge.shows_for(18_000, 1_200);
    assert_eq!(gaps(&edge), [false, true]);
}

#[test]
fn a_moved_truck_is_recognised_where_it_stood_last() {
    let mut edge = captured();
    edge.shows_for(19_000, 2_000);
    edge.is_away(SHORT_MS);
    assert_eq!(story(&edge.shows_for(19_000, 1_200)), ["recovered 18000.00"]);
}

#[test]
fn what_lies_there_since_a_rearm_is_known_after_a_short_outage_only() {
    let mut edge = captured();
    edge.shows(800);
    edge.scale.rearm().unwrap();
    edge.is_away(SHORT_MS);
    assert_eq!(edge.shows_for(800, 2_000), []);
    edge.is_away(LONG_MS);
    assert_eq!(
        story(&edge.shows_for(800, 1_200)),
        ["vehicle_on 800.00", "settled 800.00"]
    );
}
