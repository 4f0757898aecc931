//! What is said on which channel, and what a snapshot then shows.

use std::time::Duration;

use super::*;
use crate::actors::live::Looked;

const AT: &str = "2026-01-25T09:00:00.000+09:00";

fn json(text: &str) -> Json {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    Json::of(&value).unwrap()
}

fn weight(station: i64, site: i64, kilograms: i64) -> WeightChanged {
    WeightChanged {
        station,
        site,
        weight: json(&kilograms.to_string()),
    }
}

fn station(station: i64, site: i64, name: &str) -> StationChanged {
    StationChanged {
        station,
        site,
        item: json(&format!("{name:?}")),
    }
}

fn weighing(record: i64, site: i64, state: &str) -> WeighingChanged {
    WeighingChanged {
        site,
        record,
        item: json(&format!("[{record},{state:?}]")),
    }
}

fn queue(site: i64, entries: &[i64]) -> QueueChanged {
    QueueChanged {
        site,
        entries: entries.iter().map(|entry| json(&entry.to_string())).collect(),
    }
}

fn summary(site: Option<i64>, total: i64) -> SummaryChanged {
    SummaryChanged {
        site,
        summary: json(&total.to_string()),
    }
}

fn position(driver: i64, ahead: Option<i64>) -> DriverChanged {
    DriverChanged {
        driver,
        news: DriverNews::Position(ahead.map(|ahead| json(&ahead.to_string()))),
    }
}

/// Nothing but what is given, and everything else empty.
fn everything(looked: Looked) -> Looked {
    Looked {
        stations: looked.stations.or(Some(Vec::new())),
        queues: looked.queues.or(Some(Vec::new())),
        weighings: looked.weighings.or(Some(Vec::new())),
        summaries: looked.summaries.or(Some(Vec::new())),
        positions: looked.positions.or(Some(Vec::new())),
    }
}

/// The texts in a row of frames, without what all have: `type seq data`.
fn texts(frame: &Frame) -> Vec<String> {
    let (mut bytes, mut texts) = (&frame.bytes()[..], Vec::new());
    while let [0x81, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(*length), rest),
        };
        let message: serde_json::Value = serde_json::from_slice(&rest[..length]).unwrap();
        assert_eq!(message["at"], AT);
        texts.push(format!(
            "{} {} {}",
            message["type"].as_str().unwrap(),
            message["seq"],
            message["data"]
        ));
        bytes = &rest[length..];
    }
    texts
}

fn wants(channels: &[Channel]) -> Wants {
    let mut wants = Wants::default();
    for (topic, scope) in channels {
        wants.set(*topic, Some(*scope));
    }
    wants
}

fn said(newest: &mut Newest, channel: Channel) -> Vec<String> {
    let parcel = newest.take_due().parcel(&wants(&[channel]));
    parcel.map_or(Vec::new(), |parcel| texts(&parcel.frame))
}

fn shown(newest: &Newest, channel: Channel) -> Option<String> {
    newest.snapshot(channel, AT).map(|frame| texts(&frame).join(" | "))
}

const STATIONS: Channel = (Topic::Stations, Scope::AllSites);
const WEIGHINGS: Channel = (Topic::Weighings, Scope::AllSites);
const SUMMARY: Channel = (Topic::Summary, Scope::AllSites);

