//! One connection each: what is sent when, told without chance. The random schedules are in `tests/simulation`.

use std::collections::BTreeMap;

use super::*;
use crate::{
    CycleId, LinkSession,
    link::{
        EventBody, EventKind, MemoryStore,
        messages::{Ack, EdgeName, Nack, NackCode, NumberedReceipt, Welcome},
        receipt::Receipt,
    },
};

const OLD: Epoch = Epoch::from_bits(1);
const NEW: Epoch = Epoch::from_bits(2);

/// A file with `count` events in its one epoch, of which `acked` are acknowledged.
fn file(count: i64, acked: i64) -> MemoryStore {
    let mut store = MemoryStore::new(OLD);
    (0..count).for_each(|_| append(&mut store));
    store.acknowledge(OLD, acked, &[]).unwrap();
    store
}

fn append(store: &mut MemoryStore) {
    let body = |id: EventId| EventBody {
        epoch: id.epoch,
        seq: id.seq,
        station_id: 1,
        cycle: Some(CycleId::from_bits(u128::try_from(id.seq).unwrap())),
        at: chrono::DateTime::default(),
        mono_ms: 0,
        boot: uuid::Uuid::nil(),
        kind: EventKind::VehicleOn {},
    };
    store.append(body).unwrap();
}

fn welcome(have: &[(Epoch, i64)], events: usize, bytes: usize) -> Welcome {
    Welcome {
        edge: EdgeName {
            id: 1,
            name: "north".into(),
        },
        session: LinkSession::from_bits(7),
        have: have.iter().copied().collect(),
        lost: BTreeMap::new(),
        stations: Vec::new(),
        unknown: Vec::new(),
        server_time: chrono::DateTime::default(),
        window: Window { events, bytes },
        curve_steps: true,
        database: None,
    }
}

/// A connection that was welcomed by a server with `have` of the old epoch, and what it sent at once.
fn linked(store: &mut MemoryStore, have: i64) -> (Sender, String) {
    let mut sender = Sender::default();
    sender.hello(store).unwrap();
    let outputs = sender
        .welcome(store, &welcome(&[(OLD, have)], 64, 1 << 20), || NEW)
        .unwrap();
    (sender, told(&outputs))
}

fn nack(seq: i64, code: NackCode, have: i64) -> Nack {
    Nack {
        epoch: OLD,
        seq,
        code,
        have,
    }
}

fn ack(through: i64) -> Ack {
    Ack {
        epoch: OLD,
        through,
        receipts: Vec::new(),
    }
}

