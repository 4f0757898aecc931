//! Two servers on one database, killed and stopped while they send.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    effects,
    stand_in::{ErpProcess, HASTE},
};
use crate::support::{
    database::Database,
    folder::Folder,
    node::Node,
    owed::{owe_days, row, slip, until},
};

fn node(folder: &Folder, name: &str, database: &Database, erp: &ErpProcess, more: &[(&str, &str)]) -> Node {
    let told = erp.settings();
    let told = told.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<(&str, &str)> = told.chain(HASTE).chain(more.iter().copied()).collect();
    Node::start(folder, name, database, &settings)
}

async fn owe(client: &tokio_postgres::Client, count: usize) {
    let rows: String = (1..=count)
        .map(|number| row(&slip(number), 1, None, &slip(number)))
        .collect();
    client.batch_execute(&rows).await.unwrap();
}

/// OB-01 at the size of a quick run: both servers are killed again and again while they send.
#[actix_rt::test]
async fn each_weighing_reaches_the_erp_once_though_both_servers_are_killed_again_and_again() {
    const SLIPS: i64 = 300;
    let (database, folder) = (Database::new(), Folder::new());
    let erp = ErpProcess::start(&["--delay", "50"]);
    let short = [("delivery.lease", "2s"), ("delivery.send_timeout", "1s")];
    let mut nodes = ["a", "b"].map(|name| node(&folder, name, &database, &erp, &short));
    let client = database.connect().await;
    owe(&client, usize::try_from(SLIPS).unwrap()).await;
    // Each kill finds the work under way: it comes after twenty more have arrived.
    let (mut killed, mut next) = (0, 20);
    while next < SLIPS {
        if sent(&client).await >= next {
            nodes[killed % 2].kill_and_start();
            killed += 1;
            next = sent(&client).await + 20;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(killed >= 6, "{killed} kills while messages were on their way");
    until(
        &client,
        "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE' AND state = 'SENT'",
        SLIPS,
    )
    .await;
    let book = weighings(erp.book().await);
    assert_eq!(effects(&book, "applied"), usize::try_from(SLIPS).unwrap());
    assert_eq!(effects(&book, "mismatch"), 0);
    eprintln!(
        "{killed} kills, {} repetitions under their keys",
        effects(&book, "repeated")
    );
}

/// Without the closes of days, which these servers tell too.
fn weighings(book: Vec<Value>) -> Vec<Value> {
    book.into_iter()
        .filter(|line| line["note"]["subject"] == "Weighing")
        .collect()
}

async fn sent(client: &tokio_postgres::Client) -> i64 {
    client
        .query_one(
            "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE' AND state = 'SENT'",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}

/// OB-07: the server that has a message on its way is stopped for three leases.
#[actix_rt::test]
async fn a_server_that_sleeps_through_its_lease_settles_nothing_when_it_wakes() {
    let (database, folder) = (Database::new(), Folder::new());
    let erp = ErpProcess::start(&["--delay", "300"]);
    let short = [("delivery.lease", "1200ms"), ("delivery.send_timeout", "1s")];
    let sleeper = node(&folder, "a", &database, &erp, &short);
    let client = database.connect().await;
    until(&client, "SELECT count(*) FROM site", 1).await;
    owe(&client, 1).await;
    let began = Instant::now();
    while !erp.book().await.iter().any(|line| line["what"] == "POST /v1/weighings") {
        assert!(began.elapsed() < Duration::from_mins(1), "it was never sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sleeper.signal(Signal::SIGSTOP);
    let _other = node(&folder, "b", &database, &erp, &short);
    let stopped_at = Instant::now();
    until(
        &client,
        "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE' AND state = 'SENT' AND lease_term = 2",
        1,
    )
    .await;
    tokio::time::sleep(Duration::from_millis(3600).saturating_sub(stopped_at.elapsed())).await;
    let before: String = row_of(&client).await;
    sleeper.signal(Signal::SIGCONT);
    while sleeper.counted("outbox_fenced_total").await == 0 {
        assert!(stopped_at.elapsed() < Duration::from_mins(1), "it was not fenced");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(row_of(&client).await, before, "not one byte of the row");
    let book = weighings(erp.book().await);
    assert_eq!((effects(&book, "applied"), effects(&book, "repeated")), (1, 1));
}

/// OB-08: the leader is killed, stopped, or loses its connections, in the middle of its work.
#[actix_rt::test]
async fn each_day_is_closed_once_by_one_leader_after_another_whatever_becomes_of_them() {
    const DAYS: i64 = 36;
    let (database, folder) = (Database::new(), Folder::new());
    let erp = ErpProcess::start(&[]);
    let client = database.connect().await;
    owe_days(&client, DAYS, Duration::from_millis(50)).await;
    let short = [
        ("leader.lease", "1s"),
        ("leader.renew", "200ms"),
        ("delivery.lease", "2s"),
        ("delivery.send_timeout", "1s"),
    ];
    let mut nodes = ["a", "b"].map(|name| node(&folder, name, &database, &erp, &short));
    let (mut falls, mut next) = (0, 4);
    while next < DAYS {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if closed(&client).await < next {
            continue;
        }
        let holder: String = client
            .query_one("SELECT holder FROM leader_lease", &[])
            .await
            .unwrap()
            .get(0);
        let leader = nodes
            .iter_mut()
            .find(|node| holder.contains(&format!("-{}-", node.pid())));
        match (leader, falls % 3) {
            (Some(leader), 0) => leader.kill_and_start(),
            (Some(leader), 1) => {
                leader.signal(Signal::SIGSTOP);
                tokio::time::sleep(Duration::from_millis(1500)).await;
                leader.signal(Signal::SIGCONT);
            }
            _ => {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                client.execute(cut, &[]).await.unwrap();
            }
        }
        falls += 1;
        next = closed(&client).await + 5;
    }
    assert!(falls >= 4, "{falls} falls while days were closed");
    until(
        &client,
        "SELECT count(*) FROM outbox WHERE kind = 'ERP_CLOSE' AND state = 'SENT'",
        DAYS,
    )
    .await;
    let history = "SELECT count(*), count(DISTINCT day), count(DISTINCT term), \
         count(*) FILTER (WHERE term < before) FROM \
         (SELECT day, term, max(term) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM day_close) AS d";
    let history = client.query_one(history, &[]).await.unwrap();
    let [days, distinct, terms, overlaps]: [i64; 4] = std::array::from_fn(|column| history.get(column));
    assert_eq!(
        (days, distinct, overlaps),
        (DAYS, DAYS, 0),
        "each day once, and no term after a later one"
    );
    assert!(terms >= 2, "one leader after another: {terms} terms");
    let book = erp.book().await;
    let closes = |effect: &str| {
        let of_close = book.iter().filter(|line| line["note"]["subject"] == "Close");
        of_close.filter(|line| line["note"]["effect"] == effect).count()
    };
    assert_eq!((closes("applied"), closes("mismatch")), (36, 0));
    eprintln!(
        "{falls} falls, {terms} terms, {} closes told twice under their keys",
        closes("repeated")
    );
}

async fn closed(client: &tokio_postgres::Client) -> i64 {
    client
        .query_one("SELECT count(*) FROM day_close", &[])
        .await
        .unwrap()
        .get(0)
}

async fn row_of(client: &tokio_postgres::Client) -> String {
    client
        .query_one(
            "SELECT outbox::text || xmin::text FROM outbox WHERE kind = 'ERP_COMPLETE'",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}
