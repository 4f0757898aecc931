//! Settings, board texts and commands come down the link.

use weighbridge_protocol::{
    link::{FromServer, messages::Action},
    scale::CaptureOverrides,
};

use crate::support::{Board, Server, Site, eventually, server::State};

fn rearm(id: i64) -> FromServer {
    FromServer::Command {
        id,
        station_id: 1,
        action: Action::Rearm,
        reason: "진흙".to_owned(),
    }
}

#[test]
fn a_rearm_ends_the_cycle_and_an_id_is_done_once() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    site.until_linked();
    site.deck.weighs(18_340);
    edge.until_committed(1);
    server.say(rearm(5));
    eventually("done", || {
        (server.change(|state| state.done.clone()) == [(5, true, None)]).then_some(())
    });
    server.say(rearm(5));
    eventually("done again", || {
        (server.change(|state| state.done.len()) == 2).then_some(())
    });
    edge.kill();
    let offs = site
        .events()
        .iter()
        .filter(|event| event.kind.name() == "vehicle_off")
        .count();
    assert_eq!(offs, 1);
}

#[test]
fn a_command_for_another_station_is_refused() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let _edge = site.start();
    site.until_linked();
    server.say(FromServer::Command {
        id: 6,
        station_id: 9,
        action: Action::Rearm,
        reason: String::new(),
    });
    let done = eventually("done", || server.change(|state| state.done.pop()));
    assert_eq!(done, (6, false, Some("this edge has no station 9".to_owned())));
}

#[test]
fn the_servers_settings_hold_also_while_it_is_away() {
    let capture = CaptureOverrides {
        min_weight_kg: Some("30000".parse().unwrap()),
        ..CaptureOverrides::default()
    };
    let server = Server::with(State {
        capture,
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    site.until_linked();
    site.until_linked();
    edge.kill();
    server.change(|state| state.refuses = true);
    let edge = site.start();
    site.deck.weighs(18_340);
    site.deck.weighs(31_000);
    edge.until_committed(1);
    edge.kill();
    assert_eq!(
        site.events()
            .iter()
            .filter(|event| event.kind.name() == "capture")
            .count(),
        1
    );
}

#[test]
fn the_servers_text_stands_on_the_board_while_the_deck_is_empty() {
    let (server, board) = (Server::new(), Board::new());
    let site = Site::new().linked_to(&server).with_board(&board);
    let edge = site.start();
    site.until_linked();
    server.say(FromServer::Board {
        station_id: 1,
        text: "다음 34나5678".to_owned(),
        text_en: Some("34나5678 NEXT".to_owned()),
    });
    board.until_shows("다음 34나5678");
    site.deck.weighs(18_340);
    edge.until_committed(1);
    board.until_shows("저장 18340 kg");
}
