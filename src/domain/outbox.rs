//! What must reach others: the messages that a weighing leaves behind, each under a key that survives a restored database.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;
use weighbridge_protocol::{CycleId, Kilograms, kilograms::json_number};

use super::{
    slip::SlipNumber,
    weighing::ledger::{Pass, Record},
};

/// The namespace of the idempotency keys (a UUID drawn once for this product).
const KEYS: Uuid = Uuid::from_u128(0x2f0c_7a1e_93d4_4b5b_8a66_51c3_7d19_e0f4);

/// Where a message goes and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A completed weighing, for the customer's ERP.
    ErpComplete,
    /// A completed record was voided.
    ErpVoid,
    /// A day's totals, for the customer's ERP.
    ErpClose,
    /// A driver's phone: your slip is there.
    PushCompleted,
    /// A driver's phone: your slip is another by now.
    PushCorrected,
    /// A driver's phone: a slip is not yours any more.
    PushRevoked,
    /// A driver's phone: drive on now.
    PushCalled,
    /// A driver's phone: your call was taken back.
    PushWithdrawn,
    /// A text message: your account of the app.
    SmsWelcome,
    /// A slip that a driver shares, by each of three ways.
    SmsSlip,
    KakaoSlip,
    EmailSlip,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::ErpComplete,
        Self::ErpVoid,
        Self::ErpClose,
        Self::PushCompleted,
        Self::PushCorrected,
        Self::PushRevoked,
        Self::PushCalled,
        Self::PushWithdrawn,
        Self::SmsWelcome,
        Self::SmsSlip,
        Self::KakaoSlip,
        Self::EmailSlip,
    ];

    /// By the name that a row has; none of a version that is not known here.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::ErpComplete => "ERP_COMPLETE",
            Self::ErpVoid => "ERP_VOID",
            Self::ErpClose => "ERP_CLOSE",
            Self::PushCompleted => "PUSH_COMPLETED",
            Self::PushCorrected => "PUSH_CORRECTED",
            Self::PushRevoked => "PUSH_REVOKED",
            Self::PushCalled => "PUSH_CALLED",
            Self::PushWithdrawn => "PUSH_WITHDRAWN",
            Self::SmsWelcome => "SMS_WELCOME",
            Self::SmsSlip => "SMS_SLIP",
            Self::KakaoSlip => "KAKAO_SLIP",
            Self::EmailSlip => "EMAIL_SLIP",
        }
    }
}

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub kind: Kind,
    pub idempotency_key: Uuid,
    /// Messages of one key arrive in order: those of one slip, for example.
    pub aggregate_key: String,
    pub payload: Value,
}

/// Names and codes of what a weighing is about, as they were when it completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub station: String,
    pub plate: String,
    pub company: Option<String>,
    pub driver: Option<String>,
    /// Code and name.
    pub product: (Option<String>, Option<String>),
    pub customer: (Option<String>, Option<String>),
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

/// The key of a day's close.
pub fn close_key(site_id: i64, day: NaiveDate) -> Uuid {
    key_of(&format!("close:{site_id}:{day}"))
}

/// The messages of a completed weighing: to ERP, and to the driver's phone where there is a driver.
pub fn completion(record_id: i64, record: &Record, names: &Names, origin: Origin, first_slip: &str) -> Vec<Message> {
    let message = |kind: Kind, payload: Value| Message {
        kind,
        idempotency_key: idempotency_key(origin, record.revision, kind),
        aggregate_key: first_slip.to_owned(),
        payload,
    };
    let mut messages = vec![message(
        Kind::ErpComplete,
        for_erp(record_id, record, names, None, origin),
    )];
    if record.driver_id.is_some() {
        messages.push(message(Kind::PushCompleted, payload(record_id, record)));
    }
    messages
}

/// What a corrected weighing was before.
#[derive(Clone, Debug)]
pub struct Before {
    pub record_id: i64,
    pub slip: Option<SlipNumber>,
    pub driver_id: Option<i64>,
    /// Whether the ERP was told of it.
    pub told: bool,
    /// The record that was never a correction, and its slip.
    pub first_record_id: i64,
    pub first_slip: String,
}

