//! A server as a process of its own, which shares a database with others, and can be killed and stopped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use tokio::time::sleep;
use weighbridge_sim::http::client;

use super::{database::Database, folder::Folder};

/// Far beyond what a start takes.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// It is killed when this is dropped.
#[derive(Debug)]
pub struct Node {
    child: Child,
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Node {
    /// With these settings, `("delivery.lease", "2s")`, beside the usual ones. `name` is its folder's.
    pub fn start(folder: &Folder, name: &str, database: &Database, more: &[(&str, &str)]) -> Self {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut settings: Vec<(&str, String)> = vec![
            ("data_dir", folder.display().to_string()),
            ("database.url", database.url().expose_secret().to_owned()),
            ("database.pool", "4".to_owned()),
            ("server.listen", "127.0.0.1:0".to_owned()),
            ("server.workers", "1".to_owned()),
            ("telemetry.log", "warn".to_owned()),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
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

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and at once the next.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.folder, &self.environment);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Where it listens; waits until it says so.
    pub async fn address(&self) -> String {
        let began = Instant::now();
        loop {
            let out = fs::read_to_string(self.folder.join("out")).unwrap();
            let newest = out.lines().last().and_then(|line| line.split_once("addr="));
            if let Some(address) = newest.and_then(|(_, rest)| rest.split_whitespace().next()) {
                return address.to_owned();
            }
            assert!(began.elapsed() < READY_WITHIN, "it is not ready");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A counter of its metrics.
    pub async fn counted(&self, counter: &str) -> u64 {
        let url = format!("http://{}/metrics", self.address().await);
        let answer = client().build().unwrap().get(url).send().await.unwrap();
        let text = answer.text().await.unwrap();
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

fn spawn(folder: &Path, environment: &[(String, String)]) -> Child {
    let file = |name: &str| {
        fs::File::options()
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
