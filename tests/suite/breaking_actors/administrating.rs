//! Who may restart what, how often, and what is written down about it.

use serde_json::{Value, json};

use super::yard::Yard;
use crate::support::server::{Client, PASSWORD, Reply};

async fn restart(client: &Client, actor: &str) -> Reply {
    let path = format!("/api/v1/admin/actors/{actor}/restart");
    client
        .post(&path, json!({ "mode": "kill", "reason": "저울이 멈춤" }))
        .await
}

#[actix_web::test]
async fn a_restart_is_written_down_with_who_what_why_and_both_generations() {
    let yard = Yard::open(1).await;
    let reply = restart(&yard.server.admin, "indicator-1").await;
    let done = reply.data();
    assert_eq!(
        (&done["name"], &done["generation"]),
        (&json!("indicator-1"), &json!(2)),
        "{}",
        reply.text
    );
    let mut notes = notes(&yard, "actor.restart").await;
    let (who, before, mut after) = notes.remove(0);
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(
        (who.as_str(), before),
        ("admin actor indicator-1", json!({ "generation": 1 }))
    );
    let took = after["took_ms"].take();
    assert!(took.is_u64(), "{took}");
    let expected = json!({
        "generation": 2, "restart_id": done["restart_id"], "mode": "kill", "reason": "저울이 멈춤", "took_ms": null,
    });
    assert_eq!(after, expected);
}

#[actix_web::test]
async fn staff_may_not_restart_and_their_attempt_is_written_down() {
    let yard = Yard::open(1).await;
    let (code, said) = yard
        .server
        .command(&["admin", "create", "--login", "staff", "--role", "STAFF"], PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    let staff = Client::of(&yard.server.address).sign_in("staff", PASSWORD).await;
    assert_eq!(restart(&staff, "indicator-1").await.outcome(), "403 FORBIDDEN");
    assert_eq!(yard.server.actor("indicator-1").await.generation, 1);
    let refused = notes(&yard, "actor.restart_refused").await;
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].0.as_str(), &refused[0].2["role"]),
        ("staff actor indicator-1", &json!("STAFF"))
    );
    assert_eq!(staff.get("/api/v1/admin/actors").await.outcome(), "403 FORBIDDEN");
    let stranger = Client::of(&yard.server.address);
    assert_eq!(restart(&stranger, "indicator-1").await.outcome(), "401 UNAUTHENTICATED");
}

#[actix_web::test]
async fn who_is_unknown_is_not_found_and_supervisors_are_left_alone() {
    let yard = Yard::open(1).await;
    assert_eq!(
        restart(&yard.server.admin, "indicator-99").await.outcome(),
        "404 NOT_FOUND"
    );
    for supervisor in ["root", "stations", "links", "delivery", "sessions"] {
        assert_eq!(
            restart(&yard.server.admin, supervisor).await.outcome(),
            "403 FORBIDDEN",
            "{supervisor}"
        );
    }
}

#[actix_web::test]
async fn the_eleventh_restart_within_a_minute_has_to_wait() {
    let yard = Yard::open(2).await;
    for _ in 0..10 {
        assert_eq!(restart(&yard.server.admin, "indicator-1").await.outcome(), "200");
    }
    let refused = restart(&yard.server.admin, "indicator-1").await;
    assert_eq!(refused.outcome(), "429 RATE_LIMITED");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(restart(&yard.server.admin, "indicator-2").await.outcome(), "200");
    assert_eq!(yard.server.actor("indicator-1").await.generation, 11);
}

/// Who and to what, before, and after.
async fn notes(yard: &Yard, action: &str) -> Vec<(String, Value, Value)> {
    let query = "SELECT actor || ' ' || subject, before::text, after::text FROM v_audit WHERE action = $1 ORDER BY id";
    let client = yard.server.database.connect().await;
    let rows = client.query(query, &[&action]).await.unwrap();
    let read = |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    rows.iter()
        .map(|row| (row.get(0), read(row.get(1)), read(row.get(2))))
        .collect()
}
