//! Cables are pulled, lines are noisy, ports are missing: nothing false is weighed, and what can come back does.

use std::{io::Write, net::TcpListener, thread::sleep, time::Duration};

use serde_json::Value;
use weighbridge_protocol::link::event::{EventKind, IndicatorTrouble};

use crate::support::{Server, Site, deck::Says, eventually};

#[test]
fn a_port_that_is_plugged_in_again_is_read_again() {
    let mut site = Site::new();
    let edge = site.start();
    edge.until_logged("port of station 1 is open");
    site.deck.unplug();
    edge.until_logged("is not there; plug the adapter in");
    site.deck.plug_in();
    site.deck.weighs(18_340);
    edge.until_committed(1);
}

#[test]
fn a_missing_port_holds_up_neither_ready_nor_its_later_arrival() {
    let mut site = Site::new();
    site.deck.unplug();
    let edge = site.start();
    edge.until_logged("is not there; plug the adapter in");
    site.deck.plug_in();
    site.deck.weighs(18_340);
    edge.until_committed(1);
}

#[test]
fn a_port_that_another_process_holds_is_named_and_taken_when_it_is_free() {
    let site = Site::new();
    let other = tokio_serial::new(site.deck.device.display().to_string(), 9600)
        .open()
        .unwrap();
    let edge = site.start();
    edge.until_logged("is held by another process");
    drop(other);
    site.deck.weighs(18_340);
    edge.until_committed(1);
}

/// A serial server that serves whoever comes with a truck of 18,340 kg.
fn serves_several() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // It serves until its client goes.
            std::thread::spawn(move || {
                while stream.write_all(b"ST,GS,+0018340kg\r\n").is_ok() {
                    sleep(Duration::from_millis(20));
                }
            });
        }
    });
    port
}

#[test]
fn a_peer_that_one_station_reads_is_read_by_no_other_under_another_name() {
    let port = serves_several();
    let second = format!("[[station]]\nid = 2\nport = \"tcp://localhost:{port}\"\nprotocol = \"and18\"\n");
    let site = Site::new()
        .with_indicator(&format!("tcp://127.0.0.1:{port}"), "and18")
        .with_section(&second);
    let edge = site.start();
    edge.until_logged("reads already, by this name or another");
    edge.until_committed(1);
    let trouble = |station: &Value| station["port_trouble"].as_str().unwrap_or_default().to_owned();
    let troubles: Vec<String> = site.status()["stations"]
        .as_array()
        .unwrap()
        .iter()
        .map(trouble)
        .collect();
    let refused = troubles.iter().position(|trouble| !trouble.is_empty()).unwrap();
    let holder = format!("is what station {} reads", 2 - refused);
    assert!(troubles[refused].contains(&holder), "{troubles:?}");
    assert_eq!(troubles[1 - refused], "");
}

#[test]
fn silence_is_told_once_and_so_is_its_end() {
    let site = Site::new();
    let edge = site.start();
    edge.until_logged("port of station 1 is open");
    site.deck.says(Says::Nothing);
    edge.until_logged("the indicator of station 1 is silent");
    site.until_deck_is("error");
    site.deck.weighs(0);
    site.until_deck_is("empty");
    edge.kill();
    let kinds: Vec<_> = site.events().iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["indicator_down", "indicator_up"]);
}

#[test]
fn garbage_is_counted_shown_as_an_error_and_never_weighed() {
    let server = Server::new();
    let site = Site::new().linked_to(&server);
    let edge = site.start();
    for garbage in [
        b"\x00\xFF\x00\xFF\x00\xFF\x00\xFF".to_vec(),
        b"ST,GS,+00183".to_vec(),
        b"ST,GS,+001834Xkg\r\n".to_vec(),
        vec![b'A'; 500],
    ] {
        site.deck.says(Says::Bytes(garbage));
        site.until_deck_is("error");
        sleep(Duration::from_millis(200));
        site.deck.weighs(0);
        site.until_deck_is("empty");
    }
    let garbled = site.status()["stations"][0]["garbled"].as_object().unwrap().len();
    assert!(garbled >= 1, "{}", site.status());
    assert!(edge.told("committed").is_empty());
    let errors = server.change(|state| {
        state
            .readings
            .iter()
            .filter(|reading| serde_json::to_value(reading.state).unwrap() == "error")
            .count()
    });
    assert!(errors >= 1, "the server sees that the indicator cannot be read");
    site.deck.weighs(18_340);
    edge.until_committed(1);
}

#[test]
fn an_indicator_that_speaks_only_when_asked_is_asked() {
    let site = Site::new().with_option("request = \"52 57 0D 0A\"");
    let _edge = site.start();
    eventually("requests", || {
        (site.deck.heard().windows(8).any(|bytes| bytes == b"RW\r\nRW\r\n")).then_some(())
    });
}

#[test]
fn an_indicator_that_shows_net_is_alarmed_and_not_weighed_until_it_shows_gross() {
    let site = Site::new();
    let edge = site.start();
    site.deck.weighs(18_340);
    edge.until_committed(1);
    site.deck.says(Says::Bytes(b"ST,NT,+0000000kg\r\n".to_vec()));
    edge.until_logged("the indicator of station 1 shows net");
    let told = eventually("an alarm", || {
        Some(site.status()).filter(|told| told["alarms"].to_string().contains("\"net\""))
    });
    assert_eq!(
        (&told["stations"][0]["state"], &told["stations"][0]["net"]),
        (&"error".into(), &true.into())
    );
    let readings = || site.status()["stations"][0]["readings"].as_u64();
    let before = readings();
    site.deck.says(Says::Bytes(b"ST,NT,+0008000kg\r\n".to_vec()));
    eventually("readings of another net weight", || {
        (readings() > before.map(|count| count + 3)).then_some(())
    });
    site.deck.weighs(18_340);
    site.until_deck_is("captured");
    site.deck.weighs(0);
    site.until_deck_is("empty");
    edge.kill();
    let told: Vec<_> = site.events().into_iter().map(|event| event.kind).collect();
    let kinds: Vec<_> = told.iter().map(EventKind::name).collect();
    assert_eq!(
        kinds,
        ["vehicle_on", "capture", "indicator_down", "indicator_up", "vehicle_off"]
    );
    let why = Some(IndicatorTrouble::Net);
    assert_eq!(told[2], EventKind::IndicatorDown { why });
}
