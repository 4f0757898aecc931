//! The API document is what clients believe, so a change of it is a change one sees: `UPDATE_EXPECT=1` writes the snapshot
//! anew.

use expect_test::expect_file;
use serde_json::Value;

use crate::support::server::TestServer;

#[test]
fn the_document_is_the_one_that_clients_know() {
    let document = weighbridge::http::document().to_pretty_json().unwrap();
    expect_file!["snapshots/openapi.json"].assert_eq(&document);
}

#[actix_web::test]
async fn every_route_but_the_open_ones_asks_who_is_there() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let document: Value = serde_json::to_value(weighbridge::http::document()).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let open = operation["security"][0] == serde_json::json!({});
            // Whoever asks for a WebSocket in the wrong way is told that first; `watching_live` asks in the right one.
            if open || path == "/api/v1/ws" {
                continue;
            }
            let method = method.to_uppercase().parse().unwrap();
            let path = path
                .replace("{id}", "1")
                .replace("{key_id}", "1")
                .replace("{name}", "root");
            let request = stranger.request(method, &path).json(&serde_json::json!({}));
            let reply = stranger.send(request).await;
            assert_eq!(reply.status, 401, "{path}: {}", reply.text);
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked} routes");
}
