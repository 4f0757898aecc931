//! Two servers on one database, killed and stopped while they send.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use serde_json::Value;
use weighbridge_sim::http::client;

use super::{
    effects,
    stand_in::{ErpProcess, HASTE, row, slip, until},
};
use crate::support::{database::Database, folder::Folder};

/// A server that can be killed and stopped.
struct Node {
    child: Child,
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Node {
    fn start(folder: &Folder, name: &str, database: &Database, erp: &ErpProcess, more: &[(&str, &str)]) -> Self {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut settings: Vec<(&str, String)> = vec![
            ("data_dir", folder.display().to_string()),
            ("database.url", database.url().expose_secret().to_owned()),
            ("database.pool", "4".to_owned()),
            ("server.listen", "127.0.0.1:0".to_owned()),
            ("server.workers", "1".to_owned()),
            ("telemetry.log", "warn".to_owned()),
        ];
        settings.extend(erp.settings());
        settings.extend(
            HASTE
                .iter()
                .chain(more)
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let variable = |(name, value): (&str, String)| {
            (
                format!("WEIGHBRIDGE__{}", name.to_uppercase().replace('.', "__")),
                value,
            )
        };
        let environment: Vec<_> = settings.into_iter().map(variable).collect();
        Self {
            child: spawn(&folder, &environment),
            folder,
            environment,
        }
    }

    fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.folder, &self.environment);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// A counter of its metrics.
    async fn counted(&self, counter: &str) -> u64 {
        let out = std::fs::read_to_string(self.folder.join("out")).unwrap();
        let address = out.lines().last().and_then(|line| line.split_once("addr=")).unwrap().1;
        let address = address.split_whitespace().next().unwrap();
        let text = client()
            .build()
            .unwrap()
            .get(format!("http://{address}/metrics"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let line = text.lines().find(|line| line.starts_with(counter));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn spawn(folder: &std::path::Path, environment: &[(String, String)]) -> Child {
    let file = |name: &str| {
        std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(name))
            .unwrap()
    };
    Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .arg("serve")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("log"))
        .spawn()
        .unwrap()
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
    let mut nodes = ["a", "b"].map(|name| Node::start(&folder, name, &database, &erp, &short));
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
    let sleeper = Node::start(&folder, "a", &database, &erp, &short);
    let client = database.connect().await;
    until(&client, "SELECT count(*) FROM site", 1).await;
    owe(&client, 1).await;
    let began = Instant::now();
    while !erp.book().await.iter().any(|line| line["what"] == "POST /v1/weighings") {
        assert!(began.elapsed() < Duration::from_mins(1), "it was never sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sleeper.signal(Signal::SIGSTOP);
    let _other = Node::start(&folder, "b", &database, &erp, &short);
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
