//! What follows from a completed record: the number of its slip, and the messages that others wait for.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::Ledger;
use crate::domain::{
    outbox::{Message, Names, Origin, completion},
    slip::{SlipNumber, local_day},
};

/// Completed records to which a receipt brought back their slip, with their site.
pub fn brought_back(ledger: &Ledger) -> Vec<(i64, i64, SlipNumber)> {
    let of = |id: &i64| {
        let record = ledger.records.get(id)?;
        Some((*id, record.site_id, record.slip.clone()?))
    };
    ledger.completed.iter().filter_map(of).collect()
}

/// Completed records that have no number yet, in the order of completion, by the site and day whose counter numbers them.
pub fn wanting(ledger: &Ledger) -> BTreeMap<(i64, NaiveDate), Vec<i64>> {
    let mut wanting: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for record_id in &ledger.completed {
        let Some(record) = ledger.records.get(record_id).filter(|record| record.slip.is_none()) else {
            continue;
        };
        let Some(site) = ledger.sites.get(&record.site_id) else {
            continue;
        };
        let day = local_day(record.weighed_at, site.zone);
        wanting.entry((record.site_id, day)).or_default().push(*record_id);
    }
    wanting
}

/// Gives these records the numbers up to `last`, to which the day's counter was advanced for them.
pub fn number(ledger: &mut Ledger, site_id: i64, day: NaiveDate, last: i32, records: &[i64]) -> Vec<(i64, SlipNumber)> {
    let Some(prefix) = ledger.sites.get(&site_id).map(|site| site.slip_prefix.clone()) else {
        return Vec::new();
    };
    let first = last - i32::try_from(records.len()).unwrap_or(i32::MAX) + 1;
    let mut issued = Vec::with_capacity(records.len());
    for (number, record_id) in (first..=last).zip(records) {
        let slip = SlipNumber::new(&prefix, day, number);
        if let Some(record) = ledger.records.get_mut(record_id) {
            record.change().slip = Some(slip.clone());
        }
        issued.push((*record_id, slip));
    }
    issued
}

/// The messages of a record that this group has completed.
pub fn messages(ledger: &Ledger, record_id: i64, names: &Names) -> Vec<Message> {
    let Some(record) = ledger.records.get(&record_id) else {
        return Vec::new();
    };
    let completing = record.second.or(record.first).and_then(|pass| pass.capture_id);
    let cycle = completing.and_then(|capture| ledger.cycle_of(capture));
    let (Some(cycle), Some(slip)) = (cycle, &record.slip) else {
        return Vec::new();
    };
    completion(record_id, record, names, Origin::Cycle(cycle), &slip.to_string())
}
