//! Whatever is sent, the answer has the envelope, says what was wrong, and nothing has changed.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use reqwest::Method;
use serde_json::json;

use crate::support::server::{Reply, TestServer};

#[track_caller]
fn check(reply: &Reply, outcome: &str) {
    assert_eq!(reply.outcome(), outcome, "{}", reply.text);
    assert_eq!(reply.body["success"], false);
    assert!(
        reply.body["error"]["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
    assert!(reply.headers.contains_key("x-request-id"));
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
}

#[actix_web::test]
async fn unknown_routes_and_methods_are_told_apart() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for path in [
        "/",
        "/api/v1",
        "/api/v1/nothing",
        "/.git/config",
        "/debug",
        "/api/v1/../../etc/passwd",
    ] {
        check(&admin.get(path).await, "404 NOT_FOUND");
    }
    let reply = admin.delete("/api/v1/vehicles").await;
    check(&reply, "405 METHOD_NOT_ALLOWED");
    assert_eq!(reply.headers["allow"], "GET, POST");
    let trace = admin.send(admin.request(Method::TRACE, "/api/v1/vehicles")).await;
    check(&trace, "405 METHOD_NOT_ALLOWED");
}

#[actix_web::test]
async fn what_no_text_can_hold_is_not_searched_for() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for list in ["vehicles", "drivers"] {
        let reply = admin.get(&format!("/api/v1/{list}?search=a%00b")).await;
        check(&reply, "400 VALIDATION_FAILED");
    }
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_refused_by_kind() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let vehicles = "/api/v1/vehicles";
    let send = async |kind: &str, body: Vec<u8>| {
        let request = admin
            .request(Method::POST, vehicles)
            .header("Content-Type", kind)
            .body(body);
        admin.send(request).await
    };
    check(
        &send("application/json", b"{\"plate_number\":".to_vec()).await,
        "400 MALFORMED_JSON",
    );
    check(&send("application/json", vec![0xff, 0xfe]).await, "400 MALFORMED_JSON");
    check(&send("text/plain", b"{}".to_vec()).await, "415 UNSUPPORTED_MEDIA_TYPE");
    check(
        &send("application/json", vec![b' '; 70_000]).await,
        "413 PAYLOAD_TOO_LARGE",
    );
    check(
        &send("application/json", "[".repeat(60_000).into_bytes()).await,
        "400 MALFORMED_JSON",
    );
    let unknown = admin
        .post(vehicles, json!({"plate_number": "12가3456", "id": 7, "role": "ADMIN"}))
        .await;
    check(&unknown, "400 UNKNOWN_FIELD");
    assert_eq!(unknown.body["error"]["details"][0]["field"], "id");
    check(
        &admin.post(vehicles, json!({"plate_number": 5})).await,
        "400 VALIDATION_FAILED",
    );
    assert_eq!(admin.get(vehicles).await.data()["pagination"]["total"], 0);
}

#[actix_web::test]
async fn ids_and_filters_that_make_no_sense_are_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for id in [
        "0",
        "-1",
        "1e3",
        "9223372036854775808",
        "18446744073709551616",
        "abc",
        "1;drop",
    ] {
        check(
            &admin.get(&format!("/api/v1/vehicles/{id}")).await,
            "400 VALIDATION_FAILED",
        );
    }
    check(
        &admin.get("/api/v1/vehicles/9223372036854775807").await,
        "404 NOT_FOUND",
    );
    for query in ["limit=101", "limit=0", "page=0", "page=x"] {
        check(
            &admin.get(&format!("/api/v1/vehicles?{query}")).await,
            "400 VALIDATION_FAILED",
        );
    }
    check(&admin.get("/api/v1/vehicles?pages=1").await, "400 UNKNOWN_FIELD");
    check(&admin.get("/api/v1/vehicles?token=x").await, "400 TOKEN_IN_URL");
}

#[actix_web::test]
async fn nobody_gets_in_with_a_token_that_is_not_ours() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    check(&stranger.get("/api/v1/vehicles").await, "401 UNAUTHENTICATED");
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoiMSJ9.eyJzdWIiOiIxIiwicm9sZSI6IkFETUlOIn0.";
    for token in ["x", "a.b.c", none] {
        check(
            &stranger.with_token(token).get("/api/v1/vehicles").await,
            "401 TOKEN_INVALID",
        );
    }
    let basic = stranger
        .request(Method::GET, "/api/v1/vehicles")
        .basic_auth("admin", Some("x"));
    check(&stranger.send(basic).await, "401 TOKEN_INVALID");
}

#[actix_web::test]
async fn english_is_spoken_to_those_who_prefer_it() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let korean = stranger.get("/api/v1/vehicles").await;
    let request = stranger
        .request(Method::GET, "/api/v1/vehicles")
        .header("Accept-Language", "en-US, ko;q=0.5");
    let english = stranger.send(request).await;
    assert_eq!(korean.body["error"]["message"], "로그인이 필요합니다.");
    assert_eq!(english.body["error"]["message"], "Please sign in.");
}

#[actix_web::test]
async fn the_request_after_the_limit_waits_and_nobody_else_does() {
    let server = TestServer::start_with(&[("rate_limit.requests", "3"), ("rate_limit.window", "2s")]).await;
    let admin = server.admin().await;
    for left in ["2", "1", "0"] {
        let reply = admin.get("/api/v1/vehicles").await;
        assert_eq!(reply.outcome(), "200");
        let told = reply.headers["ratelimit"].to_str().unwrap();
        assert!(told.starts_with(&format!("\"default\";r={left};t=")), "{told}");
        assert_eq!(reply.headers["ratelimit-policy"], "\"default\";q=3;w=2");
    }
    let refused = admin.get("/api/v1/vehicles").await;
    check(&refused, "429 RATE_LIMITED");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    check(&server.stranger().get("/api/v1/vehicles").await, "401 UNAUTHENTICATED");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(admin.get("/api/v1/vehicles").await.outcome(), "200");
}

#[actix_web::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let server = TestServer::start_with(&[("server.read_timeout", "30s")]).await;
    let announced = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                     Content-Length: 2000000000\r\n\r\n";
    let answer = said_to(server.address(), announced).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// The beginning of what the server says to a request of these bytes, within 10 s.
async fn said_to(address: &str, request: &'static str) -> String {
    let address = address.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 1024];
        let length = socket.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    });
    asking.await.unwrap()
}

#[actix_web::test]
async fn a_client_that_never_finishes_its_request_is_let_go() {
    let server = TestServer::start_with(&[("server.read_timeout", "300ms")]).await;
    for started in [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
    ] {
        let answer = said_to(server.address(), started).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[cfg(not(feature = "chaos"))]
#[actix_web::test]
async fn a_server_that_is_not_built_for_it_cannot_be_broken_on_purpose() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for path in ["panic", "freeze"] {
        let break_it = json!({ "actor": "queue-1", "seconds": 1 });
        let reply = admin.post(&format!("/api/v1/admin/_chaos/{path}"), break_it).await;
        check(&reply, "404 NOT_FOUND");
    }
    assert!(!admin.get("/openapi.json").await.text.contains("chaos"));
}
