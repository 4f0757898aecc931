//! Compares the truth with what the server has. Pure: the same rows give the same verdict.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use weighbridge_protocol::Kilograms;

use super::{
    findings::{Finding, Verdict},
    server::{Capture, EventName, Numbered, ServerSide},
    stay::{Pass, Stay},
};

/// How far a capture's time may lie outside its stay: the clocks are the same, but their readings are rounded.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// Looks for what was lost, doubled, altered or made up. `committed` is what the edges said they had committed; a
/// weight may differ from the truth by `division`.
pub fn compare(truth: &[Stay], server: &ServerSide, committed: &[EventName], division: Kilograms) -> Verdict {
    let mut verdict = Verdict {
        stays: truth.len(),
        confirmed: truth.iter().filter(|stay| stay.is_confirmed()).count(),
        captures: server.captures.len(),
        gaps: server.captures.iter().filter(|capture| capture.gap).count(),
        committed_events: committed.len(),
        ..Verdict::default()
    };
    let mut by_stay: BTreeMap<u64, Vec<&Capture>> = BTreeMap::new();
    for capture in &server.captures {
        match stay_of(capture, truth) {
            Some(stay) => by_stay.entry(stay.id).or_default().push(capture),
            None => verdict.findings.push(Finding::Phantom {
                capture: capture.id,
                station_id: capture.station_id,
                weight: capture.weight,
            }),
        }
    }
    for stay in truth {
        let captures = by_stay.get(&stay.id).map_or(&[][..], Vec::as_slice);
        judge_stay(stay, captures, division, &mut verdict);
        judge_trucks(stay, captures, server, &mut verdict);
    }
    verdict.findings.extend(missing_events(committed, &server.events));
    verdict.findings.extend(missing_numbers("slips", &server.slips, &[]));
    verdict
        .findings
        .extend(missing_numbers("queue numbers", &server.queue, &server.left_out));
    verdict.findings.extend(wrong_nets(server));
    verdict
}

/// The stay during which a capture was taken, or the nearest one within the slack.
pub fn stay_of<'a>(capture: &Capture, truth: &'a [Stay]) -> Option<&'a Stay> {
    let away = |stay: &Stay| {
        let before = stay.on_at - capture.at;
        let after = capture.at - end_of(stay, truth);
        before.max(after).max(TimeDelta::zero())
    };
    let here = truth.iter().filter(|stay| stay.station_id == capture.station_id);
    here.min_by_key(|stay| away(stay)).filter(|stay| away(stay) <= SLACK)
}

