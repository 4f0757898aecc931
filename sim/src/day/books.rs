//! What must be so when a day is over. Pure: the same books give the same findings.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;
use weighbridge_protocol::Kilograms;

use crate::truth::{
    Finding, Pass, ServerSide, Stay,
    compare::stay_of,
    server::{Capture, Record},
};

/// What came to the services of others, a line of their record each.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub erp: Vec<Value>,
    pub fcm: Vec<Value>,
    pub sms: Vec<Value>,
}

/// What a day came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub slips: usize,
    pub net: Kilograms,
    pub erp: usize,
    pub erp_net: Kilograms,
    pub pushes: usize,
    pub texts: usize,
    /// Weights that no call explained, and staff have to decide about.
    pub left_to_staff: usize,
}

impl Totals {
    pub fn of(server: &ServerSide, received: &Received) -> Self {
        let applied: Vec<(&str, Option<Kilograms>)> = applied(&received.erp).collect();
        let arrived = |lines: &[Value]| lines.iter().filter(|line| line["status"] == 200).count();
        Self {
            slips: completed(server).count(),
            net: completed(server).filter_map(|record| record.net).sum(),
            erp: applied.len(),
            erp_net: applied.iter().filter_map(|(_, net)| *net).sum(),
            pushes: received
                .fcm
                .iter()
                .filter(|line| line["status"] == 200 && line["body"]["message"].is_object())
                .count(),
            texts: arrived(&received.sms),
            left_to_staff: left_to_staff(server).count(),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} slips, net {} kg; the ERP confirmed {}, net {} kg; {} pushes and {} text messages arrived; {} weights left to staff",
            self.slips, self.net, self.erp, self.erp_net, self.pushes, self.texts, self.left_to_staff
        )
    }
}

/// What is not as it has to be: somebody left in the line, something owed and not delivered, a truck whose weighings made
/// no record or too many, a slip that the ERP has not, or otherwise, or twice, and whatever a strict service refused.
///
/// A station may be closed in the instant in which a truck drives onto it: its call is over then, its weight is left to
/// staff, and it is called elsewhere. That may happen once for each of the `closures`.
pub fn unfinished(truth: &[Stay], server: &ServerSide, received: &Received, closures: usize) -> Vec<Finding> {
    let mut findings: Vec<Finding> = server.open_entries.iter().map(left_in_line).collect();
    let left = left_to_staff(server).count();
    if left > closures {
        findings.push(Finding::LeftToStaff {
            count: left,
            most: closures,
        });
    }
    findings.extend(server.owed.iter().map(|owed| Finding::Owed {
        kind: owed.kind.clone(),
        state: owed.state.clone(),
        count: owed.count,
    }));
    findings.extend(wrong_counts(truth, server));
    findings.extend(wrong_at_erp(server, &received.erp));
    let all = [("ERP", &received.erp), ("FCM", &received.fcm), ("SMS", &received.sms)];
    findings.extend(all.iter().flat_map(|(service, lines)| refused(service, lines)));
    findings
}

fn left_in_line((number, status): &(i64, String)) -> Finding {
    Finding::LeftInLine {
        queue_number: *number,
        status: status.clone(),
    }
}

fn left_to_staff(server: &ServerSide) -> impl Iterator<Item = &Capture> {
    server.captures.iter().filter(|capture| capture.record_id.is_none())
}

/// A truck's one-pass weighings, and its second passes, make a record each, but for those that are left to staff.
fn wrong_counts(truth: &[Stay], server: &ServerSide) -> Vec<Finding> {
    let left: BTreeSet<u64> = left_to_staff(server)
        .filter_map(|capture| stay_of(capture, truth))
        .map(|stay| stay.id)
        .collect();
    let mut expected: BTreeMap<i64, (usize, &str)> = BTreeMap::new();
    for stay in truth
        .iter()
        .filter(|stay| stay.is_confirmed() && !left.contains(&stay.id))
    {
        if let Some(vehicle) = stay.vehicle_id {
            let completes = matches!(stay.pass, Pass::One | Pass::Second);
            expected.entry(vehicle).or_insert((0, &stay.plate)).0 += usize::from(completes);
        }
    }
    let made = |vehicle| completed(server).filter(|record| record.vehicle_id == vehicle).count();
    let wrong = |(vehicle, (count, plate)): (i64, (usize, &str))| {
        (made(vehicle) != count).then(|| Finding::RecordCount {
            plate: plate.to_owned(),
            expected: count,
            made: made(vehicle),
        })
    };
    expected.into_iter().filter_map(wrong).collect()
}

