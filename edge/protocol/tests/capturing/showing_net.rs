//! An indicator that shows net says how much was added, and not what lies on the deck.

use weighbridge_protocol::{
    link::messages::DeckState,
    reading::{Mode, Reading},
    scale::{ScaleError, ScaleEvent},
};

use crate::{
    settings, story,
    yard::{Edge, reading},
};

/// The indicator shows this net weight for so long.
fn net_for(edge: &mut Edge, kg: i32, ms: i64) -> Vec<ScaleEvent> {
    let net = Reading {
        mode: Mode::Net,
        ..reading(kg)
    };
    (0..ms / 100).flat_map(|_| edge.reads(&net, None)).collect()
}

#[test]
fn a_tare_that_is_taken_under_a_truck_ends_nothing_and_begins_nothing() {
    for net_ms in [2_000, 60_000] {
        let mut edge = Edge::at_work(settings());
        edge.shows_for(25_000, 3_000);
        assert_eq!(net_for(&mut edge, 0, net_ms), []);
        assert_eq!(edge.scale.deck(), DeckState::Error);
        assert!(edge.scale.shows_net());
        assert_eq!(edge.scale.rearm(), Err(ScaleError::NoWeight));
        assert_eq!(net_for(&mut edge, 8_000, net_ms), []);
        assert_eq!(edge.shows_for(25_000, 3_000), [], "gross again after {net_ms} ms");
        assert!(!edge.scale.shows_net());
        assert_eq!(edge.scale.deck(), DeckState::Captured);
        assert_eq!(story(&edge.empties(0)), ["vehicle_off 0.00"]);
        assert_eq!(edge.file.captures().count(), 1);
    }
}

#[test]
fn a_truck_on_a_tared_indicator_is_not_weighed_until_it_shows_gross() {
    let mut edge = Edge::at_work(settings());
    assert_eq!(net_for(&mut edge, 0, 2_000), []);
    assert_eq!(net_for(&mut edge, 15_000, 5_000), []);
    assert_eq!(
        story(&edge.shows_for(25_000, 2_000)),
        ["vehicle_on 25000.00", "settled 25000.00"]
    );
}

#[test]
fn a_weight_that_has_not_settled_settles_when_gross_is_back() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 600);
    net_for(&mut edge, 0, 60_000);
    assert_eq!(edge.shows_for(25_000, 1_000), [], "the window began anew");
    assert_eq!(story(&edge.shows(25_000)), ["settled 25000.00"]);
    assert!(edge.file.captures().all(|capture| !capture.gap));
}

#[test]
fn a_truck_that_may_have_left_under_a_tare_is_taken_for_another_one() {
    let mut edge = Edge::at_work(settings());
    edge.shows_for(25_000, 3_000);
    net_for(&mut edge, 0, 2_000);
    net_for(&mut edge, -25_000, 20_000);
    net_for(&mut edge, 0, 20_000);
    assert_eq!(
        story(&edge.shows_for(25_000, 2_000)),
        ["vehicle_off 25000.00", "vehicle_on 25000.00", "settled 25000.00"]
    );
    assert_eq!(
        edge.file.captures().map(|capture| capture.gap).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn an_indicator_that_says_gross_and_net_in_turns_is_weighed_by_its_gross() {
    let mut edge = Edge::at_work(settings());
    let mut told = Vec::new();
    for _ in 0..15 {
        told.extend(edge.shows(25_000));
        told.extend(net_for(&mut edge, 15_000, 100));
        assert!(!edge.scale.shows_net());
    }
    assert_eq!(story(&told), ["vehicle_on 25000.00", "settled 25000.00"]);
}

#[test]
fn an_indicator_that_shows_net_from_the_start_says_nothing_of_its_deck() {
    let mut edge = Edge::new(settings());
    edge.scale.welcomed();
    assert_eq!(net_for(&mut edge, 15_000, 100), []);
    assert!(edge.scale.shows_net());
    assert_eq!(edge.scale.deck(), DeckState::Error);
    assert_eq!(net_for(&mut edge, 15_000, 5_000), []);
}
