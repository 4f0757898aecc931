//! Slips that are owed to an ERP, written past the server, and a wait for what becomes of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No limit of the product: what hangs is to fail by itself.
const WITHIN: Duration = Duration::from_mins(5);

/// Asks until the query's number is this.
pub async fn until(client: &tokio_postgres::Client, query: &str, expected: i64) {
    until_within(client, query, expected, WITHIN).await;
}

/// The same, with more patience.
pub async fn until_within(client: &tokio_postgres::Client, query: &str, expected: i64, within: Duration) {
    let deadline = Instant::now() + within;
    loop {
        let found: i64 = client.query_one(query, &[]).await.unwrap().get(0);
        if found == expected {
            return;
        }
        if Instant::now() > deadline {
            let told =
                "SELECT coalesce(string_agg(DISTINCT state || ' ' || coalesce(last_error, ''), ' | '), '') FROM outbox";
            let told: String = client.query_one(told, &[]).await.unwrap().get(0);
            panic!("{found}, expected {expected}: {query}; {told}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// `WR20260125007`
pub fn slip(number: usize) -> String {
    format!("WR20260125{number:03}")
}

/// The statement that owes a completion.
pub fn row(slip_number: &str, revision: usize, replaces: Option<&str>, first: &str) -> String {
    let payload = json!({
        "record_id": 1, "site_id": 1, "day": "2026-01-25", "slip_number": slip_number, "revision": revision,
        "replaces": replaces, "weighed_at": "2026-01-25T05:30:00.000Z", "station_id": 1, "station_name": "1",
        "vehicle_id": 1, "vehicle_plate": "12가3456", "driver_id": null, "driver_name": null, "company_name": null,
        "product_id": null, "product_code": "P1", "product_name": null, "customer_id": null, "customer_code": null,
        "customer_name": null, "direction": "OUT", "gross_kg": "15990.5", "tare_kg": "10000", "net_kg": "5990.5",
        "first_weighed_at": null, "second_weighed_at": null, "manual": false,
    });
    insert("ERP_COMPLETE", first, &payload)
}

/// The statement that owes a void.
pub fn void_row(slip_number: &str, revision: usize, first: &str) -> String {
    let payload = json!({
        "record_id": 1, "site_id": 1, "day": "2026-01-25", "slip_number": slip_number, "revision": revision,
        "weighed_at": "2026-01-25T05:30:00.000Z", "voided_at": "2026-01-25T06:30:00.000Z", "reason": "정정",
        "product_code": "P1", "customer_code": null, "direction": "OUT", "gross_kg": "15990.5", "tare_kg": "10000", "net_kg": "5990.5",
    });
    insert("ERP_VOID", first, &payload)
}

/// Days to close, the first of them so long ago; a close takes its time, so that its leader can fall in the middle of one.
pub async fn owe_days(client: &tokio_postgres::Client, days: i64, each_takes: Duration) {
    let slowly = format!(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({}); RETURN NULL; END $$; \
         CREATE TRIGGER slowly AFTER INSERT ON day_close FOR EACH ROW EXECUTE FUNCTION slowly()",
        each_takes.as_secs_f64()
    );
    client.batch_execute(&slowly).await.unwrap();
    client.batch_execute(&row(&slip(1), 1, None, &slip(1))).await.unwrap();
    let first = format!(
        "UPDATE outbox SET payload = payload || jsonb_build_object('day', \
         ((now() - interval '30 minutes') AT TIME ZONE 'Asia/Seoul')::date - {days})"
    );
    client.batch_execute(&first).await.unwrap();
    // The site is old enough.
    let old = format!("UPDATE site SET created_at = now() - interval '1 day' * {days}");
    client.batch_execute(&old).await.unwrap();
}

fn insert(kind: &str, first: &str, payload: &Value) -> String {
    format!(
        "INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload) VALUES ('{kind}', gen_random_uuid(), '{first}', '{payload}');"
    )
}
