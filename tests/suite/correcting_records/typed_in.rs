//! What was typed in by hand is corrected like what was weighed, and stays what it is.

use serde_json::json;
use weighbridge::domain::outbox::{Kind, Origin, idempotency_key};

use super::{correct, weighed};

/// Typed in by hand, of which the ERP was never told; and staff should look at it.
#[tokio::test]
async fn what_was_typed_in_stays_so_and_names_its_messages_by_its_own_key() {
    let (site, truck, _) = weighed().await;
    site.execute(&format!(
        "UPDATE slip_counter SET last_number = 2; \
         INSERT INTO weigh_record (id, site_id, station_id, vehicle_id, gross_weight, tare_weight, net_weight, slip_number, weighed_at, \
           status, manual, manual_reason, manual_key, needs_review, review_reason) \
         SELECT 50, 1, {}, {}, 20000, 9000, 11000, left(slip_number, -3) || '002', weighed_at, 'COMPLETED', TRUE, '지시계 고장', \
           'b8e2a1f4-0d3c-4a52-9c61-7d1e5f2a3b4c', TRUE, 'MOVED' FROM weigh_record; \
         INSERT INTO slip (slip_number, site_id, day, number, record_id) \
         SELECT left(slip_number, -3) || '002', site_id, day, 2, 50 FROM slip",
        site.stations[0], truck.vehicle
    ))
    .await;
    let other = site.truck("34나5678").await;
    let first = correct(&site, 50, json!({ "reason": "다른 차량", "vehicle_id": other.vehicle }))
        .await
        .done();
    for (name, expected) in [
        ("manual", json!(true)),
        ("manual_reason", json!("지시계 고장")),
        ("tare_weight", json!(9000)),
        ("needs_review", json!(true)),
        ("review_reason", json!("MOVED")),
    ] {
        assert_eq!(first[name], expected, "{name}");
    }
    correct(
        &site,
        first["id"].as_i64().unwrap(),
        json!({ "reason": "품목", "product_id": 1 }),
    )
    .await
    .done();
    // What the ERP never knew is not taken back from it, nor replaced.
    let own = "SELECT string_agg(concat_ws(' ', kind, right(payload->>'slip_number', 3), right(payload->>'replaces', 3), \
                 payload->>'manual', payload->>'revision'), ', ' ORDER BY id) \
               FROM outbox WHERE destination = 'ERP' AND right(payload->>'slip_number', 3) <> '001'";
    assert_eq!(
        site.text(own).await,
        "ERP_COMPLETE 003 true 2, ERP_VOID 003 2, ERP_COMPLETE 004 003 true 3"
    );
    let key = idempotency_key(
        Origin::Manual("b8e2a1f4-0d3c-4a52-9c61-7d1e5f2a3b4c".parse().unwrap()),
        3,
        Kind::ErpComplete,
    );
    let keyed = format!("SELECT count(*) FROM outbox WHERE idempotency_key = '{key}' AND aggregate_key LIKE '%002'");
    assert_eq!(site.count(&keyed).await, 1);
}
