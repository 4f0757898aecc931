//! Everything real: a server with its own durable PostgreSQL, an edge, stations on ptys, a board, and trucks that obey it.

use std::{
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
use tokio::{net::TcpListener, task::JoinSet};
use weighbridge_sim::{
    encode::Format,
    http::client,
    server::{Login, Server},
    site::{Site, SiteSpec},
    truck::Habits,
    yard::{Visit, Yard},
};

use super::process::{Launch, Process};
use crate::support::folder::Folder;

/// A site under fire. Dropping it ends everything of it.
#[derive(Debug)]
pub struct World {
    pub site: Site,
    pub edge: Process,
    pub server: Process,
    data_dir: PathBuf,
    edge_program: PathBuf,
    client: Arc<Server>,
    // Goes last: the others work in it.
    _folder: Folder,
}

/// How the world differs from one test to the next.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub seed: u64,
    pub trucks: u32,
    /// Whom the edge and the trucks take for the server, where it is not the server itself.
    pub front: Option<SocketAddr>,
    pub listen: SocketAddr,
}

/// Fast indicators and fast trucks: no truck would settle between two kills otherwise.
const RATE_HZ: u32 = 50;
const HASTE: f64 = 20.0;
/// Trucks wait for the board as long as it takes.
const PATIENCE: Duration = Duration::from_mins(3);

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
        let url = format!("http://{}", spec.front.unwrap_or(spec.listen));
        let client = Arc::new(Server::new(&url, login).unwrap());
        let site = site(&folder, spec).open(Arc::clone(&client)).await.unwrap();
        let mut edge = Process::start(Launch {
            name: "edge",
            program: edge_program.clone(),
            arguments: ["run", "--config", site.edge_toml.to_str().unwrap()]
                .map(str::to_owned)
                .to_vec(),
            environment: Vec::new(),
            folder: folder.path().to_owned(),
        });
        edge.ready().await;
        Self {
            site,
            edge,
            server,
            data_dir,
            edge_program,
            client,
            _folder: folder,
        }
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

fn site(folder: &Folder, spec: Spec) -> SiteSpec {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    SiteSpec {
        folder: folder.path().to_owned(),
        formats: vec![Format::Cas22, Format::And18, Format::MtContinuous],
        rate_hz: RATE_HZ,
        haste: HASTE,
        seed: spec.seed,
        trucks: spec.trucks,
        habits: Habits {
            two_pass: 0.2,
            // They have a station to themselves, or they would be weighed under others' calls, as the rules have it.
            strangers: 0.0,
        },
        away: Duration::from_secs(40),
        patience: PATIENCE,
        board: any,
        control: any,
        commands: Vec::new(),
    }
}

/// A program of another crate of this workspace, which Cargo does not build for this test.
fn built(name: &str) -> PathBuf {
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
