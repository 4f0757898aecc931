//! OB-01 to OB-10: what is owed to ERP and phones arrives, once in its effect, whatever happens to servers and receivers.
//!
//! Everyday sizes of these are in `tests/suite` (`syncing_erp`, `delivering`, `reaching_phones`), so T1 leaves them out here.
//!
//! - [`erp`]: an ERP that fails in every way
//! - [`nodes`]: two servers on one database, killed, stopped and cut off
//! - [`phones`]: calls that are taken back at once, and what FCM answers

mod erp;
mod nodes;
mod phones;

use std::{ops::RangeInclusive, time::Duration};

use serde_json::Value;
use tokio_postgres::Client;

use crate::{
    frame::{Case, Size},
    support::{
        owed::{row, slip, until_within},
        stand_in::StandIn,
    },
};

const SENT: &str = "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE' AND state = 'SENT'";
/// What the longest of these cases may take until all has arrived.
const PATIENCE: Duration = Duration::from_mins(15);
/// Pauses of milliseconds, where the product has seconds: a case is to make many attempts.
const HASTE: [(&str, &str); 4] = [
    ("delivery.look_every", "100ms"),
    ("delivery.first_pause", "5ms"),
    ("delivery.longest_pause", "40ms"),
    ("delivery.breaker_rest", "20ms"),
];

/// None at T1.
async fn begin(id: &str) -> Option<Case> {
    let case = Case::begin(id).await;
    if case.size == Size::T1 {
        case.left_out("its everyday size is in tests/suite");
        return None;
    }
    Some(case)
}

/// The settings of a server that speaks to this ERP.
fn settings_of(erp: &StandIn) -> Vec<(&'static str, String)> {
    vec![
        ("erp.base_url", erp.url()),
        ("erp.token_url", format!("{}/oauth/token", erp.url())),
        ("erp.client_id", "stand-in".to_owned()),
        ("erp.client_secret", "stand-in-secret".to_owned()),
    ]
}

fn all<'a>(own: &'a [(&'static str, String)], more: &[&[(&'a str, &'a str)]]) -> Vec<(&'a str, &'a str)> {
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    own.chain(more.concat()).collect()
}

/// Owes the ERP slips of these numbers.
async fn owe(client: &Client, numbers: RangeInclusive<usize>) {
    let rows: String = numbers
        .map(|number| row(&slip(number), 1, None, &slip(number)))
        .collect();
    client.batch_execute(&rows).await.unwrap();
}

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

async fn until(client: &Client, query: &str, expected: i64) {
    until_within(client, query, expected, PATIENCE).await;
}

/// The ERP has applied so many, and got nothing under a key that stood for something else.
async fn applied_once(case: &mut Case, erp: &StandIn, subject: &str, expected: usize) {
    let book = erp.all(|line| line["note"]["subject"] == subject).await;
    let effects = |effect: &str| book.iter().filter(|line| line["note"]["effect"] == effect).count();
    assert_eq!(
        (
            effects("applied"),
            effects("mismatch"),
            effects("twice"),
            effects("out of order")
        ),
        (expected, 0, 0, 0)
    );
    case.did("messages arrived", expected);
    case.did("repetitions", effects("repeated"));
}

fn at(line: &Value) -> chrono::DateTime<chrono::Utc> {
    line["at"].as_str().unwrap().parse().unwrap()
}
