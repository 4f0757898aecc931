//! Clients that do not read, and those beside them.

use std::time::{Duration, Instant};

use super::{
    Client, Server,
    client::{PATIENCE, Said},
};

/// Enough stations for a frame of some 150 KB, which no socket's buffers hold many of.
const STATIONS: i64 = 4000;

/// Sends rounds of weights until the slow one must be behind; the quick one keeps up.
async fn flood(server: &Server, quick: &mut Client, round: i64) {
    for number in 0..40 {
        let kilograms = round * 1000 + number;
        (0..STATIONS).for_each(|station| server.weigh(station, kilograms));
        let began = Instant::now();
        loop {
            let weights = quick.hears("weights").await;
            let items = weights["data"]["items"].as_array().unwrap();
            if items
                .iter()
                .any(|item| item["station_id"] == STATIONS - 1 && item["weight"] == kilograms)
            {
                break;
            }
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "the quick one waited for the slow one"
        );
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
    let mut longest = Duration::ZERO;
    for record in 1..=300 {
        let asked = Instant::now();
        server.weighing(record, &filler);
        let heard = tokio::time::timeout(PATIENCE, quick.hears("weighing")).await.unwrap();
        assert_eq!(heard["data"]["record"]["id"], record);
        longest = longest.max(asked.elapsed());
    }
    assert!(longest < Duration::from_millis(500), "one took {longest:?}");
}