#[test]
fn of_many_weights_the_newest_of_each_station_is_told_in_one_frame() {
    let mut newest = Newest::default();
    for kilograms in [10, 20, 30] {
        newest.weight(weight(1, 1, kilograms));
    }
    newest.weight(weight(2, 1, 40));
    newest.gather_weights(AT);
    assert_eq!(said(&mut newest, STATIONS), [r#"weights 1 {"items":[30,40]}"#]);
    newest.weight(weight(2, 1, 41));
    newest.gather_weights(AT);
    assert_eq!(said(&mut newest, STATIONS), [r#"weights 2 {"items":[41]}"#]);
    newest.gather_weights(AT);
    assert!(!newest.has_due());
}

#[test]
fn a_site_hears_of_itself_alone_and_its_counter_has_no_gaps() {
    let mut newest = Newest::default();
    newest.weight(weight(1, 1, 10));
    newest.gather_weights(AT);
    newest.weight(weight(2, 2, 20));
    newest.gather_weights(AT);
    let outgoing = newest.take_due();
    let hears = |scope| texts(&outgoing.parcel(&wants(&[(Topic::Stations, scope)])).unwrap().frame);
    assert_eq!(hears(Scope::Site(1)), [r#"weights 1 {"items":[10]}"#]);
    assert_eq!(hears(Scope::Site(2)), [r#"weights 1 {"items":[20]}"#]);
    assert_eq!(
        hears(Scope::AllSites),
        [r#"weights 1 {"items":[10]}"#, r#"weights 2 {"items":[20]}"#]
    );
    assert!(outgoing.parcel(&wants(&[(Topic::Stations, Scope::Site(3))])).is_none());
    assert!(outgoing.parcel(&Wants::default()).is_none());
}

#[test]
fn only_weights_may_be_left_out_and_only_where_nothing_else_is_in_the_parcel() {
    let mut newest = Newest::default();
    newest.weight(weight(1, 1, 10));
    newest.gather_weights(AT);
    newest.weighing(weighing(5, 1, "PENDING"), None, AT);
    let outgoing = newest.take_due();
    let parcel = |channels: &[Channel]| outgoing.parcel(&wants(channels)).unwrap();
    assert!(parcel(&[STATIONS]).lossy);
    assert!(!parcel(&[WEIGHINGS]).lossy);
    let both = parcel(&[STATIONS, WEIGHINGS]);
    assert!(!both.lossy);
    assert_eq!(both.topics, Topics::of([Topic::Stations, Topic::Weighings]));
    assert_eq!(texts(&both.frame).len(), 2);
    newest.station(station(1, 1, "north"), None, AT);
    newest.weight(weight(1, 1, 11));
    newest.gather_weights(AT);
    assert!(!newest.take_due().parcel(&wants(&[STATIONS])).unwrap().lossy);
}

#[test]
fn no_snapshot_is_given_before_the_topic_was_looked_up() {
    let mut newest = Newest::default();
    newest.station(station(1, 1, "north"), None, AT);
    assert_eq!(shown(&newest, STATIONS), None);
    newest.weight(weight(1, 1, 10));
    let stations = Some(vec![station(1, 1, "north"), station(2, 2, "south")]);
    newest.looked(
        Looked {
            stations,
            ..Looked::default()
        },
        Instant::now(),
        AT,
    );
    let seq = 2; // north was told once, south once
    assert_eq!(
        shown(&newest, STATIONS).unwrap(),
        format!(r#"snapshot {seq} {{"stations":["north","south"],"weights":[10]}}"#)
    );
    assert_eq!(
        shown(&newest, (Topic::Stations, Scope::Site(2))).unwrap(),
        r#"snapshot 1 {"stations":["south"],"weights":[]}"#
    );
    assert_eq!(shown(&newest, WEIGHINGS), None);
}

#[test]
fn the_last_twenty_weighings_are_kept_of_each_site() {
    let mut newest = Newest::default();
    newest.looked(everything(Looked::default()), Instant::now(), AT);
    newest.weighing(weighing(1000, 2, "PENDING"), None, AT);
    for record in 1..=25 {
        newest.weighing(weighing(record, 1, "PENDING"), None, AT);
    }
    newest.weighing(weighing(6, 1, "COMPLETED"), None, AT);
    let list = shown(&newest, (Topic::Weighings, Scope::Site(1))).unwrap();
    assert!(
        list.starts_with(r#"snapshot 26 {"items":[[25,"PENDING"],[24,"#),
        "{list}"
    );
    assert!(list.ends_with(r#"[7,"PENDING"],[6,"COMPLETED"]]}"#), "{list}");
    let other = shown(&newest, (Topic::Weighings, Scope::Site(2))).unwrap();
    assert_eq!(other, r#"snapshot 1 {"items":[[1000,"PENDING"]]}"#);
    assert_eq!(shown(&newest, WEIGHINGS).unwrap().matches("PENDING").count(), 19);
}

#[test]
fn what_was_lost_on_the_way_is_told_when_it_is_looked_up() {
    let mut newest = Newest::default();
    let looked = |weighings: &[WeighingChanged]| {
        let weighings = Some(weighings.to_vec());
        everything(Looked {
            weighings,
            ..Looked::default()
        })
    };
    newest.looked(
        looked(&[weighing(2, 1, "PENDING"), weighing(1, 1, "COMPLETED")]),
        Instant::now(),
        AT,
    );
    newest.take_due();
    let now = [
        weighing(4, 1, "PENDING"),
        weighing(3, 1, "PENDING"),
        weighing(2, 1, "COMPLETED"),
    ];
    newest.looked(looked(&now), Instant::now(), AT);
    assert_eq!(
        said(&mut newest, WEIGHINGS),
        [
            r#"weighing 3 {"record":[2,"COMPLETED"]}"#,
            r#"weighing 4 {"record":[3,"PENDING"]}"#,
            r#"weighing 5 {"record":[4,"PENDING"]}"#
        ]
    );
    assert_eq!(
        shown(&newest, WEIGHINGS).unwrap(),
        r#"snapshot 5 {"items":[[4,"PENDING"],[3,"PENDING"],[2,"COMPLETED"]]}"#
    );
    newest.looked(looked(&now), Instant::now(), AT);
    assert!(!newest.has_due());
}

#[test]
fn a_look_does_not_undo_what_was_announced_after_it_began() {
    let mut newest = Newest::default();
    let (began, announced) = (Instant::now(), Some(Instant::now()));
    newest.weighing(weighing(7, 1, "COMPLETED"), announced, AT);
    newest.weighing(weighing(8, 1, "PENDING"), announced, AT);
    newest.station(station(1, 1, "new name"), announced, AT);
    newest.queue(queue(1, &[1, 2]), announced, AT);
    newest.driver(position(3, Some(4)), announced, AT);
    newest.take_due();
    let stale = || {
        everything(Looked {
            stations: Some(vec![station(1, 1, "old name")]),
            queues: Some(vec![queue(1, &[1])]),
            weighings: Some(vec![weighing(7, 1, "PENDING")]),
            ..Looked::default()
        })
    };
    newest.looked(stale(), began, AT);
    assert!(!newest.has_due());
    assert_eq!(
        shown(&newest, WEIGHINGS).unwrap(),
        r#"snapshot 2 {"items":[[8,"PENDING"],[7,"COMPLETED"]]}"#
    );
    let later = Instant::now() + Duration::from_millis(1);
    newest.looked(stale(), later, AT);
    assert_eq!(
        shown(&newest, WEIGHINGS).unwrap(),
        r#"snapshot 3 {"items":[[7,"PENDING"]]}"#
    );
    assert_eq!(
        said(&mut newest, (Topic::Driver, Scope::Driver(3))),
        ["position 2 null"]
    );
}

#[test]
fn a_station_that_vanished_asks_for_snapshots() {
    let mut newest = Newest::default();
    let looked = |stations: &[StationChanged]| {
        let stations = Some(stations.to_vec());
        everything(Looked {
            stations,
            ..Looked::default()
        })
    };
    newest.weight(weight(2, 1, 20));
    let both = looked(&[station(1, 1, "north"), station(2, 1, "south")]);
    assert!(newest.looked(both, Instant::now(), AT).is_empty());
    let vanished = newest.looked(looked(&[station(1, 1, "north")]), Instant::now(), AT);
    assert!(vanished.has(Topic::Stations));
    assert_eq!(
        shown(&newest, STATIONS).unwrap(),
        r#"snapshot 2 {"stations":["north"],"weights":[]}"#
    );
}

#[test]
fn the_only_sites_summary_is_that_of_all_sites() {
    let mut newest = Newest::default();
    newest.looked(everything(Looked::default()), Instant::now(), AT);
    assert_eq!(shown(&newest, SUMMARY).unwrap(), "snapshot 0 null");
    newest.summary(summary(Some(1), 5), None, AT);
    assert_eq!(said(&mut newest, SUMMARY), ["summary 1 5"]);
    assert_eq!(shown(&newest, SUMMARY).unwrap(), "snapshot 1 5");
    newest.summary(summary(None, 9), None, AT);
    newest.summary(summary(Some(1), 6), None, AT);
    assert_eq!(said(&mut newest, SUMMARY), ["summary 2 9"]);
    assert_eq!(shown(&newest, SUMMARY).unwrap(), "snapshot 2 9");
}

#[test]
fn a_driver_hears_of_the_own_position_call_and_slip() {
    let mut newest = Newest::default();
    newest.looked(everything(Looked::default()), Instant::now(), AT);
    let channel = (Topic::Driver, Scope::Driver(3));
    newest.driver(position(3, Some(4)), None, AT);
    newest.driver(position(9, Some(5)), None, AT);
    for news in [DriverNews::Called(json("1")), DriverNews::Completed(json("2"))] {
        newest.driver(DriverChanged { driver: 3, news }, None, AT);
    }
    assert_eq!(
        said(&mut newest, channel),
        ["position 1 4", "called 2 1", "completed 3 2"]
    );
    assert_eq!(shown(&newest, channel).unwrap(), "snapshot 3 4");
    newest.driver(position(3, None), None, AT);
    assert_eq!(shown(&newest, channel).unwrap(), "snapshot 4 null");
}

#[test]
fn a_new_life_keeps_the_weights_and_never_counts_back() {
    let mut newest = Newest::default();
    newest.weight(weight(1, 1, 10));
    newest.gather_weights(AT);
    newest.queue(queue(1, &[1]), None, AT);
    newest.begin_anew();
    assert!(!newest.has_due());
    assert_eq!(shown(&newest, STATIONS), None);
    newest.looked(
        everything(Looked {
            stations: Some(vec![station(1, 1, "north")]),
            ..Looked::default()
        }),
        Instant::now(),
        AT,
    );
    assert_eq!(
        shown(&newest, STATIONS).unwrap(),
        r#"snapshot 2 {"stations":["north"],"weights":[10]}"#
    );
    assert_eq!(
        shown(&newest, (Topic::Queue, Scope::AllSites)).unwrap(),
        r#"snapshot 1 {"entries":[]}"#
    );
}
