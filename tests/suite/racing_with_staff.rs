//! Staff decide on weights and records while the line moves: whoever comes second sees what the first one did, and nobody
//! waits for the other in a circle.

use chrono::{TimeDelta, Utc};
use weighbridge::db::{
    capture::{Assign, CaptureKey, Decision},
    parties::Parties,
    wait_queue::{CallNext, Recall, Refusal, Return},
    weigh_record::VoidRecord,
};
use weighbridge_protocol::Kilograms;

use crate::support::line::{Line, call_to, cancel_of, clerk};

/// The first capture of the yard: of 25 t, a minute ago, at the first station.
const CAPTURE: i64 = 1;

/// The line of one truck, which waits, and a weight that nobody has decided on.
async fn undecided() -> Line {
    let line = Line::new(2, 1).await;
    line.fill().await;
    line.execute(
        "INSERT INTO edge_epoch (epoch, edge_id, have) VALUES ('00000000-0000-0000-0000-0000000000e1', 1, 1);
         INSERT INTO edge_event (epoch, seq, edge_id, station_id, kind, cycle, sha256, body, status)
           VALUES ('00000000-0000-0000-0000-0000000000e1', 1, 1, 1, 'capture', gen_random_uuid(), repeat('a', 64), '{}', 'STORED');
         INSERT INTO capture (id, station_id, cycle, epoch, seq, weight, captured_at)
           SELECT 1, 1, cycle, epoch, seq, 25000, now() - interval '1 minute' FROM edge_event;
         UPDATE vehicle SET tare_weight = 10000; UPDATE wait_queue SET created_at = now() - interval '1 hour';",
    )
    .await;
    line
}

fn assign() -> Assign {
    assign_capture(CAPTURE)
}

fn assign_capture(id: i64) -> Assign {
    Assign {
        key: CaptureKey::Row(id),
        parties: Parties {
            vehicle_id: 1,
            driver_id: Some(1),
            product_id: None,
            customer_id: None,
        },
        min_net: Kilograms::from_whole(100),
        author: clerk(),
        now: Utc::now(),
    }
}