fn wrong_at_erp(server: &ServerSide, lines: &[Value]) -> Vec<Finding> {
    let mut at_erp: BTreeMap<&str, Vec<Option<Kilograms>>> = BTreeMap::new();
    for (slip, net) in applied(lines) {
        at_erp.entry(slip).or_default().push(net);
    }
    let known: BTreeSet<&str> = completed(server)
        .filter_map(|record| record.slip_number.as_deref())
        .collect();
    let strange = at_erp.keys().filter(|slip| !known.contains(*slip));
    let strange = strange.map(|slip| (*slip, "it is no completed slip of the server".to_owned()));
    let wrong = completed(server).filter_map(|record| {
        let slip = record.slip_number.as_deref()?;
        let nets = at_erp.get(slip).map_or(&[][..], Vec::as_slice);
        (nets != [record.net]).then(|| (slip, format!("it was confirmed {} times, {nets:?}", nets.len())))
    });
    let finding = |(slip, why): (&str, String)| Finding::AtErp {
        slip: slip.to_owned(),
        why,
    };
    strange.chain(wrong).map(finding).collect()
}

/// The completed weighings that the ERP applied, and their net weights.
fn applied(lines: &[Value]) -> impl Iterator<Item = (&str, Option<Kilograms>)> {
    let is_applied = |line: &&Value| line["what"] == "POST /v1/weighings" && line["note"]["effect"] == "applied";
    lines.iter().filter(is_applied).filter_map(|line| {
        let net = line["body"]["net_kg"].as_str().and_then(|text| text.parse().ok());
        Some((line["body"]["slip_number"].as_str()?, net))
    })
}

fn refused<'a>(service: &'static str, lines: &'a [Value]) -> impl Iterator<Item = Finding> + use<'a> {
    let status = |line: &Value| line["status"].as_u64().unwrap_or(0);
    lines
        .iter()
        .filter(move |line| status(line) >= 400)
        .map(move |line| Finding::Refused {
            service,
            what: line["what"].as_str().unwrap_or_default().to_owned(),
            status: status(line),
        })
}

