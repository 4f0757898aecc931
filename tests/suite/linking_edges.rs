//! An edge proves itself by its key before its link opens.

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::support::site::Site;

const PATH: &str = "/edge/link";

/// What the server says to a hello, or the status by which it refuses the link.
async fn link(site: &Site, key: &str) -> Result<Value, u16> {
    let address = format!("ws://{}/api/v1{PATH}", site.address());
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("x-api-key", key.parse().unwrap());
    let (mut socket, _) = match connect_async(request).await {
        Ok(opened) => opened,
        Err(Error::Http(refusal)) => return Err(refusal.status().as_u16()),
        Err(error) => panic!("{error}"),
    };
    let hello = json!({
        "type": "hello", "protocol": 1, "version": "test", "epochs": [],
        "stations": [{ "station_id": site.stations[0], "protocol": "cas22" }, { "station_id": 999, "protocol": "cas22" }],
        "clock": { "wall": "2026-01-25T14:30:00+09:00", "mono_ms": 1, "boot": "00000000-0000-0000-0000-000000000007" },
    });
    socket.send(Message::text(hello.to_string())).await.unwrap();
    let said = socket.next().await.unwrap().unwrap();
    Ok(serde_json::from_str(said.to_text().unwrap()).unwrap())
}

#[tokio::test]
async fn an_edge_with_its_key_is_welcomed_as_that_edge() {
    let site = Site::new().await;
    let welcome = link(&site, &site.key).await.unwrap();
    assert_eq!(
        (&welcome["type"], &welcome["edge"]["name"]),
        (&json!("welcome"), &json!("gate"))
    );
    assert_eq!(welcome["stations"][0]["station_id"], site.stations[0]);
    assert_eq!(welcome["stations"][0]["capture"]["dwell_ms"], 100);
    assert_eq!(welcome["unknown"], json!([999]));
}

#[tokio::test]
async fn without_a_right_key_there_is_no_link() {
    let site = Site::new().await;
    assert_eq!(link(&site, "wbk_1_nonsense").await.unwrap_err(), 401);
    let keyless = site.ask_as(&[], Method::GET, PATH, &Value::Null).await;
    assert_eq!(keyless.failure(), "401 UNAUTHENTICATED");
    let no_upgrade = site
        .ask_as(&[("x-api-key", &site.key)], Method::GET, PATH, &Value::Null)
        .await;
    assert_eq!(no_upgrade.status, 400, "the key is right, but it asks for no socket");
}

#[tokio::test]
async fn a_key_counts_until_it_is_ended_and_a_second_one_beside_it() {
    let site = Site::new().await;
    let edges = site.get("/edges").await.done();
    let (edge, first) = (
        edges["items"][0]["id"].clone(),
        edges["items"][0]["keys"][0]["id"].clone(),
    );
    let rotated = site.post(&format!("/edges/{edge}/rotate-key"), json!({})).await.done();
    let second = rotated["api_key"].as_str().unwrap();
    assert!(link(&site, &site.key).await.is_ok());
    assert!(link(&site, second).await.is_ok());
    site.delete(&format!("/edges/{edge}/keys/{first}")).await.done();
    assert_eq!(link(&site, &site.key).await.unwrap_err(), 401);
    assert!(link(&site, second).await.is_ok());
}

#[tokio::test]
async fn an_edge_comes_from_its_networks_alone() {
    let site = Site::new().await;
    site.execute("UPDATE edge_gateway SET allowed_addresses = '{10.0.0.0/8}'")
        .await;
    assert_eq!(link(&site, &site.key).await.unwrap_err(), 401);
    site.execute("UPDATE edge_gateway SET allowed_addresses = '{10.0.0.0/8,127.0.0.1}'")
        .await;
    assert!(link(&site, &site.key).await.is_ok());
}

#[tokio::test]
async fn who_guesses_keys_has_to_wait() {
    let site = Site::new().await;
    for _ in 0..10 {
        assert_eq!(link(&site, "wbk_1_guess").await.unwrap_err(), 401);
    }
    let eleventh = site.ask_as(&[], Method::GET, PATH, &Value::Null).await;
    assert_eq!(eleventh.outcome(), "429 RATE_LIMITED");
    assert!(eleventh.headers.contains_key("retry-after"));
}
