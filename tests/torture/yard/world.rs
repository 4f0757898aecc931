//! Everything real: a server with its own durable PostgreSQL, an edge, stations on ptys, a board, and trucks that obey it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};
use tokio_postgres::NoTls;
use weighbridge_sim::{
    encode::Format,
    http::client,
    server::{Login, Server},
    site::{Site, SiteSpec},
    traffic::TrafficSpec,
    truck::Habits,
    truth::Stay,
    yard::{Visit, Yard},
};

use super::process::{Launch, Process, READY_WITHIN};
use crate::{folder::Folder, frame::Case};

/// A site under fire. Dropping it ends everything of it.
#[derive(Debug)]
pub struct World {
    pub site: Site,
    pub edge: Process,
    pub server: Process,
    /// The site's staff.
    pub client: Arc<Server>,
    /// The server's data, PostgreSQL's included.
    pub data_dir: PathBuf,
    listen: SocketAddr,
    edge_program: PathBuf,
    elsewhere: Vec<Stay>,
    // Goes last: the others work in it.
    folder: Folder,
}

/// How the world differs from one test to the next.
#[derive(Clone, Debug)]
pub struct Spec {
    pub seed: u64,
    /// Trucks that check in and follow their calls.
    pub trucks: u32,
    /// How many times faster than life trucks drive.
    pub haste: f64,
    /// Whom the edge takes for the server, where it is not the server itself.
    pub front: Option<SocketAddr>,
    pub listen: SocketAddr,
    /// Where the yard's board listens.
    pub board: SocketAddr,
    /// What the edge is started by, as `ip netns exec NAME`.
    pub edge_under: Vec<String>,
    pub edge_environment: Vec<(&'static str, String)>,
}

impl Spec {
    /// A server on a free port of loopback, no proxy before it, and no trucks of its own.
    pub async fn of(case: &Case) -> Self {
        Self {
            seed: case.seed,
            trucks: 0,
            haste: HASTE,
            front: None,
            listen: free_address().await,
            board: SocketAddr::from(([127, 0, 0, 1], 0)),
            edge_under: Vec::new(),
            edge_environment: Vec::new(),
        }
    }
}

/// Fast indicators and fast trucks: no truck would settle between two kills otherwise.
pub const RATE_HZ: u32 = 50;
pub const HASTE: f64 = 60.0;
/// One station each.
pub const FORMATS: [Format; 3] = [Format::Cas22, Format::And18, Format::MtContinuous];
/// Trucks wait for the board as long as it takes.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Trucks that come and go.
#[derive(Debug)]
pub struct Bustle {
    ending: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Bustle {
    /// No more trucks come; answers when the last deck is clear.
    pub async fn end(self) {
        self.ending.send_replace(true);
        self.work.await.unwrap();
    }
}

impl World {
    pub async fn start(spec: Spec) -> Self {
        let folder = Folder::new();
        let data_dir = folder.path().join("server");
        let edge_program = built("weighbridge-edge");
        let login = Login {
            login_id: "admin".to_owned(),
            password: "admin1234!".to_owned(),
        };
        let mut server = Process::start(serving(folder.path(), &data_dir, spec.listen, &login));
        server.ready().await;
        let client = Arc::new(Server::new(&format!("http://{}", spec.listen), login).unwrap());
        let site = site(&folder, &spec).open(Arc::clone(&client)).await.unwrap();
        if let Some(front) = spec.front {
            let toml = fs::read_to_string(&site.edge_toml).unwrap();
            let led_astray = toml.replace(&format!("ws://{}", spec.listen), &format!("ws://{front}"));
            fs::write(&site.edge_toml, led_astray).unwrap();
        }
        let run = ["run", "--config", site.edge_toml.to_str().unwrap()];
        let mut edge = Process::start(Launch {
            name: "edge",
            under: spec.edge_under,
            program: edge_program.clone(),
            arguments: run.map(str::to_owned).to_vec(),
            environment: spec.edge_environment,
            folder: folder.path().to_owned(),
        });
        edge.ready().await;
        let world = Self {
            site,
            edge,
            server,
            client,
            data_dir,
            listen: spec.listen,
            edge_program,
            elsewhere: Vec::new(),
            folder,
        };
        world.empty_decks().await;
        world
    }

