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
fn a_setting_that_does_not_fit_is_named_to_all_and_the_others_are_followed() {
    let capture = CaptureOverrides {
        min_weight_kg: Some("30000".parse().unwrap()),
        rearm_below_kg: Some("40000".parse().unwrap()),
        ..CaptureOverrides::default()
    };
    let server = Server::with(State {
        capture,
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    let alarms = || {
        let alarms = site.status()["alarms"].as_array().cloned().unwrap_or_default();
        let of_a_setting = alarms.into_iter().filter(|alarm| alarm["code"] == "setting");
        of_a_setting
            .map(|alarm| format!("{} {}", alarm["subject"], alarm["detail"]))
            .collect::<Vec<_>>()
    };
    let why = "rearm_below_kg is 40000.00, expected more than 0 and less than min_weight_kg (30000.00)";
    let named = format!("\"1\" \"rearm_below_kg = 40000.00: {why}\"");
    eventually("an alarm", || (alarms() == [named.as_str()]).then_some(()));
    let told = eventually("word at the server", || {
        server.change(|state| state.unfit.first().cloned())
    });
    assert_eq!(told.station_id, 1);
    assert_eq!(
        (told.wishes[0].key.as_str(), told.wishes[0].why.as_str()),
        ("rearm_below_kg", why)
    );
    site.until_deck_is("empty");
    site.deck.weighs(18_340);
    eventually("a truck that is too light", || {
        let station = &site.status()["stations"][0];
        (station["weight"] == "18340.00" && station["state"] == "empty").then_some(())
    });
    site.deck.weighs(31_000);
    edge.until_committed(1);
    site.deck.weighs(0);
    server.change(|state| state.capture = CaptureOverrides::default());
    server.cut();
    eventually("no alarm", || alarms().is_empty().then_some(()));
    eventually("no word at the server", || {
        server.change(|state| state.unfit.is_empty().then_some(()))
    });
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
