//! `weighbridge-sim erp` as a process of its own, a server that speaks to it, and slips that are owed to it.

use std::{fmt::Write, ops::RangeInclusive};

use serde_json::Value;

use crate::support::{
    owed::{row, slip, until},
    site::Site,
    stand_in::StandIn,
};

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

    /// The first lines of which this is true, once there are so many.
    pub async fn lines(&self, count: usize, matching: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.0.got(count, matching).await
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

/// Owes the ERP slips of these numbers, a weighing each.
pub async fn owe_slips(site: &Site, numbers: RangeInclusive<usize>) {
    let rows = numbers.fold(String::new(), |mut rows, number| {
        write!(rows, "{}", row(&slip(number), 1, None, &slip(number))).unwrap();
        rows
    });
    // The site is older than what is owed.
    site.execute(&format!("UPDATE site SET created_at = '2026-01-01'; {rows}"))
        .await;
}
