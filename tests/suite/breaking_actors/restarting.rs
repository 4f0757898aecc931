//! An administrator restarts actors while trucks are weighed; callers see nothing but latency.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::Value;

use super::yard::Yard;

/// All that is made anew; the last ones hold a socket, which closes.
const ACTORS: [&str; 12] = [
    "repository",
    "queue-1",
    "indicator-1",
    "indicator-2",
    "indicator-3",
    "live-1",
    "erp-sync",
    "push",
    "messenger",
    "housekeeping",
    "session-1",
    "edge-link-1",
];

#[actix_web::test]
async fn forty_restarts_under_load_fail_no_request_and_lose_nothing() {
    let mut yard = Yard::at_work(5).await;
    let (mut led, mut restarts) = (BTreeMap::<String, u64>::new(), 0);
    for actor in ACTORS
        .iter()
        .cycle()
        .take(42)
        .filter(|actor| !actor.starts_with("session"))
    {
        let links = yard.edge.linked();
        let reply = yard.server.restart(actor).await;
        assert_eq!(reply.outcome(), "200", "{actor}: {}", reply.text);
        restarts += 1;
        if actor.starts_with("edge-link") {
            yard.edge.is_linked(links + 1).await;
            continue;
        }
        let followers = if *actor == "repository" {
            &["queue-1", "live-1"][..]
        } else {
            &[]
        };
        for made_anew in [*actor].iter().chain(followers) {
            *led.entry((*made_anew).to_owned()).or_default() += 1;
        }
    }
    assert!(restarts >= 38, "{restarts}");
    let generations = yard.generations().await;
    for (actor, times) in led {
        assert_eq!(generations[&actor], 1 + times, "{actor}");
    }
    check_audit(&yard, restarts).await;
    assert!(
        yard.watchers.iter().all(|watcher| watcher.closed().is_empty()),
        "dashboards keep their sockets"
    );
    for watcher in &yard.watchers {
        watcher.hears_more().await;
    }
    let met = yard.reckon().await;
    assert_eq!(met.failures, Vec::<String>::new());
    assert!(met.weighed > 0);
    assert!(
        yard.edge.closed().iter().all(|code| *code == 1012),
        "{:?}",
        yard.edge.closed()
    );
}

/// One row for each restart, and of each actor generations one after the other.
async fn check_audit(yard: &Yard, restarts: i64) {
    let query =
        "SELECT subject, before ->> 'generation', after ->> 'generation' FROM v_audit WHERE action = 'actor.restart'";
    let rows = yard.server.database.connect().await.query(query, &[]).await.unwrap();
    assert_eq!(i64::try_from(rows.len()).unwrap(), restarts);
    for row in rows {
        let (actor, before, after): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (before, after): (u64, u64) = (before.parse().unwrap(), after.parse().unwrap());
        let made_anew = u64::from(!actor.contains("edge-link"));
        assert_eq!(after, before + made_anew, "{actor}");
    }
}

#[actix_web::test]
async fn a_session_that_is_restarted_closes_with_1012_and_no_other_does() {
    let mut yard = Yard::open(1).await;
    yard.watch(3).await;
    assert_eq!(yard.server.restart("session-2").await.outcome(), "200");
    let closed = async || {
        let codes: Vec<u16> = yard.watchers.iter().flat_map(super::traffic::Watcher::closed).collect();
        (!codes.is_empty()).then_some(codes)
    };
    let codes = super::process::eventually("a dashboard is cut off", closed).await;
    assert_eq!(codes, [1012]);
    let come_back = async || yard.server.find("session-4").await;
    super::process::eventually("it comes back", come_back).await;
}

#[actix_web::test]
async fn of_twenty_restarts_at_once_one_is_done_and_the_others_hear_which() {
    let yard = Yard::open(1).await;
    // It has something in hand, so that the restart is under way for a while.
    yard.server.freeze("queue-1", 2).await;
    let replies = join_all((0..20).map(|_| yard.server.restart("queue-1"))).await;
    let (done, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((done.len(), others.len()), (1, 19));
    let id = &done[0].data()["restart_id"];
    assert!(id.is_string() && done[0].data()["generation"] == 2, "{}", done[0].text);
    for other in others {
        assert_eq!(other.outcome(), "409 ALREADY_RESTARTING", "{}", other.text);
        assert_eq!(&other.body["error"]["restart_id"], id);
    }
    assert_eq!(yard.server.actor("queue-1").await.generation, 2);
}

#[actix_web::test]
async fn the_repository_takes_queues_and_live_with_it_and_nobody_else() {
    let yard = Yard::open(2).await;
    let before = yard.generations().await;
    assert_eq!(yard.server.restart("repository").await.outcome(), "200");
    let after = yard.generations().await;
    for (actor, generation) in before {
        let led = ["repository", "queue-1", "live-1"].contains(&actor.as_str());
        assert_eq!(after[&actor], generation + u64::from(led), "{actor}");
    }
}

#[actix_web::test]
async fn hundreds_of_restarts_leave_nothing_behind() {
    let stations = 30;
    let yard = Yard::open(stations).await;
    restart_all(&yard, stations, 3).await;
    let before = yard.server.size();
    restart_all(&yard, stations, 7).await;
    let after = yard.server.size();
    assert!(
        after.resident_kib <= before.resident_kib + 5 * 1024,
        "{before:?} {after:?}"
    );
    assert!(
        after.threads <= before.threads && after.descriptors <= before.descriptors,
        "{before:?} {after:?}"
    );
}

async fn restart_all(yard: &Yard, stations: i64, times: usize) {
    for _ in 0..times {
        for station in 1..=stations {
            let reply = yard.server.restart(&format!("indicator-{station}")).await;
            assert!(matches!(reply.data()["generation"], Value::Number(_)), "{}", reply.text);
        }
    }
}
