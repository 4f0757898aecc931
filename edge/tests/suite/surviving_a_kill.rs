//! `kill -9` at any instant: one stay on the deck stays one weighing.

use std::{collections::BTreeSet, thread::sleep, time::Duration};

use weighbridge_protocol::{
    Kilograms,
    link::{EventBody, EventKind},
};

use crate::support::{Board, Server, Site, eventually};

fn captures(events: &[EventBody]) -> Vec<(Kilograms, bool)> {
    let captures = events.iter().filter_map(|event| match &event.kind {
        EventKind::Capture(capture) => Some((capture.weight, capture.gap)),
        _ => None,
    });
    captures.collect()
}

#[test]
fn an_edge_killed_at_any_instant_of_a_cycle_weighs_the_truck_once() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let mut expected = Vec::new();
    for instant in 0..20 {
        let kg = 10_000 + 100 * instant;
        expected.push((Kilograms::from_whole(kg), false));
        let edge = site.start();
        site.until_linked();
        site.until_deck_is("empty");
        site.deck.weighs(kg);
        sleep(Duration::from_millis(12) * instant.unsigned_abs());
        edge.kill();

        let edge = site.start();
        let told = eventually("the truck is told", || {
            [edge.told("committed"), edge.told("recovered")].concat().pop()
        });
        assert_eq!(told["epoch"], site.status()["epoch"]);
        site.deck.weighs(0);
        site.until_deck_is("empty");
        edge.kill();
    }
    let events = site.events();
    let cycles: BTreeSet<_> = events
        .iter()
        .filter(|event| event.kind.name() == "capture")
        .map(|event| event.cycle)
        .collect();
    assert_eq!(captures(&events), expected);
    assert_eq!(cycles.len(), expected.len());
    assert_eq!(server.until_captures(expected.len()).len(), expected.len());
}

#[test]
fn another_truck_after_an_outage_is_a_weighing_of_its_own_that_completes_nothing() {
    let (server, board) = (Server::new(), Board::new());
    let site = Site::new().linked_to(&server).with_board(&board);
    let edge = site.start();
    site.until_linked();
    site.until_deck_is("empty");
    site.deck.weighs(18_340);
    edge.until_committed(1);
    board.until_shows("저장 18340 kg");
    edge.kill();
    board.take_texts();
    site.deck.weighs(25_000);
    let edge = site.start();
    edge.until_committed(1);
    board.until_shows("저장 25000 kg");
    let shown = board.take_texts();
    let before = shown.split(|text| text == "저장 25000 kg").next().unwrap();
    assert!(
        !before.is_empty() && before.iter().all(|text| !text.starts_with("저장")),
        "the word for the truck before goes at once: {shown:?}"
    );
    assert!(
        edge.told("recovered").is_empty(),
        "another truck is not told that it is stored"
    );
    edge.kill();
    let events = site.events();
    assert_eq!(
        captures(&events),
        [
            (Kilograms::from_whole(18_340), false),
            (Kilograms::from_whole(25_000), true)
        ]
    );
    let inferred = events.iter().find(|event| event.kind.name() == "vehicle_off").unwrap();
    assert_eq!(
        inferred.kind,
        EventKind::VehicleOff {
            captured: true,
            inferred: true
        }
    );
}

#[test]
fn after_a_long_outage_the_same_weight_may_be_another_truck() {
    let server = Server::new();
    let site = Site::new().linked_to(&server).with_option("gap_same_ms = 200");
    let edge = site.start();
    site.until_linked();
    site.until_deck_is("empty");
    site.deck.weighs(18_340);
    edge.until_committed(1);
    edge.kill();
    sleep(Duration::from_millis(300));
    let edge = site.start();
    edge.until_committed(1);
    edge.kill();
    assert_eq!(
        captures(&site.events()),
        [
            (Kilograms::from_whole(18_340), false),
            (Kilograms::from_whole(18_340), true)
        ]
    );
}

#[test]
fn a_truck_that_was_captured_is_told_again_after_a_short_outage() {
    let site = Site::new();
    let edge = site.start();
    site.deck.weighs(18_340);
    let committed = edge.until_committed(1).remove(0);
    edge.kill();
    let edge = site.start();
    let recovered = eventually("recovered", || edge.told("recovered").pop());
    for key in ["epoch", "seq", "cycle"] {
        assert_eq!(recovered[key], committed[key], "{key}");
    }
    assert!(edge.told("committed").is_empty());
}
