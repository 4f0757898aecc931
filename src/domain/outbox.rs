//! What must reach others: the messages that a weighing leaves behind, each under a key that survives a restored database.

use chrono::SecondsFormat;
use serde_json::{Value, json};
use uuid::Uuid;
use weighbridge_protocol::{CycleId, Kilograms, kilograms::json_number};

use super::weighing::ledger::Record;

/// The namespace of the idempotency keys (a UUID drawn once for this product).
const KEYS: Uuid = Uuid::from_u128(0x2f0c_7a1e_93d4_4b5b_8a66_51c3_7d19_e0f4);

/// Where a message goes and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A completed weighing, for the customer's ERP.
    ErpComplete,
    /// A completed record was voided.
    ErpVoid,
    /// A driver's phone: your slip is there.
    PushCompleted,
    /// A driver's phone: drive on now.
    PushCalled,
    /// A driver's phone: your call was taken back.
    PushWithdrawn,
    /// A text message: your account of the app.
    SmsWelcome,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErpComplete => "ERP_COMPLETE",
            Self::ErpVoid => "ERP_VOID",
            Self::PushCompleted => "PUSH_COMPLETED",
            Self::PushCalled => "PUSH_CALLED",
            Self::PushWithdrawn => "PUSH_WITHDRAWN",
            Self::SmsWelcome => "SMS_WELCOME",
        }
    }
}

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub kind: Kind,
    pub idempotency_key: Uuid,
    /// Messages of one key arrive in order: the first slip number of a weighing and its corrections.
    pub aggregate_key: String,
    pub payload: Value,
}

/// What names a completion for ever: the cycle of the completing capture, or the random key of a manual record.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    Cycle(CycleId),
    Manual(Uuid),
}

/// The key under which the receiver applies a message once. `revision` counts from 1 the records which that capture completed.
pub fn idempotency_key(origin: Origin, revision: i32, kind: Kind) -> Uuid {
    let origin = match origin {
        Origin::Cycle(cycle) => cycle.to_string(),
        Origin::Manual(key) => key.simple().to_string(),
    };
    key_of(&format!("{origin}:{revision}:{}", kind.name()))
}

/// The key of what has this name; the same name has the same key for ever.
pub fn key_of(name: &str) -> Uuid {
    Uuid::new_v5(&KEYS, name.as_bytes())
}

/// The messages of a completed weighing: to ERP, and to the driver's phone where there is a driver.
pub fn completion(record_id: i64, record: &Record, origin: Origin, first_slip: &str) -> Vec<Message> {
    let message = |kind: Kind| Message {
        kind,
        idempotency_key: idempotency_key(origin, record.revision, kind),
        aggregate_key: first_slip.to_owned(),
        payload: payload(record_id, record),
    };
    let mut messages = vec![message(Kind::ErpComplete)];
    if record.driver_id.is_some() {
        messages.push(message(Kind::PushCompleted));
    }
    messages
}

/// The message that a completed weighing does not count: to ERP, which was told of it before.
pub fn voiding(record_id: i64, record: &Record, origin: Origin, first_slip: &str, reason: &str) -> Message {
    let mut payload = payload(record_id, record);
    if let Value::Object(fields) = &mut payload {
        fields.insert("void_reason".to_owned(), reason.into());
    }
    Message {
        kind: Kind::ErpVoid,
        idempotency_key: idempotency_key(origin, record.revision, Kind::ErpVoid),
        aggregate_key: first_slip.to_owned(),
        payload,
    }
}

fn payload(record_id: i64, record: &Record) -> Value {
    let kg = |weight: Option<Kilograms>| weight.map(json_number::number);
    let weights = record.weights;
    json!({
        "record_id": record_id,
        "slip_number": record.slip.as_ref().map(ToString::to_string),
        "revision": record.revision,
        "station_id": record.station_id,
        "vehicle_id": record.vehicle_id,
        "driver_id": record.driver_id,
        "product_id": record.product_id,
        "customer_id": record.customer_id,
        "direction": record.direction,
        "gross_kg": kg(weights.map(|weights| weights.gross)),
        "tare_kg": kg(weights.map(|weights| weights.tare)),
        "net_kg": kg(weights.map(|weights| weights.net)),
        "weighed_at": record.weighed_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_cycle_revision_and_kind_alone() {
        let cycle = Origin::Cycle(CycleId::from_bits(7));
        let key = idempotency_key(cycle, 1, Kind::ErpComplete);
        assert_eq!(key, idempotency_key(cycle, 1, Kind::ErpComplete));
        assert_ne!(key, idempotency_key(cycle, 2, Kind::ErpComplete));
        assert_ne!(key, idempotency_key(cycle, 1, Kind::ErpVoid));
        assert_ne!(
            key,
            idempotency_key(Origin::Cycle(CycleId::from_bits(8)), 1, Kind::ErpComplete)
        );
    }
}