    /// Waits until the edge knows that its decks are empty, as one with a new file has to see first: whoever drives on
    /// before that was found standing, and is for staff.
    pub async fn empty_decks(&self) {
        let began = Instant::now();
        let is_empty = |station: &Value| station["state"] == "empty";
        loop {
            let status = self.edge_status().unwrap_or_default();
            if status["stations"]
                .as_array()
                .is_some_and(|all| all.iter().all(is_empty))
            {
                return;
            }
            assert!(began.elapsed() < READY_WITHIN, "no empty decks: {status:#}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every stay that the server should know of.
    pub fn truth(&self) -> Vec<Stay> {
        [self.site.yard.truth(), self.elsewhere.clone()].concat()
    }

    /// What was weighed on decks of this site that are not in its yard.
    pub fn expect_also(&mut self, stays: Vec<Stay>) {
        self.elsewhere.extend(stays);
    }

    /// The edge's data directory.
    pub fn edge_data(&self) -> PathBuf {
        self.folder.path().join("edge")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn database_url(&self) -> String {
        fs::read_to_string(self.data_dir.join("database.url"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// PostgreSQL's own `immediate` stop, which is a crash to it. Says whether there was one to stop.
    pub fn crash_postgresql(&self) -> bool {
        postmaster(&self.data_dir).is_some_and(|pid| kill(pid, Signal::SIGQUIT).is_ok())
    }

    /// What `weighbridge-edge status --json` says; none while the edge does not answer.
    pub fn edge_status(&self) -> Option<Value> {
        let output = Command::new(&self.edge_program)
            .args(["status", "--json", "--config"])
            .arg(&self.site.edge_toml)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// One of the server's counters since its last start, summed over its labels.
    pub async fn counter(&self, name: &str) -> usize {
        let url = format!("http://{}/metrics", self.listen);
        let answer = client().build().unwrap().get(url).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok())
            .sum()
    }

    /// The rows of a query of two texts, by the first.
    pub async fn pairs(&self, query: &str) -> BTreeMap<String, String> {
        let (client, connection) = tokio_postgres::connect(&self.database_url(), NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = client.query(query, &[]).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// What `weighbridge verify` finds, or nothing where every promise holds.
    pub fn verify(&self) -> Option<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
            .arg("verify")
            .env("WEIGHBRIDGE__DATA_DIR", &self.data_dir)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (!output.status.success()).then(|| String::from_utf8_lossy(&text).into_owned())
    }

    /// One truck that nobody called on each station, all at once; they stay until the board has told them.
    pub async fn weigh_everywhere(yard: Arc<Yard>, visit: u32) {
        let stations: Vec<i64> = yard.station_ids().collect();
        let stays = (1..).zip(stations).map(|(number, station)| {
            let yard = Arc::clone(&yard);
            tokio::spawn(async move {
                let truck = yard.truck(number);
                yard.weigh(Visit::stranger(&truck, station, visit)).await.unwrap()
            })
        });
        for stay in stays.collect::<Vec<_>>() {
            let stay = stay.await.unwrap();
            assert!(stay.is_confirmed(), "the board never told {stay:?} that it is stored");
        }
    }

    /// Trucks that nobody called come to every station, round after round, until this is [ended](Bustle::end).
    pub fn bustle(&self) -> Bustle {
        let yard = Arc::clone(&self.site.yard);
        let (ending, ends) = watch::channel(false);
        let first = self.site.yard.truth().len();
        let work = tokio::spawn(async move {
            for visit in (u32::try_from(first).unwrap()..).take_while(|_| !*ends.borrow()) {
                Self::weigh_everywhere(Arc::clone(&yard), visit).await;
            }
        });
        Bustle { ending, work }
    }

    /// Rounds of one truck on each station.
    pub async fn rounds(&self, count: usize) {
        for _ in 0..count {
            let visit = u32::try_from(self.site.yard.truth().len()).unwrap();
            Self::weigh_everywhere(Arc::clone(&self.site.yard), visit).await;
        }
    }

    /// Closes the last station to calls, and lets trucks drive on there that nobody knows, one after the other. They
    /// come no more when the answer is dropped.
    pub async fn let_strangers_in(&self) -> JoinSet<()> {
        const STRANGER: u32 = 1000;
        let station = self.site.yard.station_ids().last().unwrap();
        let closed = client()
            .build()
            .unwrap()
            .post(format!("{}/api/v1/stations/{station}/close", self.client.url()))
            .bearer_auth(self.client.token().await.unwrap())
            .send()
            .await
            .unwrap();
        assert!(closed.status().is_success(), "{closed:?}");
        let yard = Arc::clone(&self.site.yard);
        let mut strangers = JoinSet::new();
        strangers.spawn(async move {
            for visit in 0.. {
                let truck = yard.truck(STRANGER + visit);
                yard.weigh(Visit::stranger(&truck, station, visit)).await.unwrap();
            }
        });
        strangers
    }

    /// Stops edge and server in good order, and so PostgreSQL.
    pub async fn stop(&mut self) {
        let edge = self.edge.stop().await;
        assert!(edge.success(), "{edge}: {}", self.edge.log_tail());
        let server = self.server.stop().await;
        assert!(server.success(), "{server}: {}", self.server.log_tail());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // After a failure the server is killed, and its PostgreSQL would outlive it.
        self.crash_postgresql();
    }
}

/// A port of loopback that is free now.
pub async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn serving(folder: &Path, data_dir: &Path, listen: SocketAddr, login: &Login) -> Launch {
    Launch {
        name: "server",
        under: Vec::new(),
        program: env!("CARGO_BIN_EXE_weighbridge").into(),
        arguments: vec!["serve".to_owned()],
        environment: vec![
            ("WEIGHBRIDGE__DATA_DIR", data_dir.display().to_string()),
            ("WEIGHBRIDGE__SERVER__LISTEN", listen.to_string()),
            ("WEIGHBRIDGE__SERVER__WORKERS", "2".to_owned()),
            ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_LOGIN", login.login_id.clone()),
            ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_PASSWORD", login.password.clone()),
            ("WEIGHBRIDGE__AUTH__BCRYPT_COST", "4".to_owned()),
            ("WEIGHBRIDGE__RATE_LIMIT__REQUESTS", "0".to_owned()),
        ],
        folder: folder.to_owned(),
    }
}

fn site(folder: &Folder, spec: &Spec) -> SiteSpec {
    SiteSpec {
        folder: folder.path().to_owned(),
        formats: FORMATS.to_vec(),
        rate_hz: RATE_HZ,
        haste: spec.haste,
        seed: spec.seed,
        habits: Habits {
            two_pass: 0.2,
            // They have a station to themselves, or they would be weighed under others' calls, as the rules have it.
            strangers: 0.0,
        },
        traffic: TrafficSpec::endless(spec.trucks, Duration::from_secs(40)),
        patience: PATIENCE,
        board: spec.board,
        control: SocketAddr::from(([127, 0, 0, 1], 0)),
        commands: Vec::new(),
    }
}

/// A program of another crate of this workspace, which Cargo does not build for this test.
pub fn built(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_weighbridge")).with_file_name(name);
    assert!(
        program.is_file(),
        "{} is missing, expected it beside the server; `cargo build --workspace --bins` makes it",
        program.display()
    );
    program
}

/// The process of the private PostgreSQL, if it runs.
fn postmaster(data_dir: &Path) -> Option<Pid> {
    let pid_file = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).ok()?;
    let pid: i32 = pid_file.lines().next()?.parse().ok()?;
    // A pid file outlives its process, and the number may be another's by now.
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    name.starts_with("postgres").then(|| Pid::from_raw(pid))
}
