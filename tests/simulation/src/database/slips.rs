//! Slip numbers: a counter a day, and no gap without an explanation.

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::{Database, PREFIX, SITE, ZONE, mutable};
use crate::domain::{
    slip::{SlipNumber, local_day},
    weighing::{Ledger, Wanted, completed},
};

impl Database {
    pub(super) fn slips_of(&self, wanted: &Wanted, ledger: &mut Ledger) {
        let receipts = wanted.receipts.iter().chain(ledger.printed.values());
        let numbers: Vec<String> = receipts.filter_map(|receipt| receipt.slip_number.clone()).collect();
        for text in &numbers {
            let Some(slip) = SlipNumber::parse(text, PREFIX) else {
                continue;
            };
            if let Some(owner) = self.slips.get(&(slip.day(), slip.number())) {
                ledger.slips.insert(text.clone(), *owner);
            }
            if let Some(last) = self.counters.get(&slip.day()) {
                ledger.slip_counters.insert((SITE, slip.day()), *last);
            }
        }
    }

    pub(super) fn number_slips(&mut self, ledger: &mut Ledger) {
        for (_, slip) in &ledger.reserved {
            self.raise(slip.day(), slip.number());
        }
        for (record_id, _, slip) in completed::brought_back(ledger) {
            self.raise(slip.day(), slip.number());
            self.issue(&slip, record_id);
        }
        for ((site_id, day), records) in completed::wanting(ledger) {
            let counter = mutable(&mut self.counters).entry(day).or_default();
            *counter += i32::try_from(records.len()).unwrap_or(0);
            let last = *counter;
            for (record_id, slip) in completed::number(ledger, site_id, day, last, &records) {
                self.issue(&slip, record_id);
            }
        }
    }

    fn issue(&mut self, slip: &SlipNumber, record_id: i64) {
        let owner = mutable(&mut self.slips)
            .entry((slip.day(), slip.number()))
            .or_insert(None);
        *owner = owner.or(Some(record_id));
    }

    /// Lifts a day's counter to at least `number`; what that skips is LOST.
    fn raise(&mut self, day: NaiveDate, number: i32) {
        let counter = mutable(&mut self.counters).entry(day).or_default();
        for skipped in *counter + 1..=number {
            mutable(&mut self.slips).entry((day, skipped)).or_insert(None);
        }
        *counter = number.max(*counter);
    }

    /// A restore or failover was noticed: room is made for what was acknowledged and is missing here.
    pub fn make_room(&mut self, jump: i32, now: DateTime<Utc>, distrusts: bool) {
        if distrusts {
            for station in mutable(&mut self.stations).values_mut() {
                station.trusted_since = now;
            }
        }
        self.next_record += i64::from(jump);
        let issued = self.records.values().filter(|record| record.slip.is_some());
        let newest = issued.map(|record| record.weighed_at).max();
        let today = local_day(now, ZONE);
        let mut day = newest.map_or(today, |newest| local_day(newest, ZONE)).min(today);
        loop {
            let last = self.counters.get(&day).copied().unwrap_or(0);
            self.raise(day, last + jump);
            match day.checked_add_days(Days::new(1)).filter(|next| *next <= today) {
                Some(next) => day = next,
                None => return,
            }
        }
    }
}
