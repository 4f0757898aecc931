//! What stays up when a part falls.

use std::time::Duration;

use weighbridge_supervision::{Mode, State};

use super::{Client, Server};

#[actix_web::test]
async fn a_session_that_panics_costs_its_own_socket() {
    let server = Server::start().await;
    let mut whole = Client::watching(&server, &["stations"]).await;
    let mut broken = Client::watching(&server, &["stations"]).await;
    broken.say(r#"{"type":"token","token":"panic"}"#).await;
    broken.is_closed(1012).await;
    server.weigh(1, 7);
    whole.hears("weights").await;
}

#[actix_web::test]
async fn a_session_that_is_restarted_closes_its_socket_and_the_client_comes_back() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["stations"]).await;
    server.tree.restart("session-1", Mode::Graceful).await.unwrap();
    client.is_closed(1012).await;
    Client::watching(&server, &["stations"]).await;
}

#[actix_web::test]
async fn live_panics_and_goes_on_over_the_same_sockets() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["stations", "queue"]).await;
    server.weigh(1, 5);
    let before = client.hears("weights").await;
    *server.database.broken.lock() = true;
    for topic in ["stations", "queue"] {
        let snapshot = client.hears("snapshot").await;
        assert_eq!(snapshot["topic"], topic);
        if topic == "stations" {
            assert!(snapshot["seq"].as_u64() >= before["seq"].as_u64());
            assert_eq!(snapshot["data"]["weights"][0]["weight"], 5);
        }
    }
    server.weigh(1, 6);
    let after = client.hears("weights").await;
    assert!(after["seq"].as_u64() > before["seq"].as_u64());
}

#[actix_web::test]
async fn live_is_restarted_and_keeps_every_socket() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["weighings"]).await;
    server.weighing(1, "PENDING");
    client.hears("weighing").await;
    let status = server.tree.watch("live-1").unwrap();
    server.tree.restart("live-1", Mode::Graceful).await.unwrap();
    assert_eq!((status.borrow().state, status.borrow().generation), (State::Running, 2));
    assert_eq!(client.hears("snapshot").await["topic"], "weighings");
    server.weighing(2, "PENDING");
    client.hears("weighing").await;
}

#[actix_web::test]
async fn a_server_that_stops_says_goodbye_and_lets_nobody_in() {
    let server = Server::start().await;
    let mut client = Client::watching(&server, &["stations"]).await;
    let farewell = async {
        let reason = client.is_closed(1012).await;
        drop(client);
        reason
    };
    let asked = std::time::Instant::now();
    let (reason, ()) = tokio::join!(farewell, server.lives.close_all());
    assert_eq!(reason, "the server restarts, connect again");
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "a client that hangs up is not waited for"
    );
    Client::staff(&server).await.is_closed(1012).await;
    server.stop().await;
}
