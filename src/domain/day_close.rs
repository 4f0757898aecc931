//! A day's totals for the ERP: what completed less what was voided, and what belongs to days that were closed before.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};
use weighbridge_protocol::{Kilograms, kilograms::json_number};

use super::outbox::{Kind, Message, close_key};

/// A completion or a void that no close has counted yet: what the ERP was told of it.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: String,
    pub payload: Value,
}

/// What one close says. Sums of all closes are those of all completed weighings that were not voided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Close {
    /// Of the day itself, a line for each product, customer and direction.
    pub totals: Vec<Value>,
    /// The same of days that were closed before: backlogs that came later, and voids, which count as less.
    pub late: Vec<Value>,
}

/// The names that a line of totals is for; first the day, which only late ones tell.
type Heading = (Option<NaiveDate>, [Option<String>; 5]);

const HEADINGS: [&str; 5] = [
    "product_code",
    "product_name",
    "customer_code",
    "customer_name",
    "direction",
];

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: i64,
    gross: Kilograms,
    tare: Kilograms,
    net: Kilograms,
}

/// Counts the items into the close of `day`.
pub fn close(day: NaiveDate, items: &[Item]) -> Close {
    let mut sums: BTreeMap<Heading, Sum> = BTreeMap::new();
    for item in items {
        let payload = &item.payload;
        let of_day = payload["day"].as_str().and_then(|text| text.parse().ok());
        let late = of_day.filter(|of_day| *of_day != day);
        let heading = HEADINGS.map(|name| payload[name].as_str().map(str::to_owned));
        let sign = if item.kind == Kind::ErpVoid.name() { -1 } else { 1 };
        let kg = |name: &str| kilograms(&payload[name]) * sign;
        let sum = sums.entry((late, heading)).or_default();
        sum.count += sign;
        sum.gross = sum.gross + kg("gross_kg");
        sum.tare = sum.tare + kg("tare_kg");
        sum.net = sum.net + kg("net_kg");
    }
    let mut close = Close::default();
    for ((late, heading), sum) in sums {
        let line = line(late, &heading, sum);
        let part = if late.is_some() {
            &mut close.late
        } else {
            &mut close.totals
        };
        part.push(line);
    }
    close
}

/// What the ERP is told of a close.
pub fn message(site_id: i64, day: NaiveDate, close: &Close) -> Message {
    Message {
        kind: Kind::ErpClose,
        idempotency_key: close_key(site_id, day),
        aggregate_key: format!("close:{site_id}"),
        payload: json!({ "site_id": site_id, "day": day, "totals": close.totals, "late": close.late }),
    }
}

fn line(late: Option<NaiveDate>, heading: &[Option<String>; 5], sum: Sum) -> Value {
    let mut line = json!({
        "count": sum.count,
        "gross_kg": json_number::number(sum.gross),
        "tare_kg": json_number::number(sum.tare),
        "net_kg": json_number::number(sum.net),
    });
    if let Some(day) = late {
        line["day"] = json!(day);
    }
    for (name, value) in HEADINGS.iter().zip(heading) {
        line[name] = json!(value);
    }
    line
}

/// A weight as it stands in a message: a decimal in a text.
fn kilograms(value: &Value) -> Kilograms {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, number).unwrap()
    }

    fn item(kind: &str, of_day: u32, product: &str, net: i64) -> Item {
        let kg = |hundredths| json_number::number(Kilograms::from_hundredths(hundredths));
        Item {
            kind: kind.to_owned(),
            payload: json!({
                "day": day(of_day), "product_code": product, "direction": "OUT",
                "gross_kg": kg(net + 1_000_050), "tare_kg": kg(1_000_050), "net_kg": kg(net),
            }),
        }
    }

    #[test]
    fn lines_are_by_product_and_a_void_of_the_same_day_takes_its_weighing_out() {
        let items = [
            item("ERP_COMPLETE", 25, "P1", 599_000),
            item("ERP_COMPLETE", 25, "P1", 100_050),
            item("ERP_COMPLETE", 25, "P2", 200_000),
            item("ERP_VOID", 25, "P1", 100_050),
        ];
        let close = close(day(25), &items);
        assert_eq!(close.late, [Value::Null; 0]);
        let lines: Vec<String> = close
            .totals
            .iter()
            .map(|line| format!("{} {} {}", line["product_code"], line["count"], line["net_kg"]))
            .collect();
        assert_eq!(lines, ["\"P1\" 1 \"5990\"", "\"P2\" 1 \"2000\""]);
    }

    #[test]
    fn what_belongs_to_an_earlier_day_is_late_and_names_it() {
        let close = close(
            day(25),
            &[
                item("ERP_VOID", 24, "P1", 599_000),
                item("ERP_COMPLETE", 23, "P1", 10_000),
            ],
        );
        assert_eq!(close.totals, [Value::Null; 0]);
        let lines: Vec<String> = close
            .late
            .iter()
            .map(|line| format!("{} {} {}", line["day"], line["count"], line["net_kg"]))
            .collect();
        assert_eq!(lines, ["\"2026-01-23\" 1 \"100\"", "\"2026-01-24\" -1 \"-5990\""]);
    }

    proptest! {
        /// Whatever comes on whichever day, and is voided before its close or after: all closes together are what is left.
        #[test]
        fn closes_add_up_to_what_completed_less_what_was_voided(
            weighings in prop::collection::vec((1_u32..6, 0_u32..3, 0_usize..3, 1_i64..5_000_000, prop::option::of(0_u32..4)), 0..60)
        ) {
            let mut coming: Vec<(u32, Item)> = Vec::new();
            let mut left = 0;
            for (of_day, late, product, net, voided_after) in weighings {
                let product = ["P1", "P2", "P3"][product];
                coming.push((of_day + late, item("ERP_COMPLETE", of_day, product, net)));
                left += net;
                if let Some(after) = voided_after {
                    coming.push((of_day + late + after, item("ERP_VOID", of_day, product, net)));
                    left -= net;
                }
            }
            let mut closed = 0;
            for today in 1..=12 {
                let items: Vec<Item> = coming.iter().filter(|(at, _)| *at == today).map(|(_, item)| item.clone()).collect();
                let close = close(day(today), &items);
                let lines = close.totals.iter().chain(&close.late);
                closed += lines.map(|line| kilograms(&line["net_kg"]).hundredths()).sum::<i64>();
            }
            prop_assert_eq!(closed, left);
        }
    }
}
