//! An edge proves itself by its key before its link opens.

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::support::site::Site;

const PATH: &str = "/edge/link";

type Link = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A link that has said hello, and what the server said to it; or the status by which the server refuses it.
async fn link(site: &Site, key: &str) -> Result<(Link, Value), u16> {
    let address = format!("ws://{}/api/v1{PATH}", site.address());
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("x-api-key", key.parse().unwrap());
    let (mut link, _) = match connect_async(request).await {
        Ok(opened) => opened,
        Err(Error::Http(refusal)) => return Err(refusal.status().as_u16()),
        Err(error) => panic!("{error}"),
    };
    let hello = json!({
        "type": "hello", "protocol": 1, "version": "test", "epochs": [],
        "stations": [{ "station_id": site.stations[0], "protocol": "cas22" }, { "station_id": 999, "protocol": "cas22" }],
        "clock": { "wall": "2026-01-25T14:30:00+09:00", "mono_ms": 1, "boot": "00000000-0000-0000-0000-000000000007" },
    });
    say(&mut link, &hello).await;
    let welcome = hear(&mut link, "welcome").await;
    Ok((link, welcome))
}

async fn say(link: &mut Link, message: &Value) {
    link.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message of this type.
async fn hear(link: &mut Link, wanted: &str) -> Value {
    loop {
        let said = link.next().await.unwrap().unwrap();
        let said: Value = serde_json::from_str(said.to_text().unwrap()).unwrap();
        if said["type"] == wanted {
            return said;
        }
    }
}

/// The code with which the server closes.
async fn closed(link: &mut Link) -> u16 {
    loop {
        if let Message::Close(frame) = link.next().await.unwrap().unwrap() {
            return frame.unwrap().code.into();
        }
    }
}

/// How the server refuses a link.
async fn refusal(site: &Site, key: &str) -> u16 {
    match link(site, key).await {
        Ok(_) => panic!("the link is open"),
        Err(status) => status,
    }
}

#[tokio::test]
async fn an_edge_with_its_key_is_welcomed_as_that_edge() {
    let site = Site::new().await;
    let (_link, welcome) = link(&site, &site.key).await.unwrap();
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
    assert_eq!(refusal(&site, "wbk_1_nonsense").await, 401);
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
    assert!(link(&site, second).await.is_ok());
    let (mut opened, _) = link(&site, &site.key).await.unwrap();
    site.delete(&format!("/edges/{edge}/keys/{first}")).await.done();
    assert_eq!(closed(&mut opened).await, 1012, "what the key opened ends with it");
    assert_eq!(refusal(&site, &site.key).await, 401);
    assert!(link(&site, second).await.is_ok());
}

#[tokio::test]
async fn an_edge_that_is_taken_out_of_use_is_told_so() {
    let site = Site::new().await;
    let edge = site.get("/edges").await.done()["items"][0]["id"].clone();
    let (mut opened, _) = link(&site, &site.key).await.unwrap();
    site.delete(&format!("/edges/{edge}")).await.done();
    assert_eq!(closed(&mut opened).await, 4403);
    assert_eq!(refusal(&site, &site.key).await, 401);
}

#[tokio::test]
async fn an_edge_comes_from_its_networks_alone() {
    let site = Site::new().await;
    site.execute("UPDATE edge_gateway SET allowed_addresses = '{10.0.0.0/8}'")
        .await;
    assert_eq!(refusal(&site, &site.key).await, 401);
    site.execute("UPDATE edge_gateway SET allowed_addresses = '{10.0.0.0/8,127.0.0.1}'")
        .await;
    assert!(link(&site, &site.key).await.is_ok());
}

#[tokio::test]
async fn who_guesses_keys_has_to_wait() {
    let site = Site::new().await;
    for _ in 0..10 {
        assert_eq!(refusal(&site, "wbk_1_guess").await, 401);
    }
    let eleventh = site.ask_as(&[], Method::GET, PATH, &Value::Null).await;
    assert_eq!(eleventh.outcome(), "429 RATE_LIMITED");
    assert!(eleventh.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_scale_is_rearmed_by_the_edge_that_is_linked() {
    let site = Site::new().await;
    let (mut link, _) = link(&site, &site.key).await.unwrap();
    let (path, reason) = (
        format!("/stations/{}/rearm", site.stations[0]),
        json!({ "reason": "돌이 있음" }),
    );
    for (ok, expected) in [(true, "200"), (false, "409 INVALID_STATE")] {
        let edge = async {
            let command = hear(&mut link, "command").await;
            assert_eq!(
                (&command["action"], &command["reason"]),
                (&json!("rearm"), &reason["reason"])
            );
            say(&mut link, &json!({ "type": "done", "id": command["id"], "ok": ok })).await;
        };
        let (asked, ()) = tokio::join!(site.post(&path, reason.clone()), edge);
        assert_eq!(asked.outcome(), expected);
    }
    let audited = "SELECT count(*) FROM v_audit WHERE action = 'station.rearm' AND after->>'reason' = '돌이 있음'";
    assert_eq!(site.count(audited).await, 1, "what was refused was not done");
}
