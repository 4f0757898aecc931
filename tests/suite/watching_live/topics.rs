//! What is shown: a snapshot of each topic, then its changes.

use serde_json::json;
use weighbridge::actors::live::{DriverChanged, DriverNews, QueueChanged, SummaryChanged};

use super::{
    Client, Server,
    server::{self, nothing, station, weighing},
};

#[actix_web::test]
async fn each_topic_begins_with_a_snapshot_and_goes_on_with_changes() {
    let server = Server::start().await;
    *server.database.looked.lock() = weighbridge::actors::live::Looked {
        stations: Some(vec![station(1, "north")]),
        weighings: Some(vec![weighing(2, "PENDING"), weighing(1, "COMPLETED")]),
        ..nothing()
    };
    server
        .tree
        .restart("live-1", weighbridge_supervision::Mode::Graceful)
        .await
        .unwrap();
    server.weigh(1, 5);
    let mut client = Client::staff(&server).await;
    client.subscribe(&["stations", "queue", "summary", "weighings"]).await;
    let subscribed = client.hears("subscribed").await;
    assert_eq!(
        subscribed["topics"],
        json!(["stations", "queue", "summary", "weighings"])
    );
    let mut snapshots = Vec::new();
    for _ in 0..4 {
        let snapshot = client.hears("snapshot").await;
        assert!(snapshot["at"].as_str().unwrap().ends_with("+09:00"));
        snapshots.push((snapshot["topic"].clone(), snapshot["data"].clone()));
    }
    assert_eq!(
        snapshots,
        [
            (
                json!("stations"),
                json!({"stations": [{"id": 1, "name": "north"}], "weights": [{"station_id": 1, "weight": 5}]})
            ),
            (json!("queue"), json!({"entries": []})),
            (json!("summary"), json!(null)),
            (
                json!("weighings"),
                json!({"items": [{"id": 2, "status": "PENDING"}, {"id": 1, "status": "COMPLETED"}]})
            ),
        ]
    );

    server.weigh(1, 6);
    let weights = client.hears("weights").await;
    assert_eq!(weights["data"], json!({"items": [{"station_id": 1, "weight": 6}]}));
    server.lives.listener().announce(station(1, "south"));
    let changed = client.hears("station").await;
    assert_eq!(changed["data"], json!({"id": 1, "name": "south"}));
    assert_eq!(changed["seq"].as_u64(), weights["seq"].as_u64().map(|seq| seq + 1));
    let entries = vec![server::json(r#"{"id":9}"#)];
    server.lives.listener().announce(QueueChanged { site: 1, entries });
    assert_eq!(client.hears("queue").await["data"], json!({"entries": [{"id": 9}]}));
    server.weighing(2, "COMPLETED");
    assert_eq!(
        client.hears("weighing").await["data"],
        json!({"record": {"id": 2, "status": "COMPLETED"}})
    );
    let summary = server::json(r#"{"total_count":3}"#);
    server
        .lives
        .listener()
        .announce(SummaryChanged { site: Some(1), summary });
    assert_eq!(client.hears("summary").await["data"], json!({"total_count": 3}));
}

#[actix_web::test]
async fn of_quick_weights_the_first_comes_at_once_and_the_newest_of_the_rest_soon() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["stations"]).await;
    for kilograms in 1..=100 {
        server.weigh(1, kilograms);
        server.weigh(2, kilograms);
    }
    let first = client.hears("weights").await;
    assert_eq!(first["data"]["items"], json!([{"station_id": 1, "weight": 1}]));
    let (mut frames, mut seq) = (1, first["seq"].as_u64().unwrap());
    let newest = json!([{"station_id": 1, "weight": 100}, {"station_id": 2, "weight": 100}]);
    let mut shown = json!(null);
    while shown != newest {
        let weights = client.hears("weights").await;
        assert_eq!(weights["seq"].as_u64().unwrap(), seq + 1);
        (frames, seq, shown) = (frames + 1, seq + 1, weights["data"]["items"].clone());
    }
    assert!(frames < 10, "{frames} frames for 200 weights at once");
}

#[actix_web::test]
async fn weighings_arrive_all_and_in_order() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["weighings"]).await;
    for record in 1..=300 {
        server.weighing(record, "PENDING");
    }
    for record in 1..=300 {
        let heard = client.hears("weighing").await;
        assert_eq!(
            (&heard["seq"], &heard["data"]["record"]["id"]),
            (&json!(record), &json!(record))
        );
    }
}

#[actix_web::test]
async fn a_client_may_watch_one_site_and_then_another() {
    let server = Server::start().await;
    let mut client = Client::staff(&server).await;
    client
        .say(r#"{"type":"subscribe","topics":["stations"],"site_id":2}"#)
        .await;
    client.hears("subscribed").await;
    client.hears("snapshot").await;
    server.weigh(1, 1);
    server.weigh(100, 2);
    let weights = client.hears("weights").await;
    assert_eq!(weights["data"]["items"], json!([{"station_id": 100, "weight": 2}]));
    client
        .say(r#"{"type":"subscribe","topics":["stations"],"site_id":1}"#)
        .await;
    client.hears("subscribed").await;
    let snapshot = client.hears("snapshot").await;
    assert_eq!(snapshot["data"]["weights"], json!([{"station_id": 1, "weight": 1}]));
    client.say(r#"{"type":"unsubscribe","topics":["stations"]}"#).await;
    assert_eq!(client.hears("subscribed").await["topics"], json!([]));
    server.weigh(1, 3);
    client.say(r#"{"type":"ping"}"#).await;
    client.hears("pong").await;
}

#[actix_web::test]
async fn a_driver_hears_of_the_own_turn_alone() {
    let server = Server::start().await;
    let position = server::json(r#"{"queue_number":4}"#);
    server.database.looked.lock().positions = Some(vec![(7, position)]);
    let (mut seven, mut eight) = (
        Client::open(&server, "driver-7:60").await,
        Client::open(&server, "driver-8:60").await,
    );
    for driver in [&mut seven, &mut eight] {
        driver.subscribe(&["driver"]).await;
        assert_eq!(driver.hears("subscribed").await["topics"], json!(["driver"]));
        driver.hears("snapshot").await;
    }
    assert_eq!(seven.hears("position").await["data"], json!({"queue_number": 4}));
    let call = server::json(r#"{"station":"north"}"#);
    for (driver, news) in [(7, DriverNews::Called(call.clone())), (8, DriverNews::Completed(call))] {
        server.lives.listener().announce(DriverChanged { driver, news });
    }
    assert_eq!(seven.hears("called").await["data"], json!({"station": "north"}));
    assert_eq!(eight.hears("completed").await["seq"], 1);
}

#[actix_web::test]
async fn what_was_announced_to_nobody_is_looked_up() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["stations", "weighings"]).await;
    {
        let mut looked = server.database.looked.lock();
        looked.stations = Some(vec![station(1, "north")]);
        looked.weighings = Some(vec![weighing(1, "COMPLETED")]);
    }
    assert_eq!(client.hears("station").await["data"]["name"], "north");
    assert_eq!(client.hears("weighing").await["data"]["record"]["status"], "COMPLETED");
    server.database.looked.lock().stations = Some(Vec::new());
    let snapshot = client.hears("snapshot").await;
    assert_eq!(snapshot["data"], json!({"stations": [], "weights": []}));
}
