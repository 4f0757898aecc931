//! Writes an event anew under another identity.

use serde_json::Value;

use super::{
    event::{Event, sha256_hex},
    row::EventId,
};

/// The same event as `id`: epoch and seq change in the body too, so the hash is new; all else stays, the cycle above
/// all, by which the server knows that it is the same weighing. A body that is no JSON object is carried as it is, for
/// the server to reject and keep.
pub(super) fn reborn(event: Event, id: EventId) -> Event {
    let body = match serde_json::from_str(&event.body) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("epoch".into(), Value::String(id.epoch.to_string()));
            fields.insert("seq".into(), Value::from(id.seq));
            Value::Object(fields).to_string()
        }
        _ => event.body,
    };
    Event {
        epoch: id.epoch,
        seq: id.seq,
        sha256: sha256_hex(&body),
        body,
        receipt: event.receipt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CycleId, Epoch,
        link::{EventBody, EventKind, Receipt},
    };

    fn id(epoch: u128, seq: i64) -> EventId {
        EventId {
            epoch: Epoch::from_bits(epoch),
            seq,
        }
    }

    fn event(body: String) -> Event {
        Event {
            epoch: Epoch::from_bits(1),
            seq: 4,
            sha256: sha256_hex(&body),
            body,
            receipt: Some(Receipt {
                record_id: Some(9),
                ..Receipt::default()
            }),
        }
    }

    #[test]
    fn a_reborn_event_changes_its_name_and_nothing_else() {
        let mut body = EventBody {
            epoch: Epoch::from_bits(1),
            seq: 4,
            station_id: 2,
            cycle: Some(CycleId::from_bits(3)),
            at: chrono::DateTime::parse_from_rfc3339("2026-01-25T14:30:00+09:00").unwrap(),
            mono_ms: 1000,
            boot: uuid::Uuid::nil(),
            kind: EventKind::VehicleOn {},
        };
        let old = event(serde_json::to_string(&body).unwrap());
        let new = reborn(old.clone(), id(8, 1));
        assert!(new.is_intact());
        assert_eq!(
            (new.epoch, new.seq, &new.receipt),
            (Epoch::from_bits(8), 1, &old.receipt)
        );
        (body.epoch, body.seq) = (new.epoch, new.seq);
        assert_eq!(serde_json::from_str::<EventBody>(&new.body).unwrap(), body);
    }

    #[test]
    fn a_field_of_a_newer_edge_survives_rebirth() {
        let new = reborn(event(r#"{"epoch":"x","seq":4,"axles":[7,8]}"#.into()), id(8, 1));
        assert!(new.body.contains(r#""axles":[7,8]"#), "{}", new.body);
    }

    #[test]
    fn an_unreadable_body_is_carried_as_it_is() {
        let new = reborn(event("no json".into()), id(8, 1));
        assert_eq!(new.body, "no json");
        assert!(new.is_intact());
    }
}
