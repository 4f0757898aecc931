//! What can be read of an event's text whatever else is wrong with it: so that staff see what they decide about.

use chrono::{DateTime, Utc};
use serde_json::Value;
use weighbridge_protocol::{CycleId, Kilograms};

/// The parts of a body that are what they should be, each by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legible {
    pub station_id: Option<i64>,
    pub kind: Option<String>,
    pub cycle: Option<CycleId>,
    pub weight: Option<Kilograms>,
    pub raw: Option<String>,
    /// By its edge's own clock.
    pub at: Option<DateTime<Utc>>,
}

/// No kind's name is longer.
const LONGEST_KIND: usize = 30;

/// Takes what is there.
pub fn legible(body: &str) -> Legible {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return Legible::default();
    };
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let payload = body.get("payload").unwrap_or(&Value::Null);
    let at = text(&body, "at").and_then(|at| DateTime::parse_from_rfc3339(&at).ok());
    Legible {
        station_id: body.get("station_id").and_then(Value::as_i64),
        kind: text(&body, "kind").filter(|kind| kind.len() <= LONGEST_KIND && !kind.contains('\0')),
        cycle: text(&body, "cycle").and_then(|cycle| cycle.parse().ok()),
        weight: text(payload, "weight").and_then(|weight| weight.parse().ok()),
        raw: text(payload, "raw").filter(|raw| !raw.contains('\0')),
        at: at.map(|at| at.to_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_read_by_itself() {
        let body = r#"{"station_id":1,"kind":"capture","cycle":"00000000000000000000000000000003","at":"2026-01-25T14:30:00+09:00","payload":{"weight":"300000.00","raw":"0d"}}"#;
        let read = legible(body);
        assert_eq!(read.weight, Some(Kilograms::from_whole(300_000)));
        assert_eq!((read.station_id, read.cycle), (Some(1), Some(CycleId::from_bits(3))));
        assert_eq!(
            (read.kind.as_deref(), read.raw.as_deref()),
            (Some("capture"), Some("0d"))
        );
        assert_eq!(
            read.at.map(|at| at.to_rfc3339()).as_deref(),
            Some("2026-01-25T05:30:00+00:00")
        );
        let broken = body.replace("300000.00", "heavy").replace("14:30", "25:30");
        let read = legible(&broken);
        assert_eq!((read.weight, read.at, read.station_id), (None, None, Some(1)));
        for hopeless in [
            "",
            "not json",
            "[]",
            "7",
            r#"{"payload":[]}"#,
            r#"{"station_id":"1","kind":7}"#,
        ] {
            assert_eq!(legible(hopeless), Legible::default(), "{hopeless}");
        }
    }
}
