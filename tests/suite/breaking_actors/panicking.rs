//! An actor that panics is made anew, and what it was about to do is done by whoever wanted it.

use futures_util::future::join_all;
use rand::seq::SliceRandom;
use serde_json::json;

use super::{
    process::{Row, eventually},
    traffic::{Met, Watcher},
    yard::{TOPICS, Yard},
};

/// As many as are answered by a restart within 30 s.
const PANICS: u64 = 5;
/// One of each kind that is made anew.
const PERMANENT: [&str; 8] = [
    "repository",
    "queue-1",
    "indicator-2",
    "live-1",
    "erp-sync",
    "push",
    "messenger",
    "housekeeping",
];

#[actix_web::test]
async fn each_kind_of_actor_panics_five_times_and_nothing_is_lost() {
    let mut yard = Yard::at_work(10).await;
    let mut order = PERMANENT.repeat(usize::try_from(PANICS).unwrap());
    order.shuffle(&mut rand::rng());
    for actor in order {
        let before = yard.server.actor(actor).await;
        yard.server.panic(actor, "message", 1).await;
        let made_anew = |row: &Row| row.state == "RUNNING" && row.generation > before.generation;
        let row = yard.server.until(actor, made_anew).await;
        assert!(row.last_failure.contains("panicked"), "{actor}: {row:?}");
    }
    let (panics, followed) = (PANICS, 2 * PANICS);
    for actor in PERMANENT {
        let generation = yard.server.actor(actor).await.generation;
        let expected = if matches!(actor, "queue-1" | "live-1") {
            followed
        } else {
            panics
        };
        assert_eq!(generation, 1 + expected, "{actor}");
    }
    assert!(yard.server.is_alive());
    let Met { weighed, failures } = yard.reckon().await;
    assert!(weighed > 0);
    // The request in hand at a panic, of the actors that requests are asked of.
    assert!(failures.len() <= usize::try_from(2 * followed).unwrap(), "{failures:?}");
}

#[actix_web::test]
async fn a_socket_whose_actor_panics_closes_with_1012_and_its_peer_comes_back() {
    let mut yard = Yard::at_work(3).await;
    for times in 1..=5 {
        yard.server.panic("edge-link-1", "message", 1).await;
        yard.edge.is_linked(1 + times).await;
    }
    assert_eq!(yard.edge.closed(), [1012; 5]);
    for session in ["session-1", "session-2", "session-3"] {
        let snapshots: usize = yard.watchers.iter().map(Watcher::snapshots).sum();
        yard.server.panic(session, "message", 1).await;
        let come_back = async || {
            let now: usize = yard.watchers.iter().map(Watcher::snapshots).sum();
            (now >= snapshots + TOPICS).then_some(())
        };
        eventually("the dashboard comes back", come_back).await;
    }
    let closed: Vec<u16> = yard.watchers.iter().flat_map(Watcher::closed).collect();
    assert_eq!(closed, [1012; 3]);
    assert_eq!(
        yard.server.metric("actor_restarts_total", "edge-link").await,
        0,
        "they are not restarted"
    );
    yard.reckon().await;
}

#[actix_web::test]
async fn queries_that_panic_take_no_connection_and_no_thread_with_them() {
    let yard = Yard::open(1).await;
    let admin = &yard.server.admin;
    let breaking = json!({ "actor": "repository", "on": "query" });
    let broken = (0..50).map(|_| admin.post("/api/v1/admin/_chaos/panic", breaking.clone()));
    for reply in join_all(broken).await {
        assert_eq!(reply.outcome(), "500 INTERNAL", "{}", reply.text);
    }
    let reads = join_all((0..200).map(|_| admin.get("/api/v1/vehicles"))).await;
    for reply in reads {
        assert_eq!(reply.outcome(), "200", "{}", reply.text);
    }
    let repository = yard.server.actor("repository").await;
    assert_eq!((repository.generation, repository.state.as_str()), (1, "RUNNING"));
    let panicked = yard.server.logged("BreakInside panicked");
    assert_eq!(
        panicked.iter().filter(|line| *line == "BreakInside panicked").count(),
        50
    );
}

#[actix_web::test]
async fn an_event_that_always_breaks_its_handler_is_set_aside_and_all_others_are_taken() {
    let mut yard = Yard::open(2).await;
    yard.watch(1).await;
    let poisonous = yard.truck().await;
    yard.server.poison(&poisonous.plate).await;
    let mut met = Met::default();
    poisonous.check_in(&yard.server.admin, &mut met).await;
    let station = poisonous.is_called(&yard.server.admin, &mut met).await;
    let other = 3 - station;
    let indicator = format!("indicator-{station}");
    yard.watchers[0].sees_at_a_station(&poisonous.plate).await;
    for _ in 0..10 {
        yard.edge.stay(other, 18_000);
    }
    yard.edge.all_acknowledged().await;
    yard.edge.stay(station, 25_000);
    for _ in 0..10 {
        yard.edge.stay(other, 18_000);
    }
    yard.edge.all_acknowledged().await;
    let quarantined = "SELECT count(*) FROM edge_event WHERE status = 'QUARANTINED'";
    assert_eq!(yard.server.count(quarantined).await, 1);
    let others = "SELECT count(*) FROM edge_event WHERE status = 'STORED'";
    let told = i64::try_from(yard.edge.events().len()).unwrap();
    assert_eq!(yard.server.count(others).await, told - 1);
    assert_eq!(yard.server.logged("is set aside").len(), 1, "staff are told once");
    assert_eq!(yard.server.metric("edge_set_aside_total", "").await, 1);
    let row = yard.server.until(&indicator, |row| row.state == "RUNNING").await;
    assert!(
        (3..=4).contains(&row.restarts),
        "three attempts alone, and perhaps one in a group: {row:?}"
    );
    yard.everything_is_stored_once().await;
    let (code, findings) = yard.server.command(&["verify"], "");
    assert_eq!(code, Some(0), "{findings}");
}
