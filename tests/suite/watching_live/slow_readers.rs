//! Clients that do not read, and those beside them.

use std::time::{Duration, Instant};

use super::{
    Client, Server,
    client::{PATIENCE, Said},
};

/// With their remarks a frame of 160 KB, of which no socket holds many.
const STATIONS: i64 = 40;

/// Sends rounds of weights until the slow one must be behind; the quick one hears each before the next.
async fn flood(server: &Server, quick: &mut Client, round: i64) {
    for number in 0..40 {
        let kilograms = round * 1000 + number;
        (0..STATIONS).for_each(|station| server.weigh_at_length(station, kilograms));
        let newest = |item: &serde_json::Value| item["station_id"] == STATIONS - 1 && item["weight"] == kilograms;
        while !quick.hears("weights").await["data"]["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(newest)
        {}
    }
}

#[actix_web::test]
async fn a_client_that_does_not_read_gets_a_snapshot_and_the_second_time_is_closed() {
    let server = Server::start().await;
    let mut slow = Client::watching(&server, &["stations"]).await;
    let mut quick = Client::watching(&server, &["stations"]).await;
    flood(&server, &mut quick, 1).await;
    // A stall of less than a second is forgiven; this one is longer.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (mut last, mut snapshot) = (0, None);
    while snapshot.is_none() {
        match slow.hear().await {
            Said::Message(message) if message["type"] == "snapshot" => snapshot = Some(message),
            Said::Message(message) => last = message["seq"].as_u64().unwrap(),
            Said::Ping => {}
            other => panic!("{other:?}"),
        }
    }
    let snapshot = snapshot.unwrap();
    assert!(snapshot["seq"].as_u64().unwrap() > last + 1, "nothing was left out");
    let weights = snapshot["data"]["weights"].as_array().unwrap();
    assert!(weights.iter().all(|weight| weight["weight"] == 1039), "not the newest");

    flood(&server, &mut quick, 2).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    slow.is_closed(1013).await;
    server.weigh(1, 1);
    quick.hears("weights").await;
}

#[actix_web::test]
async fn a_client_that_asks_and_never_reads_delays_nobody() {
    let server = Server::start().await;
    let mut quick = Client::watching(&server, &["weighings"]).await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(Client::watching(&server, &["weighings"]).await);
    }
    let filler = "x".repeat(10_000);
    let mut waits = Vec::new();
    for record in 1..=300 {
        let asked = Instant::now();
        server.weighing(record, &filler);
        let heard = tokio::time::timeout(PATIENCE, quick.hears("weighing")).await.unwrap();
        assert_eq!(heard["data"]["record"]["id"], record);
        waits.push(asked.elapsed());
    }
    waits.sort_unstable();
    assert!(
        waits[150] < Duration::from_millis(500),
        "half of them took {:?}",
        waits[150]
    );
}
