//! What was applied, under which key, and what the ERP knows of slips.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

use super::schema::Subject;

/// The books of an ERP.
#[derive(Debug, Default)]
pub struct Ledger {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// What came under a key, and its receipt.
    keys: BTreeMap<Uuid, (Value, String)>,
    /// What was told of each slip.
    slips: BTreeMap<String, Value>,
    voided: BTreeSet<String>,
    /// Slips in whose place another stands.
    replaced: BTreeSet<String>,
}

/// What a correction does not change, nor a void.
const KEPT: [&str; 5] = ["site_id", "day", "station_id", "weighed_at", "gross_kg"];

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// With this receipt.
    Now(String),
    /// The same came before, and got this receipt.
    Before(String),
    /// Something else came under this key.
    OtherPayload,
    /// It does not follow from what is known.
    OutOfOrder(String),
}

impl Ledger {
    pub fn apply(&self, key: Uuid, subject: Subject, payload: &Value) -> Applied {
        let books = &mut *self.books.lock();
        if let Some((known, receipt)) = books.keys.get(&key) {
            return if known == payload {
                Applied::Before(receipt.clone())
            } else {
                Applied::OtherPayload
            };
        }
        if let Err(why) = books.enter(subject, payload) {
            return Applied::OutOfOrder(why);
        }
        let receipt = format!("E-{:08}", books.keys.len() + 1);
        books.keys.insert(key, (payload.clone(), receipt.clone()));
        Applied::Now(receipt)
    }

    /// The receipt of what came under a key.
    pub fn find(&self, key: Uuid) -> Option<String> {
        self.books.lock().keys.get(&key).map(|(_, receipt)| receipt.clone())
    }
}

impl Books {
    fn enter(&mut self, subject: Subject, payload: &Value) -> Result<(), String> {
        let slip = payload["slip_number"].as_str().unwrap_or_default().to_owned();
        match subject {
            Subject::Weighing => {
                if self.slips.contains_key(&slip) {
                    return Err(format!("{slip} is known already, under another key"));
                }
                if let Some(replaced) = payload["replaces"].as_str() {
                    self.may_replace(replaced, &slip, payload)?;
                    self.replaced.insert(replaced.to_owned());
                }
                self.slips.insert(slip, payload.clone());
            }
            Subject::Void => {
                let Some(told) = self.slips.get(&slip) else {
                    return Err(format!("{slip} is voided, and not known"));
                };
                if let Some(name) = ["net_kg"].iter().chain(&KEPT).find(|name| differs(told, payload, name)) {
                    return Err(format!("{slip} is voided with another {name} than it was told with"));
                }
                if !self.voided.insert(slip.clone()) {
                    return Err(format!("{slip} was voided already, under another key"));
                }
            }
            Subject::Close => {}
        }
        Ok(())
    }

    /// A correction follows the void of what it corrects, is its next revision, and was weighed in the same moment.
    fn may_replace(&self, replaced: &str, slip: &str, payload: &Value) -> Result<(), String> {
        let told = self.slips.get(replaced).filter(|_| self.voided.contains(replaced));
        let told = told.ok_or_else(|| format!("{slip} replaces {replaced}, which was not voided"))?;
        if self.replaced.contains(replaced) {
            return Err(format!("{slip} replaces {replaced}, in whose place another stands"));
        }
        let next = told["revision"].as_i64().unwrap_or(0) + 1;
        if payload["revision"] != next {
            return Err(format!("{slip} is revision {}, expected {next}", payload["revision"]));
        }
        match KEPT.iter().find(|name| differs(told, payload, name)) {
            Some(name) => Err(format!("{slip} has another {name} than {replaced}, which it replaces")),
            None => Ok(()),
        }
    }
}

/// Where a message says nothing of it, it does not differ.
fn differs(told: &Value, payload: &Value, name: &str) -> bool {
    payload.get(name).is_some_and(|value| *value != told[name])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_again_is_applied_once_and_what_comes_out_of_order_is_refused() {
        let ledger = Ledger::default();
        let key = Uuid::from_u128;
        let first = json!({ "slip_number": "A1", "revision": 1, "gross_kg": "25000" });
        let second = json!({ "slip_number": "A2", "revision": 2, "gross_kg": "25000", "replaces": "A1" });
        assert!(matches!(
            ledger.apply(key(2), Subject::Void, &first),
            Applied::OutOfOrder(_)
        ));
        assert_eq!(
            ledger.apply(key(1), Subject::Weighing, &first),
            Applied::Now("E-00000001".to_owned())
        );
        assert_eq!(
            ledger.apply(key(1), Subject::Weighing, &first),
            Applied::Before("E-00000001".to_owned())
        );
        assert_eq!(ledger.apply(key(1), Subject::Weighing, &second), Applied::OtherPayload);
        assert!(matches!(
            ledger.apply(key(3), Subject::Weighing, &second),
            Applied::OutOfOrder(_)
        ));
        assert!(matches!(ledger.apply(key(2), Subject::Void, &first), Applied::Now(_)));
        for (name, value) in [("revision", json!(3)), ("gross_kg", json!("25000.5"))] {
            let mut odd = second.clone();
            odd[name] = value;
            let refused = ledger.apply(key(3), Subject::Weighing, &odd);
            assert!(
                matches!(&refused, Applied::OutOfOrder(why) if why.contains(name)),
                "{refused:?}"
            );
        }
        assert!(matches!(
            ledger.apply(key(3), Subject::Weighing, &second),
            Applied::Now(_)
        ));
        let mut third = second;
        third["slip_number"] = json!("A3");
        assert!(matches!(
            ledger.apply(key(4), Subject::Weighing, &third),
            Applied::OutOfOrder(_)
        ));
        assert_eq!(ledger.find(key(9)), None);
    }
}
