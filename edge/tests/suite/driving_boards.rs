//! Boards of several kinds, in Korean and English, show what the deck is and who is called.

use std::{
    io::Read,
    net::{SocketAddr, TcpListener},
};

use tokio::runtime::Runtime;
use weighbridge_protocol::{
    indicators::{Decoder, Options, Protocol},
    link::{FromServer, messages::Lamp},
};
use weighbridge_sim::board::{Board, Screen, Speech};

use crate::support::{Server, Site, eventually};

/// A board of the simulator, on a thread of its own.
struct Stand {
    board: Board,
    _runtime: Runtime,
}

impl Stand {
    fn speaking(speech: Speech) -> Self {
        let runtime = Runtime::new().unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let board = runtime.block_on(Board::speaking(speech, free)).unwrap();
        Self {
            board,
            _runtime: runtime,
        }
    }

    fn section(&self, protocol: &str, more: &str) -> String {
        section(self.board.address(), protocol, more)
    }

    #[track_caller]
    fn until_shows(&self, line: &str) -> Screen {
        eventually(line, || {
            let screen = self.board.screen().borrow().clone();
            (screen.lines.first().map(String::as_str) == Some(line)).then_some(screen)
        })
    }
}

fn section(address: SocketAddr, protocol: &str, more: &str) -> String {
    format!("[[board]]\nid = \"gate\"\naddress = \"tcp://{address}\"\nprotocol = \"{protocol}\"\n{more}\n")
}

#[test]
fn a_dabit_board_shows_korean_in_colour_with_a_checksum_and_never_too_soon() {
    let (server, stand) = (Server::new(), Stand::speaking(Speech::DabitChecked));
    let site = Site::new().linked_to(&server).with_section(&stand.section("dabit", ""));
    let edge = site.start();
    site.until_linked();
    server.say(FromServer::Board {
        station_id: 1,
        text: "12가3456 진입".to_owned(),
        text_en: None,
    });
    assert_eq!(stand.until_shows("12가3456 진입").colour, Some(2));
    site.deck.weighs(18_340);
    edge.until_committed(1);
    let screen = stand.until_shows("저장 18340 kg");
    assert_eq!((screen.colour, screen.refused, screen.hasty), (Some(2), 0, 0));
    let board = site.status()["boards"][0].clone();
    assert_eq!(
        (&board["connected"], &board["refused"], &board["unanswered"]),
        (&true.into(), &0.into(), &0.into())
    );
    assert!(board["sent"].as_u64().unwrap() >= 2, "{board}");
}

#[test]
fn a_board_that_refuses_is_told_of() {
    let stand = Stand::speaking(Speech::DabitChecked);
    let site = Site::new().with_section(&stand.section("dabit", "[board.options]\nchecksum = \"none\""));
    let _edge = site.start();
    let board = eventually("a refusal", || {
        Some(site.status()["boards"][0].clone()).filter(|board| board["refused"].as_u64() > Some(0))
    });
    assert!(board["trouble"].as_str().unwrap().contains("refused"), "{board}");
    assert_eq!(board["sent"], 0);
}

#[test]
fn a_sites_own_declaration_lies_beside_the_configuration_and_speaks_english() {
    let stand = Stand::speaking(Speech::Plain);
    let own = "id = \"acme\"\ntitle = \"Acme\"\nmaker = \"Acme\"\nsource = \"its manual\"\nchecked = \"inferred\"\n\
               charset = \"UTF-8\"\nmessage = \"all lines\"\nlayout = \"'<' text '>' CR LF\"\n";
    let site = Site::new().with_section(&stand.section("acme.toml", "language = \"en\""));
    site.write("acme.toml", own);
    let edge = site.start();
    site.deck.weighs(18_340);
    edge.until_committed(1);
    stand.until_shows("<SAVED 18340 kg>");
}

#[test]
fn a_remote_display_gets_the_indicators_frames_or_toledos() {
    for (protocol, decoded_as) in [("repeater", "and18"), ("toledo_repeater", "mt_continuous")] {
        let display = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Site::new().with_section(&section(display.local_addr().unwrap(), protocol, ""));
        let _edge = site.start();
        site.deck.weighs(18_340);
        let (mut stream, _) = display.accept().unwrap();
        let mut decoder = Decoder::new(Protocol::named(decoded_as).unwrap(), &Options::default()).unwrap();
        let mut bytes = [0; 256];
        eventually(protocol, || {
            let count = stream.read(&mut bytes).unwrap();
            let mut weights = Vec::new();
            decoder.push(&bytes[..count], &mut |decoded| weights.push(decoded.unwrap().weight));
            weights.contains(&Some("18340".to_owned())).then_some(())
        });
    }
}

#[test]
fn a_lamp_of_a_newer_server_is_no_reason_to_miss_its_message() {
    let signal: FromServer = serde_json::from_str(r#"{"type":"signal","station_id":1,"lamp":"blinking"}"#).unwrap();
    assert_eq!(
        signal,
        FromServer::Signal {
            station_id: 1,
            lamp: Lamp::Off
        }
    );
}