/// When the deck was clear; a stay whose end was not written ended before the next began there.
fn end_of(stay: &Stay, truth: &[Stay]) -> DateTime<Utc> {
    let later = |next: &&Stay| next.station_id == stay.station_id && next.on_at > stay.on_at;
    let next = || truth.iter().filter(later).map(|next| next.on_at).min();
    stay.clear_at.or_else(next).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn judge_stay(stay: &Stay, captures: &[&Capture], division: Kilograms, verdict: &mut Verdict) {
    let plate = || stay.plate.clone();
    if captures.is_empty() && stay.is_confirmed() {
        verdict.findings.push(Finding::Lost {
            stay: stay.id,
            plate: plate(),
            station_id: stay.station_id,
        });
    }
    if !captures.is_empty() && !stay.is_confirmed() {
        verdict.recovered += 1;
    }
    let whole: Vec<i64> = captures
        .iter()
        .filter(|capture| !capture.gap)
        .map(|capture| capture.id)
        .collect();
    if whole.len() > 1 {
        verdict.findings.push(Finding::Twice {
            stay: stay.id,
            plate: plate(),
            captures: whole,
        });
    }
    for capture in captures
        .iter()
        .filter(|capture| capture.weight.distance(stay.weight) > division)
    {
        verdict.findings.push(Finding::Altered {
            stay: stay.id,
            plate: plate(),
            capture: capture.id,
            weight: capture.weight,
            truth: stay.weight,
        });
    }
}

/// Whether the records that took these captures are of the truck that stood there.
fn judge_trucks(stay: &Stay, captures: &[&Capture], server: &ServerSide, verdict: &mut Verdict) {
    for capture in captures.iter().filter(|capture| !capture.decided) {
        let record = server
            .records
            .iter()
            .find(|record| Some(record.id) == capture.record_id);
        match record {
            Some(_) if stay.pass == Pass::Stranger => verdict.strangers_under_a_call += 1,
            Some(record) if stay.vehicle_id.is_some_and(|vehicle| vehicle != record.vehicle_id) => {
                verdict.findings.push(Finding::WrongTruck {
                    record: record.id,
                    capture: capture.id,
                    plate: stay.plate.clone(),
                });
            }
            _ => {}
        }
    }
}

fn missing_events(committed: &[EventName], stored: &[EventName]) -> Vec<Finding> {
    let stored: BTreeSet<&EventName> = stored.iter().collect();
    let missing = committed.iter().filter(|event| !stored.contains(event));
    missing
        .map(|event| Finding::EventMissing {
            epoch: event.epoch.clone(),
            seq: event.seq,
        })
        .collect()
}

/// Numbers count from 1 within a site's day without gaps, but for as many as were left out knowingly.
fn missing_numbers(of: &'static str, given: &[Numbered], left_out: &[Numbered]) -> Vec<Finding> {
    let mut days: BTreeMap<(i64, &str), BTreeSet<i64>> = BTreeMap::new();
    for numbered in given {
        days.entry((numbered.site_id, &numbered.day))
            .or_default()
            .insert(numbered.number);
    }
    let are_known = |site_id: i64, day: &str, missing: usize| {
        let here = left_out
            .iter()
            .filter(|left| left.site_id == site_id && left.day == day);
        here.map(|left| left.number).sum::<i64>() >= i64::try_from(missing).unwrap_or(i64::MAX)
    };
    let lacking = |((site_id, day), numbers): ((i64, &str), BTreeSet<i64>)| {
        let last = numbers.last().copied().unwrap_or(0);
        let missing: Vec<i64> = (1..last).filter(|number| !numbers.contains(number)).collect();
        (!are_known(site_id, day, missing.len())).then(|| Finding::NumbersMissing {
            of,
            day: day.to_owned(),
            numbers: missing,
        })
    };
    days.into_iter().filter_map(lacking).collect()
}

fn wrong_nets(server: &ServerSide) -> impl Iterator<Item = Finding> {
    let is_wrong = |record: &&super::server::Record| match (record.gross, record.tare, record.net) {
        (Some(gross), Some(tare), Some(net)) => gross - tare != net,
        _ => record.status == "COMPLETED",
    };
    server
        .records
        .iter()
        .filter(is_wrong)
        .map(|record| Finding::WrongNet { record: record.id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::server::Record;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap()
    }

    /// A truck of 18 347 kg that stood on station 1 from second 10 to second 30 and was told 저장.
    fn stay() -> Stay {
        Stay {
            id: 1,
            station_id: 1,
            plate: "12가3456".to_owned(),
            vehicle_id: Some(7),
            driver_id: Some(7),
            queue_id: Some(1),
            queue_number: Some(1),
            pass: Pass::One,
            weight: Kilograms::from_whole(18_347),
            on_at: at(10),
            stood_at: Some(at(14)),
            confirmed_at: Some(at(20)),
            clear_at: Some(at(30)),
        }
    }

    fn capture(id: i64) -> Capture {
        Capture {
            id,
            station_id: 1,
            weight: Kilograms::from_whole(18_340),
            gap: false,
            at: at(19),
            record_id: Some(1),
            decided: false,
        }
    }

    fn server(captures: Vec<Capture>) -> ServerSide {
        let kg = |value| Some(Kilograms::from_whole(value));
        let record = Record {
            id: 1,
            vehicle_id: 7,
            slip_number: None,
            status: "COMPLETED".to_owned(),
            gross: kg(18_340),
            tare: kg(8000),
            net: kg(10_340),
        };
        ServerSide {
            captures,
            records: vec![record],
            ..ServerSide::default()
        }
    }

    #[track_caller]
    fn check(truth: &[Stay], server: &ServerSide, expected: &[&str]) {
        let verdict = compare(truth, server, &[], Kilograms::from_whole(20));
        let found: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
        let starts = found
            .iter()
            .zip(expected)
            .all(|(finding, start)| finding.starts_with(start));
        assert!(
            found.len() == expected.len() && starts,
            "{found:?}, expected {expected:?}"
        );
    }

    #[test]
    fn a_truck_weighed_once_within_one_division_is_the_truth() {
        check(&[stay()], &server(vec![capture(1)]), &[]);
    }

    #[test]
    fn what_the_board_confirmed_may_not_be_lost() {
        check(&[stay()], &server(vec![]), &["lost: stay 1"]);
        let gave_up = Stay {
            confirmed_at: None,
            ..stay()
        };
        check(&[gave_up], &server(vec![]), &[]);
    }

    #[test]
    fn a_second_capture_is_one_too_many_unless_it_says_gap() {
        check(&[stay()], &server(vec![capture(1), capture(2)]), &["twice: stay 1"]);
        check(
            &[stay()],
            &server(vec![
                capture(1),
                Capture {
                    gap: true,
                    ..capture(2)
                },
            ]),
            &[],
        );
    }

    #[test]
    fn more_than_one_division_is_an_alteration() {
        let heavier = Capture {
            weight: Kilograms::from_whole(18_380),
            ..capture(1)
        };
        check(&[stay()], &server(vec![heavier]), &["altered: capture 1"]);
    }

    #[test]
    fn a_capture_belongs_to_the_truck_that_stood_there_then() {
        check(
            &[stay()],
            &server(vec![
                capture(1),
                Capture {
                    at: at(90),
                    ..capture(2)
                },
            ]),
            &["phantom: capture 2"],
        );
        check(
            &[stay()],
            &server(vec![
                capture(1),
                Capture {
                    station_id: 2,
                    ..capture(2)
                },
            ]),
            &["phantom: capture 2"],
        );
        let killed = Stay {
            clear_at: None,
            confirmed_at: None,
            ..stay()
        };
        let next = Stay {
            id: 2,
            on_at: at(100),
            clear_at: Some(at(130)),
            ..stay()
        };
        check(
            &[killed, next],
            &server(vec![Capture {
                at: at(60),
                ..capture(1)
            }]),
            &["lost: stay 2"],
        );
    }

    #[test]
    fn a_record_of_another_truck_is_told_and_one_that_staff_decided_is_not() {
        let other = Stay {
            vehicle_id: Some(8),
            ..stay()
        };
        check(
            std::slice::from_ref(&other),
            &server(vec![capture(1)]),
            &["wrong truck: record 1"],
        );
        check(
            &[other],
            &server(vec![Capture {
                decided: true,
                ..capture(1)
            }]),
            &[],
        );
    }

    #[test]
    fn numbers_have_no_gaps_and_committed_events_arrive() {
        let number = |number| Numbered {
            site_id: 1,
            day: "2026-11-25".to_owned(),
            number,
        };
        let mut server = server(vec![capture(1)]);
        server.slips = vec![number(1), number(3)];
        check(&[stay()], &server, &["numbers missing: slips of 2026-11-25 lack [2]"]);
        server.slips.push(number(2));
        server.queue = vec![number(1), number(4)];
        check(
            &[stay()],
            &server,
            &["numbers missing: queue numbers of 2026-11-25 lack [2, 3]"],
        );
        server.left_out = vec![number(2)];
        check(&[stay()], &server, &[]);
        let event = |seq| EventName {
            epoch: "e".to_owned(),
            seq,
        };
        server.events = vec![event(1), event(2)];
        let verdict = compare(&[stay()], &server, &[event(2), event(3)], Kilograms::from_whole(20));
        assert_eq!(
            verdict.findings,
            [Finding::EventMissing {
                epoch: "e".to_owned(),
                seq: 3
            }]
        );
    }

    #[test]
    fn a_net_weight_is_exact() {
        let mut server = server(vec![capture(1)]);
        server.records[0].net = Some(Kilograms::from_hundredths(1_034_001));
        check(&[stay()], &server, &["wrong net: record 1"]);
    }
}