/// The outputs in short: `1:4` is event 4 of epoch 1.
fn told(outputs: &[Output]) -> String {
    let short = |id: EventId| format!("{}:{}", id.epoch.bits(), id.seq);
    let words = outputs.iter().map(|output| match output {
        Output::Send(event) => short(EventId {
            epoch: event.epoch,
            seq: event.seq,
        }),
        Output::Reconnect(Reason::NewEpoch(_)) => "reconnect for an epoch".into(),
        Output::Reconnect(Reason::NewGap(id)) => format!("reconnect for a gap at {}", short(*id)),
        Output::Reconnect(Reason::Fork(_)) => "reconnect for a fork".into(),
        Output::Reconnect(Reason::Deaf(_)) => "reconnect to be heard".into(),
        Output::Notice(Notice::Restored { .. }) => "restored".into(),
        Output::Notice(Notice::WentBack { acked, have, .. }) => format!("back from {acked} to {have}"),
        Output::Notice(Notice::Reborn { from, to }) => format!("{} is {}", short(*from), short(*to)),
        Output::Notice(Notice::Damaged(id)) => format!("{} is damaged", short(*id)),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn acked(store: &MemoryStore) -> i64 {
    store.epochs().unwrap()[0].acked
}

#[test]
fn nothing_is_sent_before_the_welcome() {
    let mut store = file(3, 0);
    let mut sender = Sender::default();
    assert!(sender.pump(&mut store).unwrap().is_empty());
    sender.hello(&store).unwrap();
    assert!(sender.pump(&mut store).unwrap().is_empty());
}

#[test]
fn sending_resumes_one_row_early() {
    assert_eq!(linked(&mut file(5, 3), 3).1, "1:3, 1:4, 1:5");
    assert_eq!(linked(&mut file(2, 2), 2).1, "1:2");
    assert_eq!(linked(&mut file(2, 0), 0).1, "1:1, 1:2");
}

#[test]
fn a_server_that_has_less_lowers_acked_first() {
    let mut store = file(5, 4);
    assert_eq!(linked(&mut store, 1).1, "back from 4 to 1, 1:1, 1:2, 1:3, 1:4, 1:5");
    assert_eq!(acked(&store), 1);
}

#[test]
fn a_row_that_the_server_calls_lost_is_sent_again() {
    let mut store = file(5, 5);
    let mut sender = Sender::default();
    sender.hello(&store).unwrap();
    let mut welcome = welcome(&[(OLD, 5)], 64, 1 << 20);
    welcome.lost = BTreeMap::from([(OLD, vec![SeqRange(4, 4), SeqRange(3, 3)])]);
    let outputs = sender.welcome(&mut store, &welcome, || NEW).unwrap();
    assert_eq!(told(&outputs), "back from 5 to 2, 1:2, 1:3, 1:4, 1:5");
}

#[test]
fn a_server_that_has_more_than_the_file_shows_a_restored_image() {
    let mut store = file(2, 2);
    let (mut sender, outputs) = linked(&mut store, 3);
    assert_eq!(outputs, "restored, reconnect for an epoch");
    append(&mut store);
    assert_eq!(store.rows().keys().next_back().map(|id| id.epoch), Some(NEW));
    let epochs: Vec<Epoch> = sender.hello(&store).unwrap().iter().map(|state| state.epoch).collect();
    assert_eq!(epochs, [OLD, NEW]);
    let have = welcome(&[(OLD, 3), (NEW, 0)], 64, 1 << 20);
    let outputs = sender.welcome(&mut store, &have, || unreachable!()).unwrap();
    assert_eq!(told(&outputs), "1:2, 2:1");
}

#[test]
fn the_window_bounds_events_and_bytes() {
    let size = file(1, 0)
        .rows()
        .values()
        .map(|row| row.event.body.len())
        .sum::<usize>();
    for (events, bytes, sent) in [
        (2, 1 << 20, "1:1, 1:2"),
        (9, size * 3, "1:1, 1:2, 1:3"),
        (9, size * 3 - 1, "1:1, 1:2"),
        (9, 1, "1:1"),
    ] {
        let mut store = file(5, 0);
        let mut sender = Sender::default();
        sender.hello(&store).unwrap();
        let outputs = sender
            .welcome(&mut store, &welcome(&[(OLD, 0)], events, bytes), || NEW)
            .unwrap();
        assert_eq!(told(&outputs), sent, "{events} events, {bytes} bytes");
    }
}

#[test]
fn an_ack_makes_room_and_keeps_its_receipts() {
    let mut store = file(4, 0);
    let mut sender = Sender::default();
    sender.hello(&store).unwrap();
    sender
        .welcome(&mut store, &welcome(&[(OLD, 0)], 2, 1 << 20), || NEW)
        .unwrap();
    let receipt = Receipt {
        slip_number: Some("WR20260125001".into()),
        ..Receipt::default()
    };
    let ack = Ack {
        receipts: vec![NumberedReceipt {
            seq: 1,
            receipt: receipt.clone(),
        }],
        ..ack(1)
    };
    assert_eq!(told(&sender.ack(&mut store, &ack).unwrap()), "1:3");
    assert_eq!((acked(&store), sender.in_flight()), (1, 2));
    let kept = store.next_row(OLD, 1).unwrap().unwrap();
    assert_eq!(kept.receipt, Some(receipt));
}

#[test]
fn an_ack_is_believed_as_far_as_was_sent_and_never_lowers() {
    let mut store = file(3, 0);
    let (mut sender, _) = linked(&mut store, 0);
    append(&mut store);
    sender.ack(&mut store, &ack(99)).unwrap();
    assert_eq!(acked(&store), 3);
    sender.ack(&mut store, &ack(2)).unwrap();
    assert_eq!(acked(&store), 3);
}

#[test]
fn after_a_gap_all_is_sent_again_from_there() {
    let mut store = file(4, 2);
    let (mut sender, _) = linked(&mut store, 2);
    let outputs = sender.nack(&mut store, &nack(4, NackCode::Gap, 1), || NEW).unwrap();
    assert_eq!(told(&outputs), "back from 2 to 1, 1:2, 1:3, 1:4");
}

#[test]
fn after_a_bad_hash_that_very_event_goes_first() {
    let mut store = file(4, 0);
    let (mut sender, _) = linked(&mut store, 0);
    sender.ack(&mut store, &ack(1)).unwrap();
    let outputs = sender.nack(&mut store, &nack(3, NackCode::BadHash, 1), || NEW).unwrap();
    assert_eq!(told(&outputs), "1:3, 1:4");
}

#[test]
fn what_the_server_waits_for_goes_before_older_epochs() {
    let mut store = file(2, 0);
    store.open_epoch(NEW).unwrap();
    append(&mut store);
    append(&mut store);
    let mut sender = Sender::default();
    sender.hello(&store).unwrap();
    let both = welcome(&[(OLD, 0), (NEW, 0)], 64, 1 << 20);
    assert_eq!(
        told(&sender.welcome(&mut store, &both, || NEW).unwrap()),
        "1:1, 1:2, 2:1, 2:2"
    );
    let nack = Nack {
        epoch: NEW,
        ..nack(2, NackCode::BadHash, 1)
    };
    assert_eq!(told(&sender.nack(&mut store, &nack, || NEW).unwrap()), "2:2, 1:1, 1:2");
}

#[test]
fn a_server_that_waits_for_what_is_not_there_is_greeted_anew() {
    let mut store = file(2, 0);
    store.open_epoch(NEW).unwrap();
    append(&mut store);
    let mut sender = Sender::default();
    sender.hello(&store).unwrap();
    let both = welcome(&[(OLD, 0), (NEW, 0)], 64, 1 << 20);
    sender.welcome(&mut store, &both, || NEW).unwrap();
    let outputs = sender.nack(&mut store, &nack(2, NackCode::Gap, 2), || NEW).unwrap();
    assert_eq!(told(&outputs), "reconnect to be heard");
}

#[test]
fn a_conflict_gives_that_row_alone_another_name() {
    let mut store = file(3, 1);
    let (mut sender, _) = linked(&mut store, 1);
    let outputs = sender
        .nack(&mut store, &nack(2, NackCode::EpochConflict, 1), || NEW)
        .unwrap();
    assert_eq!(told(&outputs), "1:2 is 2:1, reconnect for an epoch");
    let reborn = &store.rows()[&EventId { epoch: NEW, seq: 1 }];
    assert_eq!(reborn.reborn_from, Some(EventId { epoch: OLD, seq: 2 }));
    assert!(reborn.event.is_intact());
    assert_eq!(store.missing(OLD).unwrap(), [SeqRange(2, 2)]);
}

#[test]
fn a_conflict_of_an_older_epoch_ends_in_the_open_one() {
    let mut store = file(2, 0);
    store.open_epoch(NEW).unwrap();
    append(&mut store);
    let mut sender = Sender::default();
    sender.hello(&store).unwrap();
    let both = welcome(&[(OLD, 0), (NEW, 0)], 64, 1 << 20);
    sender.welcome(&mut store, &both, || NEW).unwrap();
    let conflict = nack(1, NackCode::EpochConflict, 0);
    let outputs = sender.nack(&mut store, &conflict, || unreachable!()).unwrap();
    assert_eq!(told(&outputs), "1:1 is 2:2, 2:2");
}

#[test]
fn a_conflict_on_an_acknowledged_row_sends_the_whole_epoch_again() {
    let mut store = file(4, 3);
    let (mut sender, _) = linked(&mut store, 3);
    let outputs = sender
        .nack(&mut store, &nack(3, NackCode::EpochConflict, 3), || NEW)
        .unwrap();
    assert_eq!(told(&outputs), "1:3 is 2:1, reconnect for a fork");
    assert_eq!(acked(&store), 0);
    assert!(sender.ack(&mut store, &ack(4)).unwrap().is_empty());
    assert_eq!(
        acked(&store),
        0,
        "an ack of the old connection passes what is to be sent again"
    );
}

#[test]
fn a_gap_in_the_rows_is_announced_before_it_is_passed_over() {
    let mut store = file(3, 0);
    store.set_aside(EventId { epoch: OLD, seq: 2 }).unwrap();
    assert_eq!(linked(&mut store, 0).1, "1:1, 1:3", "hello has named it");
    let mut store = file(3, 0);
    store.rot(EventId { epoch: OLD, seq: 2 });
    let (mut sender, outputs) = linked(&mut store, 0);
    assert_eq!(outputs, "1:1, 1:2 is damaged, reconnect for a gap at 1:2");
    assert_eq!(sender.hello(&store).unwrap()[0].missing, [SeqRange(2, 2)]);
}
