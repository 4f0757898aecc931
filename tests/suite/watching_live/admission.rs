//! Who is let in.

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::{connect_async, tungstenite};
use tungstenite::client::IntoClientRequest;
use weighbridge_sim::http::client;

use super::{
    Client, Server,
    client::{PATIENCE, status},
    server::ALLOWED_ORIGIN,
};

/// What a client is answered that upgrades at `path` with `headers`: the status, and the code of the failure.
async fn answer(server: &Server, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (mut client, head) = Client::upgrade(server, path, headers).await;
    let status = head[9..12].parse().unwrap();
    if status == 101 {
        return (status, String::new());
    }
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    let mut body = String::new();
    tokio::time::timeout(PATIENCE, client.0.read_to_string(&mut body))
        .await
        .unwrap()
        .unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}

async fn ticket(server: &Server) -> String {
    let url = format!("http://127.0.0.1:{}/api/v1/ws/ticket", server.port);
    let request = client().build().unwrap().post(url).bearer_auth("staff-1:60");
    let body: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(body["data"]["expires_in"], 30);
    body["data"]["ticket"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn tokens_are_looked_at_before_the_socket_opens() {
    let server = Server::start().await;
    for (token, status, code) in [
        ("Bearer staff-1:60", 101, ""),
        ("bearer driver-7:60", 101, ""),
        ("Bearer nonsense", 401, "TOKEN_INVALID"),
        ("Bearer expired", 401, "TOKEN_EXPIRED"),
        ("Bearer revoked", 401, "SESSION_REVOKED"),
        ("Bearer temporary", 403, "PASSWORD_CHANGE_REQUIRED"),
        ("Basic staff-1:60", 401, "UNAUTHENTICATED"),
        ("staff-1:60", 401, "UNAUTHENTICATED"),
    ] {
        let answer = answer(&server, "/api/v1/ws", &[("authorization", token)]).await;
        assert_eq!(answer, (status, code.to_owned()), "{token}");
    }
    assert_eq!(answer(&server, "/api/v1/ws", &[]).await.1, "UNAUTHENTICATED");
}

#[actix_web::test]
async fn a_browser_comes_by_a_ticket_from_an_origin_that_we_know() {
    let server = Server::start().await;
    for (origin, status, code) in [
        (Some("http://localhost"), 101, ""),
        (Some(ALLOWED_ORIGIN), 101, ""),
        (Some("https://evil.example"), 403, "FORBIDDEN"),
        (Some("null"), 403, "FORBIDDEN"),
        (None, 403, "FORBIDDEN"),
    ] {
        let protocols = format!("weighbridge.v1, ticket.{}", ticket(&server).await);
        let mut headers = vec![("sec-websocket-protocol", protocols.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let first = answer(&server, "/api/v1/ws", &headers).await;
        assert_eq!(first, (status, code.to_owned()), "{origin:?}");
        if status == 101 {
            assert_eq!(
                answer(&server, "/api/v1/ws", &headers).await.1,
                "TOKEN_INVALID",
                "spent"
            );
        }
    }
    let evil = [
        ("authorization", "Bearer staff-1:60"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(answer(&server, "/api/v1/ws", &evil).await.1, "FORBIDDEN");
}

#[actix_web::test]
async fn a_client_library_gets_the_protocol_that_it_offered() {
    let server = Server::start().await;
    let url = format!("ws://localhost:{}/api/v1/ws", server.port);
    let mut request = url.into_client_request().unwrap();
    let protocols = format!("weighbridge.v1, ticket.{}", ticket(&server).await);
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    headers.insert("origin", ALLOWED_ORIGIN.parse().unwrap());
    let (mut socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "weighbridge.v1");
    let subscribe = r#"{"type":"subscribe","topics":["stations"]}"#;
    socket.send(tungstenite::Message::text(subscribe)).await.unwrap();
    for kind in ["subscribed", "snapshot"] {
        let heard = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(heard.contains(&format!(r#""type":"{kind}""#)), "{heard}");
    }
    socket.close(None).await.unwrap();
    while let Some(heard) = socket.next().await {
        assert!(heard.unwrap().is_close());
    }
}

#[actix_web::test]
async fn a_handshake_that_is_none_is_refused() {
    let server = Server::start().await;
    let good = [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (name, value) in [
        ("upgrade", "h2c"),
        ("sec-websocket-version", "12"),
        ("sec-websocket-key", "short"),
        ("sec-websocket-key", ""),
    ] {
        let mut request =
            "GET /api/v1/ws HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer staff-1:60\r\n".to_owned();
        for (header, right) in good {
            let right = if header == name { value } else { right };
            request.extend([header, ": ", right, "\r\n"]);
        }
        assert_eq!(status(&server, &(request + "\r\n")).await, 400, "{name}: {value}");
    }
}

#[actix_web::test]
async fn a_request_that_asks_for_no_socket_is_told_so() {
    let server = Server::start().await;
    let get = "GET /api/v1/ws HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer staff-1:60\r\n\r\n";
    assert_eq!(status(&server, get).await, 400);
}
