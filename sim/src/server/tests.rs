//! The client is tested against a socket that answers what a test wrote down.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// Answers each request with the next of `answers` (status and body), and returns the requests' first lines and bodies.
async fn scripted(answers: &'static [(u16, &'static str)]) -> (Server, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let work = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let count = stream.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..count]).into_owned());
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
        asked
    });
    let login = Login {
        login_id: "staff".to_owned(),
        password: "p".to_owned(),
    };
    (Server::new(&url, login).unwrap(), work)
}

const SIGNED_IN: (u16, &str) = (
    200,
    r#"{"success":true,"data":{"access_token":"a1","refresh_token":"r1","expires_in":3600}}"#,
);
const RENEWED: (u16, &str) = (
    200,
    r#"{"success":true,"data":{"access_token":"a2","refresh_token":"r2","expires_in":3600}}"#,
);
const EXPIRED: (u16, &str) = (
    401,
    r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"m"}}"#,
);

#[tokio::test]
async fn an_expired_token_is_renewed_and_the_call_repeated() {
    let line = (
        200,
        r#"{"success":true,"data":{"items":[{"id":1,"queue_number":3,"status":"NO_SHOW","station_id":null}],"pagination":{"total_pages":1}}}"#,
    );
    let answers = Vec::leak(vec![SIGNED_IN, EXPIRED, RENEWED, line]);
    let (server, asked) = scripted(answers).await;
    let entries = server.line().await.unwrap();
    assert_eq!((entries[0].queue_number, entries[0].status), (3, queue::Status::NoShow));
    let asked = asked.await.unwrap();
    assert!(asked[2].contains("r1") && asked[3].contains("Bearer a2"), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_puts_off_is_asked_again_under_the_same_key() {
    let entry = (
        201,
        r#"{"success":true,"data":{"id":9,"queue_number":1,"status":"WAITING","station_id":null}}"#,
    );
    let later = (
        429,
        r#"{"success":false,"error":{"code":"RATE_LIMITED","message":"m"}}"#,
    );
    let (server, asked) = scripted(Vec::leak(vec![SIGNED_IN, later, entry])).await;
    assert_eq!(server.check_in(1, 2, Some("IN"), Uuid::new_v4()).await.unwrap().id, 9);
    let asked = asked.await.unwrap();
    let key = |request: &str| {
        request
            .lines()
            .find(|line| line.starts_with("idempotency-key"))
            .map(str::to_owned)
    };
    assert!(key(&asked[1]).is_some());
    assert_eq!(key(&asked[1]), key(&asked[2]));
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_a_strange_answer_is_named() {
    let refusal = (
        409,
        r#"{"success":false,"error":{"code":"ALREADY_QUEUED","message":"m"}}"#,
    );
    let (server, _asked) = scripted(Vec::leak(vec![SIGNED_IN, refusal, (200, "<html>"), (503, "{}")])).await;
    let server = Arc::new(server);
    assert!(
        server
            .check_in(1, 2, None, Uuid::new_v4())
            .await
            .unwrap_err()
            .is_refusal("ALREADY_QUEUED")
    );
    let strange = server.line().await.unwrap_err();
    assert!(strange.to_string().contains("no envelope: <html>"), "{strange}");
    assert!(matches!(server.line().await.unwrap_err(), SimError::Unreachable(_)));
}
