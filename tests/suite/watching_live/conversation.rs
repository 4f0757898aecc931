//! What a client may say, and how it is answered.

use weighbridge::actors::live::Revoke;

use super::{
    Client, Server,
    client::{PING, Said, TEXT, frame},
    server::login_of,
};

#[actix_web::test]
async fn what_is_malformed_ends_the_conversation() {
    let server = Server::start().await;
    for malformed in ["", "{", "[]", r#"{"type":"dance"}"#, r#"{"type":"subscribe"}"#] {
        let mut client = Client::staff(&server).await;
        client.say(malformed).await;
        let reason = client.is_closed(4400).await;
        assert!(reason.starts_with("malformed message: "), "{reason}");
    }
}

#[actix_web::test]
async fn a_topic_of_another_role_ends_the_conversation_and_an_unknown_one_does_not() {
    let server = Server::start().await;
    for (token, topic) in [
        ("driver-7:60", "stations"),
        ("driver-7:60", "summary"),
        ("staff-1:60", "driver"),
    ] {
        let mut client = Client::open(&server, token).await;
        client.subscribe(&[topic]).await;
        client.is_closed(4403).await;
    }
    let mut client = Client::staff(&server).await;
    client.subscribe(&["weather"]).await;
    assert_eq!(client.hears("error").await["code"], "UNKNOWN_TOPIC");
    client.subscribe(&["queue"]).await;
    client.hears("subscribed").await;
}

#[actix_web::test]
async fn more_than_twenty_messages_a_second_are_answered_once_and_a_flood_is_closed() {
    let server = Server::start().await;
    let mut client = Client::staff(&server).await;
    let ping = frame(TEXT, br#"{"type":"ping"}"#);
    client.send(&ping.repeat(50)).await;
    for _ in 0..20 {
        client.hears("pong").await;
    }
    assert_eq!(client.hears("error").await["code"], "RATE_LIMITED");
    client.send(&frame(PING, b"").repeat(300)).await;
    client.is_closed(1008).await;
}

#[actix_web::test]
async fn a_token_that_expires_closes_the_socket_unless_another_came() {
    let server = Server::start().await;
    let (mut lazy, mut diligent) = (
        Client::open(&server, "staff-1:2").await,
        Client::open(&server, "staff-1:2").await,
    );
    for (token, code) in [
        ("nonsense", "TOKEN_INVALID"),
        ("expired", "TOKEN_EXPIRED"),
        ("staff-2:60", "TOKEN_INVALID"),
    ] {
        diligent.say(&format!(r#"{{"type":"token","token":"{token}"}}"#)).await;
        assert_eq!(diligent.hears("error").await["code"], code, "{token}");
    }
    diligent.say(r#"{"type":"token","token":"staff-1:60"}"#).await;
    diligent.hears("subscribed").await;
    lazy.is_closed(4401).await;
    diligent.say(r#"{"type":"ping"}"#).await;
    diligent.hears("pong").await;
}

#[actix_web::test]
async fn a_session_that_is_revoked_closes_its_sockets_alone() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for user in 1..=4 {
        let mut client = Client::open(&server, &format!("staff-{user}:60")).await;
        client.say(r#"{"type":"ping"}"#).await;
        client.hears("pong").await;
        clients.push(client);
    }
    assert_eq!(server.lives.revoke(Revoke::User(1)).await, 1);
    clients[0].is_closed(4403).await;
    assert_eq!(server.lives.revoke(Revoke::Login(login_of(2))).await, 1);
    clients[1].is_closed(4403).await;
    server.database.revoked.lock().push(login_of(3));
    clients[2].is_closed(4403).await;
    clients[3].say(r#"{"type":"ping"}"#).await;
    clients[3].hears("pong").await;
}

#[actix_web::test]
async fn pings_are_answered_with_what_they_bring() {
    let server = Server::start().await;
    let mut client = Client::staff(&server).await;
    client.send(&frame(PING, b"still there?")).await;
    let heard = client.hear().await;
    assert!(
        matches!(&heard, Said::Pong(payload) if payload == b"still there?"),
        "{heard:?}"
    );
}
