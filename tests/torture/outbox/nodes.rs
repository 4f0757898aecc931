//! OB-01, OB-07 and OB-08: two servers on one database.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::time::sleep;

use super::{HASTE, PATIENCE, SENT, all, applied_once, begin, count, owe, settings_of, until};
use crate::support::{database::Database, folder::Folder, node::Node, owed::owe_days, stand_in::StandIn};

const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weighings_reach_the_erp_once_through_two_hundred_kills() {
    const SLIPS: usize = 1000;
    const KILLS: usize = 200;
    let Some(mut case) = begin("OB-01").await else { return };
    let (database, folder) = (Database::new(), Folder::new());
    let erp = StandIn::start("erp", &["--delay", "20"]);
    let own = settings_of(&erp);
    let short = [("delivery.lease", "2s"), ("delivery.send_timeout", "1s")];
    let mut nodes = ["a", "b"].map(|name| Node::start(&folder, name, &database, &all(&own, &[&HASTE, &short])));
    let client = database.connect().await;
    owe(&client, 1..=SLIPS).await;
    for number in 0..KILLS {
        // Each kill finds work under way.
        let arrived = i64::try_from(number * SLIPS / (KILLS + 5)).unwrap();
        let began = Instant::now();
        while count(&client, SENT).await < arrived {
            assert!(began.elapsed() < PATIENCE, "nothing arrives any more");
            sleep(LOOK_AGAIN).await;
        }
        nodes[number % 2].kill_and_start();
        case.did("kills", 1);
    }
    until(&client, SENT, i64::try_from(SLIPS).unwrap()).await;
    applied_once(&mut case, &erp, "Weighing", SLIPS).await;
    let stuck = "SELECT count(*) FROM outbox WHERE state IN ('LEASED', 'DEAD') AND kind = 'ERP_COMPLETE'";
    assert_eq!(count(&client, stuck).await, 0);
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_sleeps_for_three_leases_is_replaced_and_fenced() {
    const ROUNDS: usize = 10;
    const LEASE: Duration = Duration::from_secs(3);
    let Some(mut case) = begin("OB-07").await else { return };
    let (database, folder) = (Database::new(), Folder::new());
    let erp = StandIn::start("erp", &["--delay", "1500"]);
    let own = settings_of(&erp);
    let short = [("delivery.lease", "3s"), ("delivery.send_timeout", "2s")];
    let nodes = ["a", "b"].map(|name| Node::start(&folder, name, &database, &all(&own, &[&HASTE, &short])));
    for node in &nodes {
        node.address().await;
    }
    let client = database.connect().await;
    let mut fenced = 0;
    for round in 1..=ROUNDS {
        owe(&client, round..=round).await;
        let holder = loop {
            let held = "SELECT lease_owner FROM outbox WHERE kind = 'ERP_COMPLETE' AND state = 'LEASED'";
            if let Some(held) = client.query_opt(held, &[]).await.unwrap() {
                break held.get::<_, String>(0);
            }
            sleep(LOOK_AGAIN).await;
        };
        let sleeper = nodes
            .iter()
            .find(|node| holder.contains(&format!("-{}-", node.pid())))
            .unwrap();
        sleeper.signal(Signal::SIGSTOP);
        let stopped_at = Instant::now();
        until(&client, SENT, i64::try_from(round).unwrap()).await;
        case.recovered(stopped_at.elapsed());
        assert!(
            stopped_at.elapsed() < LEASE + Duration::from_secs(15),
            "the other one takes over"
        );
        sleep((LEASE * 3).saturating_sub(stopped_at.elapsed())).await;
        sleeper.signal(Signal::SIGCONT);
        case.did("freezes", 1);
        let term = "SELECT lease_term FROM outbox WHERE kind = 'ERP_COMPLETE' ORDER BY id DESC LIMIT 1";
        if count(&client, term).await == 1 {
            // It had settled it in that instant.
            continue;
        }
        fenced += 1;
        while nodes[0].counted("outbox_fenced_total").await + nodes[1].counted("outbox_fenced_total").await < fenced {
            assert!(stopped_at.elapsed() < PATIENCE, "it was not fenced");
            sleep(Duration::from_millis(50)).await;
        }
        case.did("fenced", 1);
    }
    assert!(fenced >= 5, "{fenced} were asleep with a message on its way");
    applied_once(&mut case, &erp, "Weighing", ROUNDS).await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_are_closed_once_by_leaders_that_are_stopped_and_cut_off() {
    /// Of each way to fall.
    const FALLS: usize = 200;
    const DAYS: i64 = 1500;
    let Some(mut case) = begin("OB-08").await else { return };
    let (database, folder) = (Database::new(), Folder::new());
    let client = database.connect().await;
    owe_days(&client, DAYS, Duration::from_millis(100)).await;
    let lease = [("leader.lease", "600ms"), ("leader.renew", "150ms")];
    let nodes = ["a", "b"].map(|name| Node::start(&folder, name, &database, &lease));
    for node in &nodes {
        node.address().await;
    }
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..FALLS {
        client.execute(cut, &[]).await.unwrap();
        case.did("connections cut", 1);
        sleep(Duration::from_millis(200)).await;
        let holder: String = client
            .query_one("SELECT holder FROM leader_lease", &[])
            .await
            .unwrap()
            .get(0);
        if let Some(leader) = nodes.iter().find(|node| holder.contains(&format!("-{}-", node.pid()))) {
            leader.signal(Signal::SIGSTOP);
            sleep(Duration::from_millis(900)).await;
            leader.signal(Signal::SIGCONT);
            case.did("freezes", 1);
        }
        sleep(Duration::from_millis(200)).await;
    }
    until(&client, "SELECT count(*) FROM day_close", DAYS).await;
    let history = "SELECT count(DISTINCT day), count(DISTINCT term), count(*) FILTER (WHERE term < before) FROM \
         (SELECT day, term, max(term) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM day_close) AS d";
    let history = client.query_one(history, &[]).await.unwrap();
    let [days, terms, overlaps]: [i64; 3] = std::array::from_fn(|column| history.get(column));
    assert_eq!((days, overlaps), (DAYS, 0), "each day once, no term after a later one");
    let owed = "SELECT count(DISTINCT payload->>'day') * 10000 + count(*) FROM outbox WHERE kind = 'ERP_CLOSE'";
    assert_eq!(count(&client, owed).await, DAYS * 10_001, "one message a day");
    case.did("terms", usize::try_from(terms).unwrap());
    case.passed();
}
