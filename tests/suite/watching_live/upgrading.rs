//! What becomes of requests that ask for an upgrade, and of the sockets they open.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Client, Server,
    client::{CLOSE, Said, TEXT, frame, status},
};

#[actix_web::test]
async fn other_requests_with_an_upgrade_header_are_answered_as_ever() {
    let server = Server::start().await;
    assert_eq!(
        Client::upgrade(&server, "/nowhere", &[]).await.1[9..12].parse(),
        Ok(404)
    );
    let upgrade = "host: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
    let post = format!("POST /length HTTP/1.1\r\n{upgrade}content-length: 5\r\n\r\nhello");
    assert_eq!(status(&server, &post).await, 200);
}

#[actix_web::test]
async fn what_was_said_with_the_handshake_is_heard() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let request = "GET /api/v1/ws HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let first = frame(TEXT, br#"{"type":"ping"}"#);
    let bytes = [request.as_bytes(), b"authorization: Bearer staff-1:60\r\n\r\n", &first].concat();
    stream.write_all(&bytes).await.unwrap();
    let mut client = Client(stream);
    assert!(client.head().await.starts_with("HTTP/1.1 101"));
    client.hears("pong").await;
}

#[actix_web::test]
async fn an_actor_that_speaks_by_a_response_body_lives_beside_the_sessions() {
    let server = Server::start().await;
    let (mut client, head) = Client::upgrade(&server, "/echo", &[]).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    for number in 0..200 {
        client.say(&format!(r#"{{"type":"{number}"}}"#)).await;
        client.hears(&number.to_string()).await;
    }
    client.send(&frame(CLOSE, &[3, 0xe8])).await;
    assert!(matches!(client.hear().await, Said::Closed(1000, _)));
    assert_eq!(client.0.read(&mut [0]).await.unwrap(), 0);
}

#[actix_web::test]
async fn a_socket_whose_actor_panics_where_nobody_guards_it_closes_with_1012() {
    let server = Server::start().await;
    let (mut client, head) = Client::upgrade(&server, "/echo", &[]).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    client.say("panic").await;
    let mut close = [0; 4];
    client.0.read_exact(&mut close).await.unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xf4]);
}
