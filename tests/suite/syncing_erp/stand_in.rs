//! `weighbridge-sim erp` as a process of its own, a server that speaks to it, and slips that are owed to it.

use std::{
    fmt::Write,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{site::Site, stand_in::StandIn};

const WITHIN: Duration = Duration::from_secs(30);
/// What the stand-in gives its clients unless told otherwise.
pub const CREDENTIALS: [(&str, &str); 2] = [("erp.client_id", "stand-in"), ("erp.client_secret", "stand-in-secret")];

/// The ERP. Dropping it ends it.
#[derive(Debug)]
pub struct ErpProcess(StandIn);

impl ErpProcess {
    pub fn start(arguments: &[&str]) -> Self {
        Self(StandIn::start("erp", arguments))
    }

    /// The settings of a server that speaks to it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("erp.base_url", self.0.url()),
            ("erp.token_url", format!("{}/oauth/token", self.0.url())),
        ];
        settings.extend(CREDENTIALS.map(|(name, value)| (name, value.to_owned())));
        settings
    }

    /// `127.0.0.1:40123`
    pub fn address(&self) -> String {
        self.0.address.clone()
    }

    /// A command to its control port.
    pub fn told(&self, command: &str) {
        self.0.told(command);
    }

    /// Everything that came, a line each.
    pub async fn book(&self) -> Vec<Value> {
        self.0.all(|_| true).await
    }

    /// The lines of what was applied, once there are so many.
    pub async fn applied(&self, count: usize) -> Vec<Value> {
        self.0.got(count, |line| line["note"]["effect"] == "applied").await
    }
}

/// A site whose server reports to the ERP, with pauses of milliseconds.
#[derive(Debug)]
pub struct Office {
    pub site: Site,
}

/// Pauses of milliseconds, where the product has seconds.
pub const HASTE: [(&str, &str); 4] = [
    ("delivery.look_every", "100ms"),
    ("delivery.first_pause", "5ms"),
    ("delivery.longest_pause", "40ms"),
    ("delivery.breaker_rest", "20ms"),
];

impl Office {
    pub async fn start(erp: &ErpProcess, settings: &[(&str, &str)]) -> Self {
        let own = erp.settings();
        let mut all: Vec<(&str, &str)> = HASTE.to_vec();
        all.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
        all.extend(settings);
        Self {
            site: Site::with_settings(1, &all).await,
        }
    }

    /// Asks until the query's number is this.
    pub async fn until(&self, query: &str, expected: i64) {
        until(&self.site.connect().await, query, expected).await;
    }
}

/// Asks until the query's number is this.
pub async fn until(client: &tokio_postgres::Client, query: &str, expected: i64) {
    let deadline = Instant::now() + WITHIN;
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

/// Owes the ERP slips of these numbers, a weighing each.
pub async fn owe_slips(site: &Site, numbers: RangeInclusive<usize>) {
    let rows = numbers.fold(String::new(), |mut rows, number| {
        write!(rows, "{}", row(&slip(number), 1, None, &slip(number))).unwrap();
        rows
    });
    site.execute(&rows).await;
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

fn insert(kind: &str, first: &str, payload: &Value) -> String {
    format!(
        "INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload) VALUES ('{kind}', gen_random_uuid(), '{first}', '{payload}');"
    )
}
