//! What staff see of what is owed, and decide on what cannot be delivered.

use serde_json::json;

use crate::support::{server::Client, site::Site};

const OWED: &str = "INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload, state, attempts, last_error, settled_at) VALUES \
    ('ERP_COMPLETE', gen_random_uuid(), 'WR20260125001', '{\"secret\":1}', 'DEAD', 25, '422: no such product', NULL), \
    ('ERP_VOID', gen_random_uuid(), 'WR20260125001', '{}', 'PENDING', 0, NULL, NULL), \
    ('SMS_WELCOME', gen_random_uuid(), 'driver 1', '{}', 'SENT', 1, NULL, now())";

#[actix_rt::test]
async fn what_is_owed_is_listed_and_found_and_does_not_show_what_it_says() {
    let site = Site::new().await;
    site.execute(OWED).await;
    let all = site.get("/admin/outbox").await.done();
    assert_eq!(all["pagination"]["total"], 3);
    assert_eq!(all["items"][2]["last_error"], "422: no such product");
    assert!(!all.to_string().contains("secret"));
    for (query, total) in [
        ("state=DEAD", 1),
        ("destination=ERP", 2),
        ("kind=SMS_WELCOME", 1),
        ("aggregate_key=WR20260125001", 2),
    ] {
        let found = site.get(&format!("/admin/outbox?{query}")).await.done();
        assert_eq!(found["pagination"]["total"], total, "{query}");
    }
    for (query, refusal) in [
        ("state=LOST", "400 VALIDATION_FAILED state INVALID_FORMAT"),
        ("destination=MARS", "400 VALIDATION_FAILED destination INVALID_FORMAT"),
        ("kind=a%00b", "400 VALIDATION_FAILED kind INVALID_FORMAT"),
        ("limit=101", "400 VALIDATION_FAILED limit OUT_OF_RANGE"),
    ] {
        assert_eq!(site.get(&format!("/admin/outbox?{query}")).await.failure(), refusal);
    }
}

#[actix_rt::test]
async fn a_dead_message_is_retried_or_discarded_by_an_administrator_and_written_down() {
    let site = Site::new().await;
    site.execute(OWED).await;
    site.execute(
        "UPDATE outbox SET first_attempt_at = now() - interval '4 d', payload = payload || '{\"sealed\": \"010\"}' WHERE id <= 2",
    )
    .await;
    let retried = site
        .post("/admin/outbox/1/retry", json!({ "reason": "품목 등록" }))
        .await
        .done();
    assert_eq!(
        (&retried["state"], &retried["attempts"]),
        (&json!("PENDING"), &json!(0))
    );
    let discarded = site
        .post("/admin/outbox/2/discard", json!({ "reason": "중복" }))
        .await
        .done();
    assert_eq!(discarded["state"], "DISCARDED");
    let begun = "SELECT count(*) FROM outbox WHERE id = 1 AND first_attempt_at IS NULL AND payload ? 'sealed'";
    assert_eq!(site.count(begun).await, 1, "with all its time before it");
    let wiped = "SELECT count(*) FROM outbox WHERE id = 2 AND NOT payload ? 'sealed'";
    assert_eq!(site.count(wiped).await, 1, "what was sealed is gone with it");
    for (path, outcome) in [
        ("/admin/outbox/2/retry", "409 INVALID_STATE"),
        ("/admin/outbox/3/discard", "409 INVALID_STATE"),
        ("/admin/outbox/99/retry", "404 NOT_FOUND"),
    ] {
        assert_eq!(site.post(path, json!({})).await.outcome(), outcome, "{path}");
    }
    let audited = "SELECT string_agg(actor || ' ' || action || ' ' || subject || ' ' || (after->>'reason'), ', ' ORDER BY id) \
        FROM v_audit WHERE action LIKE 'outbox.%'";
    let audited: String = site.connect().await.query_one(audited, &[]).await.unwrap().get(0);
    assert_eq!(
        audited,
        "admin outbox.retry outbox 1 품목 등록, admin outbox.discard outbox 2 중복"
    );
}

#[actix_rt::test]
async fn deciding_is_for_administrators() {
    let site = Site::new().await;
    site.execute(OWED).await;
    site.execute(
        "INSERT INTO app_user (login_id, password_hash, name, role) SELECT 'kim', password_hash, 'kim', 'STAFF' FROM app_user WHERE login_id = 'admin'",
    )
    .await;
    let staff = Client::of(site.address())
        .sign_in("kim", crate::support::server::PASSWORD)
        .await;
    assert_eq!(staff.get("/api/v1/admin/outbox").await.outcome(), "403 FORBIDDEN");
    for decision in ["retry", "discard"] {
        let path = format!("/api/v1/admin/outbox/1/{decision}");
        assert_eq!(staff.post(&path, json!({})).await.outcome(), "403 FORBIDDEN");
    }
    assert_eq!(site.count("SELECT count(*) FROM outbox WHERE state = 'DEAD'").await, 1);
}
