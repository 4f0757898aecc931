//! What a message must say: every field of the contract and no other, and weights that add up.

use serde_json::Value;
use weighbridge_protocol::Kilograms;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Weighing,
    Void,
    Close,
}

/// `?` behind a name: it may be null.
const WEIGHING: [&str; 27] = [
    "record_id",
    "site_id",
    "day",
    "slip_number",
    "revision",
    "replaces?",
    "weighed_at",
    "station_id",
    "station_name",
    "vehicle_id",
    "vehicle_plate",
    "driver_id?",
    "driver_name?",
    "company_name?",
    "product_id?",
    "product_code?",
    "product_name?",
    "customer_id?",
    "customer_code?",
    "customer_name?",
    "direction?",
    "gross_kg",
    "tare_kg",
    "net_kg",
    "first_weighed_at?",
    "second_weighed_at?",
    "manual",
];
const VOID: [&str; 13] = [
    "record_id",
    "site_id",
    "day",
    "slip_number",
    "revision",
    "weighed_at",
    "voided_at",
    "reason",
    "product_code?",
    "customer_code?",
    "gross_kg",
    "tare_kg",
    "net_kg",
];
const CLOSE: [&str; 4] = ["site_id", "day", "totals", "late"];

impl Subject {
    /// What is wrong with a body; none where nothing is.
    pub fn complaint(self, body: &Value) -> Option<String> {
        let Some(fields) = body.as_object() else {
            return Some("no JSON object".to_owned());
        };
        let known: &[&str] = match self {
            Self::Weighing => &WEIGHING,
            Self::Void => &VOID,
            Self::Close => &CLOSE,
        };
        for name in known {
            let (plain, may_be_null) = name.strip_suffix('?').map_or((*name, false), |plain| (plain, true));
            match fields.get(plain) {
                None => return Some(format!("{plain} is missing")),
                Some(Value::Null) if !may_be_null => return Some(format!("{plain} is null")),
                Some(_) => {}
            }
        }
        if self != Self::Void
            && let Some(more) = fields
                .keys()
                .find(|key| !known.iter().any(|name| name.trim_end_matches('?') == *key))
        {
            return Some(format!("{more} is not known"));
        }
        if self == Self::Close {
            return None;
        }
        // A decimal in a text, which no reader takes for floating point.
        let kg = |name: &str| body[name].as_str()?.parse::<Kilograms>().ok();
        match (kg("gross_kg"), kg("tare_kg"), kg("net_kg")) {
            (Some(gross), Some(tare), Some(net)) if gross.hundredths() - tare.hundredths() == net.hundredths() => None,
            _ => Some("gross_kg less tare_kg is not net_kg".to_owned()),
        }
    }
}
