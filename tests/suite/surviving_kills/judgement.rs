//! After the fire: does the server have what the yard saw and the edge promised, each once, and nothing else?

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::time::sleep;
use tokio_postgres::NoTls;
use weighbridge_protocol::Kilograms;
use weighbridge_sim::truth::{self, ServerSide, Verdict, server::committed};

use super::world::World;

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
pub async fn judge(world: &World) -> Verdict {
    drained(world).await;
    let verdict = compared(world).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(
        verdict.captures,
        verdict.confirmed + verdict.recovered,
        "one capture a stay, gap captures included: {verdict}"
    );
    assert_eq!(verdict.strangers_under_a_call, 0, "{verdict}");
    kept_promises(world).await;
    if let Some(broken) = world.verify() {
        panic!("weighbridge verify:\n{broken}");
    }
    verdict
}

async fn drained(world: &World) {
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
async fn compared(world: &World) -> Verdict {
    let began = Instant::now();
    loop {
        let server = ServerSide::read(&world.database_url()).await.unwrap();
        let promised = committed(&world.edge.out()).unwrap();
        let verdict = truth::compare(&world.site.yard.truth(), &server, &promised, DIVISION);
        if verdict.is_clean() || began.elapsed() > Duration::from_secs(10) {
            return verdict;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Every line `committed` of every life of the edge is one stored event with that cycle; nothing was refused or set
/// aside, and no identity has two texts.
async fn kept_promises(world: &World) {
    // First what was said, for a truck may still be weighed: whatever was said by now is stored when all is sent.
    let said = promises(world);
    drained(world).await;
    let (client, connection) = tokio_postgres::connect(&world.database_url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let stored = client
        .query("SELECT epoch, seq, cycle, status::text FROM v_edge_events", &[])
        .await
        .unwrap();
    let conflicts: i64 = client
        .query_one("SELECT count(*) FROM edge_conflict", &[])
        .await
        .unwrap()
        .get(0);
    drop(client);
    connection.await.unwrap().unwrap();
    let mut rows: BTreeMap<(String, i64), Vec<Option<String>>> = BTreeMap::new();
    for row in stored {
        let (epoch, seq, status): (String, i64, String) = (row.get(0), row.get(1), row.get(3));
        assert_eq!(status, "STORED", "event {seq} of epoch {epoch}");
        rows.entry((epoch, seq)).or_default().push(row.get(2));
    }
    for promise in &said {
        let found = rows.get(&(promise.epoch.clone(), promise.seq));
        assert_eq!(
            found,
            Some(&vec![Some(promise.cycle.clone())]),
            "the edge committed {promise:?}"
        );
    }
    let mut cycles: Vec<&str> = said.iter().map(|said| said.cycle.as_str()).collect();
    cycles.sort_unstable();
    let told = cycles.len();
    cycles.dedup();
    assert_eq!(cycles.len(), told, "a cycle was committed twice: {said:?}");
    assert_eq!(conflicts, 0, "an identity has two texts");
}

fn promises(world: &World) -> Vec<Said> {
    let text = fs::read_to_string(world.edge.out()).unwrap();
    let said = text.lines().filter_map(|line| serde_json::from_str::<Said>(line).ok());
    said.filter(|said| said.ev == "committed").collect()
}