fn void(record_id: i64, requeue: bool) -> VoidRecord {
    VoidRecord {
        record_id,
        reason: "다른 차량".into(),
        requeue,
        author: clerk(),
        now: Utc::now(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weight_is_assigned_while_its_trucks_entry_is_called_returned_or_cancelled() {
    let line = undecided().await;
    let mut deadlocks = Vec::new();
    for round in 0..120 {
        let state = ["REVIEW", "NO_SHOW", "WAITING"][round % 3];
        line.execute(&format!(
            "UPDATE wait_queue SET status = '{state}', station_id = 2, record_id = NULL, capture_id = NULL, completed_at = NULL;
             UPDATE capture SET state = 'UNASSIGNED', record_id = NULL, decided_by = NULL, decided_at = NULL;"
        ))
        .await;
        let entry_id = line.count("SELECT id FROM wait_queue").await;
        let call = CallNext {
            by_itself: false,
            entry_id: Some(entry_id),
            ..call_to(2, TimeDelta::minutes(5))
        };
        let back = Return {
            entry_id,
            author: clerk(),
        };
        let recall = Recall {
            entry_id,
            deadline: TimeDelta::minutes(5),
            author: clerk(),
            now: Utc::now(),
        };
        let cancel = cancel_of(entry_id, None);
        let (assigned, called, returned, recalled, cancelled) = tokio::join!(
            line.run(0, assign()),
            async { line.run(1, call).await.map(drop) },
            async { line.run(1, back).await.map(drop) },
            async { line.run(0, recall).await.map(drop) },
            async {
                if round % 2 == 0 {
                    return Ok(());
                }
                line.run(1, cancel).await.map(drop)
            },
        );
        let told = format!("{assigned:?}");
        let assigned = assigned.map(|decision| assert!(matches!(decision, Decision::Made { .. }), "{told}"));
        for outcome in [assigned, called, returned, recalled, cancelled] {
            if let Err(error) = outcome {
                assert!(error.is_deadlock(), "{error}");
                deadlocks.push(format!("round {round}, {state}: {error}"));
            }
        }
        // Other stations' calls are their own; the weight is on a record whatever became of the entry.
        let complete =
            "SELECT count(*) FROM weigh_record r JOIN capture c ON c.record_id = r.id WHERE r.status = 'COMPLETED'";
        if deadlocks.is_empty() {
            assert_eq!(line.count(complete).await, 1, "round {round}");
        }
    }
    assert_eq!(deadlocks, Vec::<String>::new(), "locks are taken in one order");
}

/// A record that waits for its second pass, weighed at the first station; its truck waits in the line.
async fn on_its_second_pass() -> (Line, i64) {
    let line = undecided().await;
    line.execute("UPDATE vehicle SET tare_weight = NULL; UPDATE wait_queue SET status = 'COMPLETED'")
        .await;
    assert!(matches!(line.run(0, assign()).await, Ok(Decision::Made { .. })));
    line.execute("UPDATE wait_queue SET status = 'WAITING'").await;
    let record = line
        .count("SELECT id FROM weigh_record WHERE status = 'WEIGHING'")
        .await;
    (line, record)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truck_that_is_called_while_its_open_record_is_voided_gets_a_new_one() {
    let (line, record) = on_its_second_pass().await;
    // The void has the record, and waits for the vehicle.
    let holder = line.hold("SELECT * FROM vehicle FOR UPDATE").await;
    let calling = async {
        line.until_locked_out(1).await;
        let called = tokio::time::timeout(
            std::time::Duration::from_millis(300),
            line.run(1, call_to(2, TimeDelta::minutes(5))),
        )
        .await;
        holder.batch_execute("COMMIT").await.unwrap();
        match called {
            Ok(called) => called,
            // The transaction that was given up is not waited for.
            Err(_) => line.run(1, call_to(2, TimeDelta::minutes(5))).await,
        }
    };
    let (voided, called) = tokio::join!(line.run(0, void(record, false)), calling);
    assert!(voided.unwrap().is_ok());
    let called = called.unwrap().unwrap();
    let query = format!(
        "SELECT count(*) FROM weigh_record WHERE id = {} AND status = 'PENDING'",
        called.record_id.unwrap()
    );
    assert_eq!(line.count(&query).await, 1, "nobody is called to a void record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_not_voided_whose_truck_was_called_in_that_instant() {
    let (line, record) = on_its_second_pass().await;
    // The void has read what it is about, and waits for the station where the first pass was.
    let holder = line.hold("SELECT * FROM weigh_station WHERE id = 1 FOR UPDATE").await;
    let calling = async {
        line.until_locked_out(1).await;
        let called = line.run(1, call_to(2, TimeDelta::minutes(5))).await;
        holder.batch_execute("COMMIT").await.unwrap();
        called
    };
    let (voided, called) = tokio::join!(line.run(0, void(record, false)), calling);
    assert_eq!(called.unwrap().unwrap().record_id, Some(record));
    assert_eq!(voided.unwrap().unwrap_err(), Refusal::InvalidState);
    let open = "SELECT count(*) FROM weigh_record WHERE status = 'WEIGHING'";
    assert_eq!(line.count(open).await, 1);
}

/// A truck without a registered tare that has checked in just now, and two weights that nobody has decided on: of 25 t at the
/// first station, and of 9 t at the second.
async fn twice_undecided() -> Line {
    let line = undecided().await;
    line.execute(
        "UPDATE vehicle SET tare_weight = NULL; UPDATE wait_queue SET created_at = now();
         INSERT INTO edge_event (epoch, seq, edge_id, station_id, kind, cycle, sha256, body, status)
           VALUES ('00000000-0000-0000-0000-0000000000e1', 2, 1, 2, 'capture', gen_random_uuid(), repeat('a', 64), '{}', 'STORED');
         INSERT INTO capture (id, station_id, cycle, epoch, seq, weight, captured_at)
           SELECT 2, 2, cycle, epoch, seq, 9000, now() - interval '30 seconds' FROM edge_event WHERE seq = 2;",
    )
    .await;
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_weights_that_are_assigned_in_one_instant_are_the_passes_of_one_weighing() {
    let line = twice_undecided().await;
    let holder = line.hold("SELECT * FROM vehicle FOR UPDATE").await;
    let release = async {
        line.until_locked_out(2).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (loaded, empty, ()) = tokio::join!(line.run(0, assign_capture(1)), line.run(1, assign_capture(2)), release);
    for decision in [loaded, empty] {
        assert!(matches!(decision, Ok(Decision::Made { .. })), "{decision:?}");
    }
    let records = "SELECT string_agg(status || ' ' || direction || ' ' || net_weight::int, ', ') FROM weigh_record";
    assert_eq!(line.text(records).await, "COMPLETED IN 16000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weight_that_is_assigned_in_the_instant_of_its_trucks_call_is_on_the_record_of_that_call() {
    let line = twice_undecided().await;
    let holder = line.hold("SELECT * FROM vehicle FOR UPDATE").await;
    let release = async {
        line.until_locked_out(2).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (assigned, called, ()) = tokio::join!(
        line.run(0, assign()),
        line.run(1, call_to(2, TimeDelta::minutes(5))),
        release
    );
    assert!(matches!(assigned, Ok(Decision::Made { .. })), "{assigned:?}");
    let record = called.unwrap().unwrap().record_id.unwrap();
    let its_own = format!("SELECT count(*) FROM weigh_record WHERE id = {record} AND first_weight = 25000");
    assert_eq!(line.count(&its_own).await, 1);
    assert_eq!(line.count("SELECT count(*) FROM weigh_record").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_staff_assign_and_call_at_once_a_truck_has_one_open_record() {
    let line = twice_undecided().await;
    let mut deadlocks = Vec::new();
    for round in 0..60 {
        let state = ["WAITING", "NO_SHOW"][round % 2];
        line.execute(&format!(
            "UPDATE wait_queue SET status = '{state}', station_id = 2, record_id = NULL, capture_id = NULL, completed_at = NULL,
               created_at = now();
             UPDATE capture SET state = 'UNASSIGNED', record_id = NULL, decided_by = NULL, decided_at = NULL;
             UPDATE weigh_record SET status = 'VOIDED', voided_at = now(), void_reason = 'x' WHERE status <> 'VOIDED';"
        ))
        .await;
        let call = CallNext {
            entry_id: Some(line.count("SELECT id FROM wait_queue").await),
            ..call_to(2, TimeDelta::minutes(5))
        };
        let (loaded, empty, called) = tokio::join!(
            async { line.run(0, assign_capture(1)).await.map(drop) },
            async { line.run(1, assign_capture(2)).await.map(drop) },
            async { line.run(round, call).await.map(drop) },
        );
        for error in [loaded, empty, called].into_iter().filter_map(Result::err) {
            assert!(error.is_deadlock(), "{error}");
            deadlocks.push(format!("round {round}, {state}: {error}"));
        }
        let open = "SELECT count(*) FROM weigh_record WHERE status = 'WEIGHING'";
        assert_eq!(
            line.count(open).await,
            0,
            "round {round}: both weights are one weighing"
        );
    }
    assert_eq!(deadlocks, Vec::<String>::new(), "locks are taken in one order");
}
