//! A single frame that says something else than the deck: noise on the line, a dip of the power, a key of the indicator.

use weighbridge_protocol::{link::messages::DeckState, scale::CaptureSettings};

use crate::{
    check, settings, story,
    yard::{Edge, flagged, reading, without_weight},
};

#[test]
fn one_frame_below_the_threshold_is_no_departure() {
    for odd in [reading(0), flagged(0, false), reading(-40), reading(299)] {
        let mut edge = Edge::at_work(settings());
        edge.shows_for(25_000, 4_000);
        assert_eq!(edge.reads(&odd, None), [], "{odd:?}");
        assert_eq!(edge.scale.deck(), DeckState::Captured);
        assert_eq!(edge.shows_for(25_000, 4_000), []);
        assert_eq!(story(&edge.empties(0)), ["vehicle_off 0.00"]);
        assert_eq!(edge.file.captures().count(), 1);
    }
}

#[test]
fn one_frame_below_the_threshold_lets_an_unsettled_weight_settle_anew() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 900);
    edge.shows(0);
    assert_eq!(edge.shows_for(25_000, 1_000), []);
    assert_eq!(story(&edge.shows(25_000)), ["settled 25000.00"]);
    assert_eq!(edge.file.captures().count(), 1);
}

#[test]
fn odd_frames_now_and_then_do_not_add_up() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 2_000);
    for _ in 0..20 {
        assert_eq!(edge.shows(0), []);
        assert_eq!(edge.shows(25_000), []);
    }
}

#[test]
fn a_truck_that_leaves_is_told_half_a_second_after_it_was_seen_last() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 2_000);
    let left_ms = edge.now_ms;
    while edge.shows(0).is_empty() {}
    assert_eq!(edge.now_ms - left_ms, 500);
}

#[test]
fn an_indicator_that_is_asked_once_a_second_says_it_twice() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 2_000);
    edge.now_ms += 900;
    assert_eq!(edge.shows(0), []);
    edge.now_ms += 900;
    assert_eq!(story(&edge.shows(0)), ["vehicle_off 0.00"]);
}

#[test]
fn an_indicator_that_is_asked_seldom_is_believed() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 2_000);
    edge.now_ms += 4_900;
    assert_eq!(story(&edge.shows(0)), ["vehicle_off 0.00"]);
}

#[test]
fn the_first_frame_after_a_silence_is_no_departure() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 2_000);
    edge.scale.silent();
    edge.now_ms += 6_000;
    assert_eq!(edge.shows(0), []);
    assert_eq!(edge.shows_for(25_000, 2_000), []);
}

#[test]
fn one_frame_above_the_threshold_is_no_truck() {
    for odd in [reading(25_000), without_weight(true)] {
        let mut edge = Edge::at_work(settings());
        assert_eq!(edge.reads(&odd, None), [], "{odd:?}");
        assert_eq!(edge.shows_for(0, 2_000), []);
        assert_eq!(edge.scale.deck(), DeckState::Empty, "{odd:?}");
        assert_eq!(edge.reads(&odd, None), []);
        assert_eq!(edge.shows_for(450, 2_000), []);
        assert!(edge.file.events.is_empty());
    }
}

#[test]
fn one_frame_above_the_threshold_after_an_outage_says_nothing_of_who_stands_there() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 2_000);
    edge.is_away(40_000);
    assert_eq!(edge.shows(18_000), []);
    assert_eq!(story(&edge.empties(0)), ["vehicle_off 0.00"]);
}

#[test]
fn a_truck_that_drives_on_is_dated_by_the_first_frame_that_shows_it() {
    let mut edge = Edge::at_work(settings());
    let first_ms = edge.now_ms + 100;
    check(&mut edge, &[9_000], &[]);
    check(&mut edge, &[25_000; 12], &["vehicle_on 25000.00", "settled 25000.00"]);
    assert_eq!(edge.file.captures().next().unwrap().on_mono_ms, first_ms);
}

#[test]
fn mud_that_was_rearmed_over_is_forgotten_when_the_deck_was_seen_bare_and_not_for_one_frame() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(800, 2_000);
    edge.scale.rearm().unwrap();
    edge.shows_for(800, 1_000);
    assert_eq!(edge.shows(0), []);
    assert_eq!(edge.shows_for(800, 2_000), [], "the mud still lies there");
    assert_eq!(edge.empties(0), []);
    assert_eq!(story(&edge.shows_for(800, 200)), ["vehicle_on 800.00"]);
}

#[test]
fn a_site_may_believe_the_first_frame() {
    let mut edge = Edge::at_work(CaptureSettings {
        leave_ms: 0,
        ..settings()
    });
    edge.shows_for(25_000, 2_000);
    assert_eq!(story(&edge.shows(0)), ["vehicle_off 0.00"]);
}
