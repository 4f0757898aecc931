//! Many change the same line in the same instant, on one node and on two: whatever the outcome, it is one, and everybody is
//! told the same.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;
use weighbridge::db::{
    DbError,
    wait_queue::{CallNext, CheckIn, EntryById, ExpireCalls, Move, NotJoined, PauseDeadlines, Refusal, Sight},
};

use crate::support::{
    line::{Line, call_to, cancel_of, check_in, clerk, under_fire},
    site::Site,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_cancellations_and_no_shows_in_the_same_instant_leave_one_truth() {
    under_fire(3, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_who_cancels_in_the_instant_of_being_called_is_not_called_in_the_end() {
    let line = Line::new(1, 40).await;
    line.fill().await;
    let mut called_first = 0;
    for driver in 1..=40 {
        let entry = line
            .count(&format!("SELECT id FROM wait_queue WHERE driver_id = {driver}"))
            .await;
        let (called, cancelled) = tokio::join!(
            line.run(0, call_to(1, TimeDelta::minutes(5))),
            line.run(1, cancel_of(entry, Some(driver))),
        );
        assert!(cancelled.unwrap().is_ok());
        let open = format!("SELECT count(*) FROM wait_queue WHERE driver_id = {driver} AND status <> 'CANCELLED'");
        assert_eq!(line.count(&open).await, 0);
        if let Ok(Ok(called)) = called {
            called_first += i64::from(called.driver_id == driver);
            // The next one was called in his stead, or he was and is no longer.
            line.execute(
                "UPDATE wait_queue SET status = 'WAITING', station_id = NULL, record_id = NULL WHERE status = 'CALLED'",
            )
            .await;
            line.execute("DELETE FROM weigh_record").await;
        }
    }
    assert_eq!(
        line.count("SELECT count(*) FROM wait_queue WHERE status = 'CANCELLED'")
            .await,
        40
    );
    println!("{called_first} of 40 were called first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_who_checks_in_twice_at_once_stands_in_the_line_once() {
    let line = Line::new(1, 20).await;
    for driver in 1..=10 {
        let now = Utc::now();
        let (a, b, c) = tokio::join!(
            line.run(0, check_in(driver, driver, now)),
            line.run(1, check_in(driver, driver, now)),
            line.run(1, check_in(driver, driver + 10, now)),
        );
        let outcomes = [a.unwrap(), b.unwrap(), c.unwrap()];
        let joined = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let refused = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(NotJoined::AlreadyQueued)))
            .count();
        assert_eq!((joined, refused), (1, 2));
    }
    let numbers = "SELECT count(*) FROM wait_queue q JOIN queue_counter c USING (site_id, day) WHERE q.queue_number <= c.last_number";
    assert_eq!(line.count(numbers).await, 10);
    assert_eq!(
        line.count("SELECT last_number::bigint FROM queue_counter").await,
        10,
        "no number was lost"
    );
}

#[tokio::test]
async fn another_drivers_entry_is_not_there_and_his_vehicle_is_not_checked_in() {
    let line = Line::new(1, 2).await;
    line.execute("INSERT INTO vehicle_driver (vehicle_id, driver_id) VALUES (1, 1)")
        .await;
    let own = CheckIn {
        own_vehicle: true,
        ..check_in(1, 1, Utc::now())
    };
    let foreign = CheckIn {
        vehicle_id: 2,
        ..own.clone()
    };
    assert_eq!(
        line.run(0, foreign).await.unwrap().unwrap_err(),
        NotJoined::ForeignVehicle
    );
    let entry = line.run(0, own).await.unwrap().unwrap();
    let others = line.run(0, cancel_of(entry.id, Some(2))).await;
    assert!(matches!(others, Err(DbError::NotFound)), "{others:?}");
    assert_eq!(
        line.run(0, cancel_of(entry.id, Some(1)))
            .await
            .unwrap()
            .unwrap()
            .entry
            .status,
        "CANCELLED"
    );
    assert_eq!(
        line.run(0, cancel_of(entry.id, Some(1))).await.unwrap().unwrap_err(),
        Refusal::InvalidState
    );
}

/// Midnight in Korea lies between the two halves of these moments; each day counts from 1, also when they come mixed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_two_days_are_each_without_a_gap_at_midnight() {
    let line = Arc::new(Line::new(1, 60).await);
    let midnight: DateTime<Utc> = "2026-01-25T15:00:00Z".parse().unwrap();
    let gate = Arc::new(Barrier::new(60));
    let joining = (1..=60).map(|driver| {
        let (line, gate) = (Arc::clone(&line), Arc::clone(&gate));
        let now = midnight + TimeDelta::milliseconds(if driver % 2 == 0 { -1 } else { 0 });
        tokio::spawn(async move {
            gate.wait().await;
            let node = usize::try_from(driver).unwrap();
            line.run(node, check_in(driver, driver, now)).await.unwrap().unwrap()
        })
    });
    let mut days: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for joined in join_all(joining).await {
        let entry = joined.unwrap();
        days.entry(entry.day.to_string()).or_default().push(entry.queue_number);
    }
    for numbers in days.values_mut() {
        numbers.sort_unstable();
        assert_eq!(*numbers, (1..=30).collect::<Vec<_>>());
    }
    assert_eq!(days.into_keys().collect::<Vec<_>>(), ["2026-01-25", "2026-01-26"]);
}

#[tokio::test]
async fn a_station_that_closes_while_it_calls_calls_nobody_or_gives_the_truck_back() {
    let site = Site::new().await;
    let station = site.stations[0];
    let truck = site.truck("12가3456").await;
    site.check_in(truck).await.done();
    for _ in 0..8 {
        let path = format!("/stations/{station}/close");
        let (called, closed) = tokio::join!(site.call_next(station), site.post(&path, json!({})));
        closed.done();
        if !called.status.is_success() {
            assert_eq!(called.failure(), "409 INVALID_STATE");
        }
        let line = site.get("/queue").await.done();
        assert_eq!(line["items"][0]["status"], "WAITING", "{line}");
        site.post(&format!("/stations/{station}/open"), json!({})).await.done();
    }
    let owed = async |kind: &str| {
        site.count(&format!("SELECT count(*) FROM outbox WHERE kind = '{kind}'"))
            .await
    };
    assert_eq!(
        owed("PUSH_CALLED").await,
        owed("PUSH_WITHDRAWN").await,
        "each call that was made was taken back"
    );
}

#[tokio::test]
async fn a_deadline_does_not_run_while_nobody_could_see_the_truck_come() {
    let line = Line::new(1, 1).await;
    line.fill().await;
    let start = Utc::now();
    let called = line.run(0, call_to(1, TimeDelta::minutes(10))).await.unwrap().unwrap();
    let look = async |minutes: i64, seen: bool| {
        let (now, awake) = (start + TimeDelta::minutes(minutes), if seen { vec![1] } else { vec![] });
        let sight = Sight {
            awake: awake.clone(),
            ..Sight::default()
        };
        let pause = PauseDeadlines { site_id: 1, sight, now };
        line.run(0, pause).await.unwrap();
        let gone = line.run(0, ExpireCalls { stations: awake, now }).await.unwrap();
        (
            gone.len(),
            line.run(0, EntryById { id: called.id }).await.unwrap().deadline_at,
        )
    };
    assert_eq!(look(9, true).await, (0, called.deadline_at));
    assert_eq!(
        look(9, false).await,
        (0, None),
        "no deadline is shown that does not run"
    );
    assert_eq!(look(60, false).await, (0, None));
    let moved = called.deadline_at.map(|at| at + TimeDelta::minutes(51));
    assert_eq!(
        look(60, true).await,
        (0, moved),
        "51 minutes were dark, and one is left"
    );
    line.execute("UPDATE weigh_station SET status = 'WEIGHING'").await;
    assert_eq!(look(62, true).await.0, 0, "a truck on the deck has come");
    line.execute("UPDATE weigh_station SET status = 'IDLE'").await;
    assert_eq!(look(62, true).await.0, 1);
    assert_eq!(
        line.count("SELECT count(*) FROM wait_queue WHERE status = 'NO_SHOW'")
            .await,
        1
    );
}

#[tokio::test]
async fn an_entry_is_moved_between_the_same_two_as_often_as_staff_like() {
    let line = Line::new(1, 4).await;
    line.fill().await;
    let entries = line.ids("SELECT id FROM wait_queue ORDER BY position").await;
    // Each move halves the room behind the first.
    for round in 0..130 {
        let moved = Move {
            entry_id: entries[1 + round % 2],
            after_id: Some(entries[0]),
            author: clerk(),
        };
        line.run(round, moved).await.unwrap().unwrap();
        let (front, back) = (entries[1 + round % 2], entries[2 - round % 2]);
        let expected = [entries[0], front, back, entries[3]];
        let order = line.ids("SELECT id FROM wait_queue ORDER BY position, id").await;
        assert_eq!(order, expected, "round {round}");
    }
}

/// Two nodes look at one line; the edge is linked to the first.
#[tokio::test]
async fn a_deadline_runs_on_while_any_node_hears_the_station() {
    let line = Line::new(1, 1).await;
    line.fill().await;
    let start = Utc::now().trunc_subsecs(3);
    let call = CallNext {
        now: start,
        ..call_to(1, TimeDelta::minutes(10))
    };
    let called = line.run(0, call).await.unwrap().unwrap();
    let (first, second) = (0, 1);
    let look = async |node: usize, seconds: i64, sight: Sight| {
        let now = start + TimeDelta::seconds(seconds);
        line.run(node, PauseDeadlines { site_id: 1, sight, now }).await.unwrap();
        line.run(0, EntryById { id: called.id }).await.unwrap().deadline_at
    };
    let heard = async |seconds: i64| {
        let at = (start + TimeDelta::seconds(seconds)).to_rfc3339();
        line.execute(&format!("UPDATE edge_gateway SET last_seen_at = '{at}'"))
            .await;
    };
    let awake = || Sight {
        awake: vec![1],
        ..Sight::default()
    };
    let runs = called.deadline_at;
    for seconds in (0..60).step_by(5) {
        heard(seconds).await;
        assert_eq!(look(first, seconds + 1, awake()).await, runs);
        assert_eq!(look(second, seconds + 2, Sight::default()).await, runs, "{seconds}");
    }
    // The indicator falls silent: the first node knows, and the second leaves it at that.
    let dark = Sight {
        dark: vec![1],
        ..Sight::default()
    };
    assert_eq!(look(first, 60, dark).await, None);
    assert_eq!(look(second, 61, Sight::default()).await, None);
    let later = runs.map(|at| at + TimeDelta::seconds(30));
    assert_eq!(look(first, 90, awake()).await, later, "thirty seconds were dark");
    // The edge leaves the first node, and comes to the second.
    heard(92).await;
    let lost = Sight {
        lost: vec![1],
        ..Sight::default()
    };
    assert_eq!(look(first, 94, lost).await, None);
    let later = later.map(|at| at + TimeDelta::seconds(4));
    assert_eq!(look(second, 96, awake()).await, later, "dark since it was heard last");
    // Its node dies: nobody hears of it for a while, and the deadline stands since it was heard last.
    assert_eq!(look(first, 110, Sight::default()).await, later);
    assert_eq!(look(first, 113, Sight::default()).await, None);
    let later = later.map(|at| at + TimeDelta::seconds(48));
    assert_eq!(look(first, 140, awake()).await, later);
}