fn completed(server: &ServerSide) -> impl Iterator<Item = &Record> {
    server.records.iter().filter(|record| record.status == "COMPLETED")
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;
    use crate::truth::server::Owed;

    fn record(id: i64, vehicle_id: i64, net: i32) -> Record {
        Record {
            id,
            vehicle_id,
            slip_number: Some(format!("WR2026112500{id}")),
            status: "COMPLETED".to_owned(),
            gross: Some(Kilograms::from_whole(10_000 + net)),
            tare: Some(Kilograms::from_whole(10_000)),
            net: Some(Kilograms::from_whole(net)),
        }
    }

    fn stay(id: u64, vehicle_id: i64, pass: Pass) -> Stay {
        Stay {
            id,
            station_id: 1,
            plate: format!("truck {vehicle_id}"),
            vehicle_id: Some(vehicle_id),
            driver_id: None,
            queue_id: None,
            queue_number: None,
            pass,
            weight: Kilograms::from_whole(18_000),
            on_at: Utc::now(),
            stood_at: None,
            confirmed_at: Some(Utc::now()),
            clear_at: None,
        }
    }

    fn confirmed(id: i64, net: i32) -> Value {
        json!({ "what": "POST /v1/weighings", "status": 201, "note": { "effect": "applied" },
            "body": { "slip_number": format!("WR2026112500{id}"), "net_kg": net.to_string() } })
    }

    /// One truck in one pass, one in two.
    fn good() -> (Vec<Stay>, ServerSide, Received) {
        let truth = vec![stay(1, 7, Pass::One), stay(2, 8, Pass::First), stay(3, 8, Pass::Second)];
        let server = ServerSide {
            records: vec![record(1, 7, 500), record(2, 8, 700)],
            ..ServerSide::default()
        };
        let received = Received {
            erp: vec![confirmed(1, 500), confirmed(2, 700)],
            ..Received::default()
        };
        (truth, server, received)
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<Stay>, &mut ServerSide, &mut Received), expected: &[&str]) {
        let (mut truth, mut server, mut received) = good();
        change(&mut truth, &mut server, &mut received);
        let found: Vec<String> = unfinished(&truth, &server, &received, 1)
            .iter()
            .map(ToString::to_string)
            .collect();
        let fits = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, start)| found.starts_with(start));
        assert!(fits, "{found:#?}, expected {expected:?}");
    }

    #[test]
    fn a_finished_day_has_no_findings_and_its_totals_agree() {
        check(|_, _, _| (), &[]);
        let (_, server, received) = good();
        let totals = Totals::of(&server, &received);
        assert_eq!((totals.slips, totals.erp), (2, 2));
        assert_eq!(
            (totals.net, totals.erp_net),
            (Kilograms::from_whole(1200), Kilograms::from_whole(1200))
        );
    }

    #[test]
    fn nobody_is_left_in_the_line_and_nothing_is_owed() {
        check(
            |_, server, _| {
                server.open_entries = vec![(12, "CALLED".to_owned())];
                server.owed = vec![Owed {
                    kind: "ERP_COMPLETE".to_owned(),
                    state: "DEAD".to_owned(),
                    count: 2,
                }];
            },
            &["left in the line: 12 is CALLED", "owed: 2 of ERP_COMPLETE are DEAD"],
        );
    }

    #[test]
    fn each_weighing_makes_one_record() {
        check(
            |truth, _, _| truth.push(stay(4, 7, Pass::One)),
            &["records: truck 7 has 1, expected 2"],
        );
        check(
            |truth, _, _| truth.retain(|stay| stay.pass != Pass::Second),
            &["records: truck 8 has 1, expected 0"],
        );
    }

    #[test]
    fn a_weight_is_left_to_staff_once_a_closure() {
        let (mut truth, mut server, received) = good();
        let again = stay(4, 7, Pass::One);
        let left = |id| Capture {
            id,
            station_id: 1,
            weight: again.weight,
            gap: false,
            at: again.on_at,
            record_id: None,
            decided: false,
        };
        // It stood there alone: the nearest stay is its own.
        for stay in &mut truth {
            stay.station_id = 2;
        }
        server.captures = vec![left(1)];
        truth.push(again.clone());
        assert_eq!(unfinished(&truth, &server, &received, 1), []);
        assert_eq!(Totals::of(&server, &received).left_to_staff, 1);
        server.captures.push(left(2));
        let found = unfinished(&truth, &server, &received, 1);
        assert_eq!(found, [Finding::LeftToStaff { count: 2, most: 1 }]);
    }

    #[test]
    fn the_erp_has_each_slip_once_with_its_net() {
        check(
            |_, _, received| drop(received.erp.pop()),
            &["at the ERP: slip WR20261125002: it was confirmed 0 times"],
        );
        check(
            |_, _, received| received.erp.push(confirmed(1, 500)),
            &["at the ERP: slip WR20261125001: it was confirmed 2 times"],
        );
        check(
            |_, _, received| received.erp[0] = confirmed(1, 499),
            &["at the ERP: slip WR20261125001: it was confirmed 1 times"],
        );
        check(
            |_, _, received| received.erp.push(confirmed(9, 1)),
            &["at the ERP: slip WR20261125009: it is no completed slip"],
        );
    }

    #[test]
    fn nothing_was_refused_by_a_strict_service() {
        check(
            |_, _, received| {
                received
                    .fcm
                    .push(json!({ "what": "POST /v1/projects/p/messages:send", "status": 400 }));
            },
            &["refused: FCM answered 400 to POST /v1/projects/p/messages:send"],
        );
    }
}
