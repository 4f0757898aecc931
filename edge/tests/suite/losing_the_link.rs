//! The network goes, the server goes, answers get lost: weighing goes on, and every event arrives once.

use weighbridge_protocol::link::{
    FromServer,
    messages::{Nack, NackCode},
};

use crate::support::{Server, Site, authority::Authority, eventually, server::State};

#[test]
fn what_was_weighed_without_a_link_arrives_when_there_is_one() {
    let mut site = Site::new();
    let edge = site.start();
    for count in 1..=3 {
        site.deck.weighs(18_340);
        edge.until_committed(count);
        site.deck.weighs(0);
        site.until_deck_is("empty");
    }
    assert_eq!(site.status()["unsent"], 9);
    assert_eq!(edge.end(), 0);
    let server = Server::new();
    site = site.linked_to(&server);
    let _edge = site.start();
    server.until_captures(3);
    site.until_all_acknowledged();
    assert_eq!(server.change(|state| state.events.len()), 9);
}

#[test]
fn events_whose_answer_was_lost_are_sent_again_unaltered() {
    let server = Server::with(State {
        swallows_acks: true,
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let _edge = site.start();
    site.deck.weighs(18_340);
    server.until_captures(1);
    server.change(|state| state.swallows_acks = false);
    server.cut();
    site.until_all_acknowledged();
    assert!(
        server.change(|state| state.duplicates) >= 2,
        "vehicle_on and capture came again"
    );
    assert_eq!(server.captures().len(), 1);
}

#[test]
fn a_server_that_has_less_than_before_gets_it_again_with_its_receipts() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let _edge = site.start();
    site.deck.weighs(18_340);
    server.until_captures(1);
    site.until_all_acknowledged();
    server.change(|state| state.events.clear());
    server.cut();
    server.until_captures(1);
    let receipts: Vec<_> = server.change(|state| state.events.values().map(|event| event.receipt.clone()).collect());
    let slip = |seq: usize| {
        receipts[seq - 1]
            .as_ref()
            .and_then(|receipt| receipt.slip_number.clone())
    };
    assert_eq!((slip(1).as_deref(), slip(2).as_deref()), (Some("WR1"), Some("WR2")));
}

#[test]
fn an_edge_that_comes_to_another_server_says_so() {
    let [first, second] = [1, 2].map(uuid::Uuid::from_u128);
    let server = Server::with(State {
        database: Some(first),
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    site.deck.weighs(18_340);
    server.until_captures(1);
    server.change(|state| state.database = Some(second));
    server.cut();
    edge.until_logged("this edge was with another server before");
}

#[test]
fn a_gap_makes_the_edge_send_from_there_again() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    site.deck.weighs(18_340);
    let epoch = edge.until_committed(1)[0]["epoch"].as_str().unwrap().parse().unwrap();
    site.until_all_acknowledged();
    server.change(|state| state.duplicates = 0);
    server.say(FromServer::Nack(Nack {
        epoch,
        seq: 2,
        code: NackCode::Gap,
        have: 0,
    }));
    eventually("both again", || {
        (server.change(|state| state.duplicates) == 2).then_some(())
    });
}

#[test]
fn a_file_that_is_an_older_image_goes_on_under_a_new_epoch() {
    let server = Server::with(State {
        has_more: 5,
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    edge.until_logged("older image");
    let born = server.change(|state| state.hellos[0].epochs[0].epoch.to_string());
    server.change(|state| state.has_more = 0);
    eventually("a new epoch", || (site.status()["epoch"] != born).then_some(()));
    site.deck.weighs(18_340);
    let told = edge.until_committed(1).remove(0);
    assert_ne!(told["epoch"], born);
    assert_eq!(told["seq"], 2);
    server.until_captures(1);
}

#[test]
fn an_event_in_conflict_is_reborn_and_its_truck_is_recovered_under_the_new_name() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    site.until_linked();
    server.change(|state| state.swallows_acks = true);
    site.deck.weighs(18_340);
    let old = edge.until_committed(1).remove(0);
    let epoch = old["epoch"].as_str().unwrap().parse().unwrap();
    server.until_captures(1);
    server.change(|state| state.swallows_acks = false);
    server.say(FromServer::Nack(Nack {
        epoch,
        seq: 2,
        code: NackCode::EpochConflict,
        have: 2,
    }));
    let captures = server.until_captures(2);
    assert_eq!(captures[0].cycle, captures[1].cycle, "the cycle survives rebirth");
    edge.kill();
    let edge = site.start();
    let recovered = eventually("recovered", || edge.told("recovered").pop());
    assert_eq!(recovered["cycle"], old["cycle"]);
    assert_ne!(recovered["epoch"], old["epoch"]);
}

#[test]
fn a_refused_key_is_said_in_the_log_and_the_status_and_weighing_goes_on() {
    let server = Server::with(State {
        refuses: true,
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    edge.until_logged("refuses this API key (401)");
    eventually("refused", || (site.status()["link"] == "refused").then_some(()));
    let trouble = site.status()["link_trouble"].to_string();
    for remedy in [
        "server.api_key",
        "POST /api/v1/edges/{id}/rotate-key",
        "allowed_addresses",
    ] {
        assert!(trouble.contains(remedy), "{trouble}");
    }
    site.deck.weighs(18_340);
    edge.until_committed(1);
}

#[test]
fn an_edge_that_is_fenced_shows_it_and_stays_away() {
    let server = Server::with(State {
        closes_with: Some(4409),
        ..State::default()
    });
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    edge.until_logged("another edge with this API key");
    eventually("fenced", || (site.status()["link"] == "fenced").then_some(()));
    site.deck.weighs(18_340);
    edge.until_committed(1);
    assert_eq!(server.change(|state| state.hellos.len()), 1);
}

#[test]
fn over_tls_each_side_knows_the_other_by_the_sites_authority() {
    let authority = Authority::new();
    let server = Server::over_tls(&authority);
    let (certificate, key) = authority.edge_files();
    let site = Site::new()
        .linked_to(&server)
        .with_server_setting("ca_file", &authority.ca_file())
        .with_server_setting("client_cert", &certificate)
        .with_server_setting("client_key", &key);
    let _edge = site.start();
    site.deck.weighs(18_340);
    server.until_captures(1);
}

#[test]
fn a_server_of_another_authority_gets_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::over_tls(&theirs);
    let site = Site::new()
        .linked_to(&server)
        .with_server_setting("ca_file", &ours.ca_file());
    let edge = site.start();
    edge.until_logged("invalid peer certificate");
    assert_eq!(server.change(|state| state.hellos.len()), 0);
}
