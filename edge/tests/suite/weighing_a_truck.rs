//! A truck drives on, stands, is told, and drives off.

use weighbridge_protocol::{Kilograms, link::EventKind};

use crate::support::{Board, Server, Site, eventually};

#[test]
fn a_truck_is_on_disk_then_on_the_board_then_at_the_server() {
    let (server, board) = (Server::new(), Board::new());
    let site = Site::new().linked_to(&server).with_board(&board);
    server.change(|state| state.board = Some("다음 12가3456".to_owned()));
    let edge = site.start();
    site.until_linked();
    board.until_shows("다음 12가3456");

    site.deck.weighs(18_340);
    let told = edge.until_committed(1).remove(0);
    board.until_shows("저장 18340 kg");
    let capture = server.until_captures(1).remove(0);
    assert_eq!(told["epoch"], capture.epoch.to_string());
    assert_eq!(told["seq"], capture.seq);
    assert_eq!(told["cycle"], capture.cycle.unwrap().to_string());
    let EventKind::Capture(weighed) = capture.kind else {
        panic!("{capture:?}")
    };
    assert_eq!((weighed.weight, weighed.gap), (Kilograms::from_whole(18_340), false));

    site.deck.weighs(0);
    board.until_shows("다음 12가3456");
    site.until_all_acknowledged();
    assert_eq!(edge.end(), 0);
    let kinds: Vec<_> = site.events().iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["vehicle_on", "capture", "vehicle_off"]);
}

#[test]
fn one_stay_on_the_deck_is_one_weighing_however_long_it_lasts() {
    let site = Site::new();
    let edge = site.start();
    for kg in [18_340, 0, 25_000, 18_340, 0] {
        site.deck.weighs(kg);
        let state = if kg == 0 { "empty" } else { "captured" };
        eventually(state, || {
            let status = site.status();
            let station = &status["stations"][0];
            (station["state"] == state && station["weight"] == format!("{kg}.00")).then_some(())
        });
    }
    assert_eq!(edge.told("committed").len(), 2);
}

#[test]
fn the_board_says_that_it_weighs_before_it_says_that_it_has() {
    let board = Board::new();
    let site = Site::new().with_board(&board).with_option("require_stable_flag = true");
    let _edge = site.start();
    site.deck
        .says(crate::support::deck::Says::Bytes(b"US,GS,+0018340kg\r\n".to_vec()));
    board.until_shows("계량중");
    site.deck.weighs(18_340);
    board.until_shows("저장 18340 kg");
}

#[test]
fn live_weights_reach_the_server_with_the_decks_state() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let _edge = site.start();
    site.deck.weighs(18_340);
    eventually("a live weight", || {
        let newest = server.change(|state| state.readings.last().cloned())?;
        let state = serde_json::to_value(newest.state).unwrap();
        (newest.weight == Some(Kilograms::from_whole(18_340)) && state == "captured").then_some(())
    });
}

#[test]
fn a_curve_goes_by_differences_to_a_server_that_reads_them_and_in_full_to_an_older_one() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    site.until_linked();
    let weigh = |count: usize| {
        site.deck.weighs(18_340);
        let capture = server.until_captures(count).remove(count - 1);
        site.deck.weighs(0);
        site.until_deck_is("empty");
        curve_of(&capture.kind)
    };
    let (points, steps) = weigh(1);
    assert!(points > 1 && steps == 0, "{points} points, {steps} steps");

    server.change(|state| state.reads_steps = true);
    server.cut();
    eventually("a hello", || {
        server.change(|state| (state.hellos.len() == 2).then_some(()))
    });
    site.until_linked();
    let (points, steps) = weigh(2);
    assert!(points == 0 && steps > 1, "{points} points, {steps} steps");

    // It is remembered over a restart without a server.
    site.until_all_acknowledged();
    assert_eq!(edge.end(), 0);
    server.change(|state| state.refuses = true);
    let edge = site.start();
    site.deck.weighs(18_340);
    edge.until_committed(1);
    assert_eq!(edge.end(), 0);
    let mut kinds = site.events().into_iter().map(|event| event.kind);
    let (points, steps) = curve_of(&kinds.rfind(|kind| kind.name() == "capture").unwrap());
    assert!(points == 0 && steps > 1, "{points} points, {steps} steps");
}

/// How many points and steps a capture has.
#[track_caller]
fn curve_of(kind: &EventKind) -> (usize, usize) {
    match kind {
        EventKind::Capture(capture) => (capture.curve.len(), capture.curve_steps.len()),
        other => panic!("{other:?}"),
    }
}