/// The messages of a record that corrects another: to ERP after the void of that one, to the driver of the new slip, and to
/// the one who has lost his.
pub fn correction(record_id: i64, record: &Record, names: &Names, origin: Origin, before: &Before) -> Vec<Message> {
    let message = |kind: Kind, payload: Value| Message {
        kind,
        idempotency_key: idempotency_key(origin, record.revision, kind),
        aggregate_key: before.first_slip.clone(),
        payload,
    };
    let old_slip = before.slip.as_ref().map(ToString::to_string);
    let replaces = old_slip.as_deref().filter(|_| before.told);
    let mut messages = vec![message(
        Kind::ErpComplete,
        for_erp(record_id, record, names, replaces, origin),
    )];
    let same_driver = before.driver_id == record.driver_id;
    if record.driver_id.is_some() {
        let mut slip = payload(record_id, record);
        slip["first_record_id"] = before.first_record_id.into();
        let kind = if same_driver {
            slip["replaces"] = json!(old_slip);
            Kind::PushCorrected
        } else {
            Kind::PushCompleted
        };
        messages.push(message(kind, slip));
    }
    if let Some(driver_id) = before.driver_id.filter(|_| !same_driver) {
        let slip = json!({
            "record_id": before.record_id,
            "slip_number": old_slip,
            "driver_id": driver_id,
            "first_record_id": before.first_record_id,
        });
        messages.push(message(Kind::PushRevoked, slip));
    }
    messages
}

/// That a completed weighing was voided. `completion` is what the ERP was told of it.
pub fn void(completion: &Value, origin: Origin, first_slip: &str, voided_at: DateTime<Utc>, reason: &str) -> Message {
    let mut payload = json!({
        "voided_at": voided_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "reason": reason,
    });
    for name in OF_THE_VOIDED {
        payload[name] = completion[name].clone();
    }
    let revision = completion["revision"]
        .as_i64()
        .and_then(|revision| revision.try_into().ok());
    Message {
        kind: Kind::ErpVoid,
        idempotency_key: idempotency_key(origin, revision.unwrap_or(1), Kind::ErpVoid),
        aggregate_key: first_slip.to_owned(),
        payload,
    }
}

/// What a void repeats of its completion: by these it is found, and taken out of totals.
const OF_THE_VOIDED: [&str; 16] = [
    "record_id",
    "site_id",
    "day",
    "slip_number",
    "revision",
    "weighed_at",
    "vehicle_plate",
    "product_code",
    "product_name",
    "customer_code",
    "customer_name",
    "direction",
    "gross_kg",
    "tare_kg",
    "net_kg",
    "station_id",
];

/// The contract's words: `docs/erp-rest-v1.md`.
fn for_erp(record_id: i64, record: &Record, names: &Names, replaces: Option<&str>, origin: Origin) -> Value {
    let at = |pass: Option<Pass>| pass.map(|pass| pass.at.to_rfc3339_opts(SecondsFormat::Millis, true));
    let mut payload = payload(record_id, record);
    let more = json!({
        "site_id": record.site_id,
        "day": record.slip.as_ref().map(SlipNumber::day),
        "replaces": replaces,
        "station_name": names.station,
        "vehicle_plate": names.plate,
        "driver_name": names.driver,
        "company_name": names.company,
        "product_code": names.product.0,
        "product_name": names.product.1,
        "customer_code": names.customer.0,
        "customer_name": names.customer.1,
        "first_weighed_at": at(record.first),
        "second_weighed_at": at(record.second),
        "manual": matches!(origin, Origin::Manual(_)),
    });
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    payload
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

    #[test]
    fn a_void_repeats_what_was_told_and_has_a_key_of_its_own() {
        let origin = Origin::Cycle(CycleId::from_bits(7));
        let completion =
            json!({ "slip_number": "WR20260125001", "revision": 2, "net_kg": "5990.5", "driver_name": "김" });
        let void = void(&completion, origin, "WR20260125000", DateTime::UNIX_EPOCH, "정정");
        assert_eq!(void.idempotency_key, idempotency_key(origin, 2, Kind::ErpVoid));
        assert_eq!(void.aggregate_key, "WR20260125000");
        assert_eq!(void.payload["slip_number"], "WR20260125001");
        assert_eq!(void.payload["net_kg"], "5990.5");
        assert_eq!(
            void.payload["driver_name"],
            Value::Null,
            "only what finds it, and what totals are made of"
        );
    }
}
