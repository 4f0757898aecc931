//! SF-19: an edge's file of an older version goes on in this one, and another version of the link is refused in words.

use std::{fs, path::PathBuf};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;
use weighbridge_edge::buffer::BufferFile;
use weighbridge_protocol::link::{
    EventBody, EventKind, Store,
    curve::{self, Step},
};

use crate::{
    frame::Case,
    yard::{
        judgement::drained,
        world::{Spec, World},
    },
};

/// Files as released versions left them, with unsent events, never to be changed: `corpus/edge-VERSION/buffer.db`.
fn corpus() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture/corpus");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("buffer.db"))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_older_versions_go_on_and_other_versions_of_the_link_are_refused_in_words() {
    let mut case = Case::begin("SF-19").await;
    let mut world = World::start(Spec::of(&case).await).await;
    for file in corpus() {
        world.rounds(1).await;
        drained(&world).await;
        world.edge.kill();
        fs::remove_dir_all(world.edge_data()).unwrap();
        fs::create_dir(world.edge_data()).unwrap();
        fs::copy(&file, world.edge_data().join("buffer.db")).unwrap();
        let held = events(&world);
        assert!(!held.is_empty(), "{}", file.display());
        world.edge.start_again();
        world.edge.ready().await;
        world.empty_decks().await;
        drained(&world).await;
        let stored = world
            .pairs("SELECT epoch || ' ' || seq, sha256 || ' ' || status FROM v_edge_events")
            .await;
        for (name, sha256) in held {
            assert_eq!(
                stored.get(&name),
                Some(&format!("{sha256} STORED")),
                "{name} of {}",
                file.display()
            );
        }
        assert!(curves_read_back(&world).await > 0, "{} holds no curve", file.display());
        case.did("older files", 1);
    }
    // Each is the newest connection by this key while it lasts.
    world.edge.kill();
    for version in [0, 999] {
        let (code, words) = refusal(&world, version).await;
        assert_eq!(code, 4426, "{version}");
        assert!(
            words.contains("speaks version 1") && words.contains(&version.to_string()),
            "{words}"
        );
        case.did("versions refused", 1);
    }
    world.edge.start_again();
    world.edge.ready().await;
    world.rounds(1).await;
    drained(&world).await;
    world.stop().await;
    case.passed();
}

/// How many captures are kept with a curve that their edge wrote in full; each must be the same curve.
async fn curves_read_back(world: &World) -> usize {
    let captures = |column: &str| {
        format!("SELECT epoch || ' ' || seq, {column}::text FROM capture JOIN edge_event USING (epoch, seq)")
    };
    let kept = world.pairs(&captures("curve")).await;
    let mut in_full = 0;
    for (name, body) in world.pairs(&captures("body")).await {
        let body: EventBody = serde_json::from_str(&body).unwrap();
        let EventKind::Capture(capture) = body.kind else {
            panic!("{name} is no capture")
        };
        let steps: Vec<Step> = serde_json::from_str(&kept[&name]).unwrap();
        if !capture.curve.is_empty() {
            assert_eq!(curve::decode(&steps).as_ref(), Ok(&capture.curve), "{name}");
            in_full += 1;
        }
    }
    in_full
}

/// Every event of the edge's file, by its identity, with its hash.
fn events(world: &World) -> Vec<(String, String)> {
    let (file, opened) = BufferFile::open(&world.edge_data(), Uuid::nil()).unwrap();
    assert!(opened.salvaged.is_none());
    let mut events = Vec::new();
    for bounds in file.epochs().unwrap() {
        let mut from = bounds.first_kept;
        while let Some(event) = file.next_row(bounds.epoch, from).unwrap() {
            from = event.seq + 1;
            events.push((format!("{} {}", event.epoch, event.seq), event.sha256));
        }
    }
    events
}

/// How the server closes on an edge that speaks this version.
async fn refusal(world: &World, version: u32) -> (u16, String) {
    let toml = fs::read_to_string(&world.site.edge_toml).unwrap();
    let value = |key: &str| {
        toml.lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = \""))?.strip_suffix('"'))
    };
    let mut request = value("url").unwrap().into_client_request().unwrap();
    request
        .headers_mut()
        .insert("x-api-key", value("api_key").unwrap().parse().unwrap());
    let (mut link, _) = connect_async(request).await.unwrap();
    let hello: Value = json!({
        "type": "hello", "protocol": version, "version": "other",
        "epochs": [{ "epoch": "00000000000000000000000000000001", "first_kept": 1, "next_seq": 1, "acked": 0 }],
        "stations": [],
        "clock": { "wall": "2026-01-25T14:30:00+09:00", "mono_ms": 1, "boot": "00000000-0000-0000-0000-000000000007" },
    });
    link.send(Message::text(hello.to_string())).await.unwrap();
    loop {
        if let Message::Close(Some(frame)) = link.next().await.unwrap().unwrap() {
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}
