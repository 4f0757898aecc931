//! What an edge is told of a weighing, keeps beside its event, and brings back should the server's database be restored.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Kilograms;

/// What became of an event at the server. No hash covers it; each text in it is as short as what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slip_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<i64>,
    /// `IN` or `OUT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_plate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_name: Option<String>,
    /// Which pass of its record the weight was. None from a server that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<WhichPass>,
    /// The three weights of the record, once it is complete. None from a server that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gross: Option<Kilograms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tare: Option<Kilograms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Kilograms>,
    /// Which database gave it; at any other it is none. None from a server that did not say, which every one believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Uuid>,
}

/// Which pass of its record a weight was, by the order of their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichPass {
    /// With it alone the record was complete, against a registered tare.
    Only,
    First,
    Second,
    /// A newer server knows.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_reads_back_and_what_older_and_newer_servers_say_is_read_as_well() {
        let told = r#"{"slip_number":"WR20260125001","record_id":9,"pass":"second","gross":"25000.00","tare":"9000.00","net":"16000.00"}"#;
        let receipt: Receipt = serde_json::from_str(told).unwrap();
        assert_eq!(receipt.net, Some(Kilograms::from_whole(16_000)));
        assert_eq!(serde_json::to_string(&receipt).unwrap(), told);
        let older: Receipt = serde_json::from_str(r#"{"record_id":9}"#).unwrap();
        assert_eq!((older.pass, older.net), (None, None));
        let newer: Receipt = serde_json::from_str(r#"{"record_id":9,"pass":"third","axles":3}"#).unwrap();
        assert_eq!(newer.pass, Some(WhichPass::Other));
    }
}
