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
    /// Slips that count.
    slips: BTreeSet<String>,
    voided: BTreeSet<String>,
}

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
                let replaced = payload["replaces"].as_str();
                if let Some(replaced) = replaced.filter(|replaced| !self.voided.contains(*replaced)) {
                    return Err(format!("{slip} replaces {replaced}, which was not voided"));
                }
                if !self.slips.insert(slip.clone()) {
                    return Err(format!("{slip} is known already, under another key"));
                }
            }
            Subject::Void => {
                if !self.slips.contains(&slip) {
                    return Err(format!("{slip} is voided, and not known"));
                }
                if !self.voided.insert(slip.clone()) {
                    return Err(format!("{slip} was voided already, under another key"));
                }
            }
            Subject::Close => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_again_is_applied_once_and_what_comes_out_of_order_is_refused() {
        let ledger = Ledger::default();
        let key = Uuid::from_u128;
        let first = json!({ "slip_number": "A1" });
        let second = json!({ "slip_number": "A2", "replaces": "A1" });
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
        assert!(matches!(
            ledger.apply(key(3), Subject::Weighing, &second),
            Applied::Now(_)
        ));
        assert_eq!(ledger.find(key(9)), None);
    }
}
