//! After the fire: does the server have what the yard saw and the edge promised, each once, and nothing else?

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use chrono::DateTime;
use serde::Deserialize;
use tokio::time::sleep;
use weighbridge_protocol::Kilograms;
use weighbridge_sim::truth::{self, Finding, ServerSide, Verdict, server::committed};

use super::world::World;
use crate::frame::Case;

/// What is as it should be in a case, and would be wrong in any other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// Two files gave out the same identities: an event stands under another than the edge told at first.
    pub forked: bool,
    /// The edge's file was damaged: what is gone stands as LOST at the server.
    pub damaged: bool,
    /// The edge's wall clock was wrong: what counts is the server's corrected time.
    pub wrong_clock: bool,
    /// So many captures were put into the edge's file, of trucks that no deck has seen.
    pub put_in: usize,
}

/// What an edge said on its standard output.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Said {
    ev: String,
    epoch: String,
    seq: i64,
    cycle: String,
}

/// The division of the yard's indicators.
const DIVISION: Kilograms = Kilograms::from_whole(20);
const DRAINED_WITHIN: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Waits until everything has been sent, and then holds the server against the yard and the edge.
///
/// # Panics
/// Where anything was lost, doubled, altered or made up.
pub async fn judge(world: &World, case: &mut Case) {
    judge_as(world, case, Expected::default()).await;
}

/// The same for a case in which something is as expected that would be wrong elsewhere.
pub async fn judge_as(world: &World, case: &mut Case, expected: Expected) {
    let began = Instant::now();
    drained(world).await;
    case.recovered(began.elapsed());
    let verdict = compared(world, expected).await;
    case.judged(&verdict);
    assert!(verdict.is_clean(), "{verdict}");
    assert!(
        expected.damaged || verdict.captures == verdict.confirmed + verdict.recovered + expected.put_in,
        "one capture a stay, gap captures included: {verdict}"
    );
    assert_eq!(verdict.strangers_under_a_call, 0, "{verdict}");
    kept_promises(world, case, expected).await;
    if let Some(broken) = world.verify() {
        panic!("weighbridge verify:\n{broken}");
    }
}

/// Waits until the server has acknowledged all that the edge holds.
pub async fn drained(world: &World) {
    let began = Instant::now();
    loop {
        let status = world.edge_status();
        if status.as_ref().is_some_and(|status| status["unsent"] == 0) {
            return;
        }
        assert!(
            began.elapsed() < DRAINED_WITHIN,
            "unsent events stay with the edge: {status:?}\n{}\n{}",
            world.edge.log_tail(),
            world.server.log_tail()
        );
        sleep(LOOK_AGAIN).await;
    }
}

/// Looks again while something is missing: a truck that still stands may be captured at this moment.
async fn compared(world: &World, expected: Expected) -> Verdict {
    let began = Instant::now();
    loop {
        let mut server = ServerSide::read(&world.database_url()).await.unwrap();
        if expected.wrong_clock {
            correct_times(world, &mut server).await;
        }
        let promised = committed(&world.edge.out()).unwrap();
        let mut verdict = truth::compare(&world.truth(), &server, &promised, DIVISION);
        forgive(&mut verdict, expected);
        if verdict.is_clean() || began.elapsed() > Duration::from_secs(10) {
            return verdict;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Takes out what is as expected.
fn forgive(verdict: &mut Verdict, expected: Expected) {
    if expected.damaged {
        // Each promise is looked at by itself.
        let is_loss = |finding: &Finding| matches!(finding, Finding::Lost { .. } | Finding::EventMissing { .. });
        verdict.findings.retain(|finding| !is_loss(finding));
    }
    let is_phantom = |finding: &Finding| matches!(finding, Finding::Phantom { .. });
    let phantoms = verdict.findings.iter().filter(|finding| is_phantom(finding)).count();
    if phantoms == expected.put_in {
        verdict.findings.retain(|finding| !is_phantom(finding));
    }
}

/// Each capture at the server's corrected time in place of the edge's own.
async fn correct_times(world: &World, server: &mut ServerSide) {
    let sql = "SELECT id::text, (extract(epoch FROM captured_at) * 1000000)::bigint::text FROM capture";
    let times = world.pairs(sql).await;
    for capture in &mut server.captures {
        let micros = times[&capture.id.to_string()].parse().unwrap();
        capture.at = DateTime::from_timestamp_micros(micros).unwrap();
    }
}

/// Every line `committed` of every life of the edge is one stored event with that cycle; nothing was refused or set
/// aside, and no identity has two texts.
async fn kept_promises(world: &World, case: &mut Case, expected: Expected) {
    // First what was said, for a truck may still be weighed: whatever was said by now is stored when all is sent.
    let said = promises(world);
    drained(world).await;
    let events = "SELECT epoch || ' ' || seq, status || ' ' || coalesce(cycle, '') FROM v_edge_events";
    let events = world.pairs(events).await;
    // A row whose text and identity contradict each other is kept for staff to look at.
    let is_told_damage =
        |event: &str| expected.damaged && (event.starts_with("LOST ") || event.starts_with("REJECTED "));
    for (name, event) in &events {
        assert!(
            event.starts_with("STORED ") || is_told_damage(event),
            "event {name} is {event}"
        );
    }
    let captures = "SELECT replace(cycle::text, '-', ''), count(*)::text FROM capture GROUP BY 1";
    let captures = world.pairs(captures).await;
    for promise in &said {
        let Said { epoch, seq, cycle, .. } = promise;
        let stands_as = events.get(&format!("{epoch} {seq}"));
        if stands_as.is_some_and(|event| is_told_damage(event)) {
            case.did("events damaged, and said so", 1);
            continue;
        }
        let times = captures.get(cycle).map(String::as_str);
        assert_eq!(times, Some("1"), "captures of {promise:?}");
        let as_told = stands_as == Some(&format!("STORED {cycle}"));
        assert!(as_told || expected.forked, "{promise:?} stands as {stands_as:?}");
    }
    let cycles: BTreeSet<&str> = said.iter().map(|said| said.cycle.as_str()).collect();
    assert_eq!(cycles.len(), said.len(), "a cycle was committed twice: {said:?}");
    let conflicts = world
        .pairs("SELECT 'conflicts', count(*)::text FROM edge_conflict")
        .await;
    let forked = conflicts["conflicts"] != "0";
    // A file that lost its end gives out again what it had given out.
    assert!(
        forked == expected.forked || expected.damaged,
        "identities with two texts: {forked}"
    );
}

fn promises(world: &World) -> Vec<Said> {
    let text = fs::read_to_string(world.edge.out()).unwrap();
    let said = text.lines().filter_map(|line| serde_json::from_str::<Said>(line).ok());
    said.filter(|said| said.ev == "committed").collect()
}
