//! The server as a process of its own, on a database of its own, and what it tells about itself.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    database::Database,
    folder::Folder,
    server::{ADMIN, Client, PASSWORD, Reply},
};

/// What has not come by then will not come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that serves; it is killed when this is dropped.
pub struct Process {
    child: Child,
    pub address: String,
    pub admin: Client,
    pub database: Database,
    folder: Folder,
    log: Arc<Mutex<Vec<Value>>>,
}

/// An actor as `GET /admin/actors` has it.
#[derive(Clone, Debug)]
pub struct Row {
    pub state: String,
    pub generation: u64,
    pub restarts: u64,
    pub last_failure: String,
}

/// What a process has of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub resident_kib: u64,
    pub descriptors: usize,
    pub threads: usize,
}

impl Process {
    pub async fn start() -> Self {
        let (database, folder) = (Database::new(), Folder::new());
        let (child, address, log) = spawn(&database, &folder);
        let admin = Client::of(&address).sign_in(ADMIN, PASSWORD).await;
        Self {
            child,
            address,
            admin,
            database,
            folder,
            log,
        }
    }

    /// Another process on the same database and folder, once this one has ended.
    pub async fn start_again(&mut self) {
        (self.child, self.address, self.log) = spawn(&self.database, &self.folder);
        self.admin = Client::of(&self.address).sign_in(ADMIN, PASSWORD).await;
    }

    /// Runs another command of the binary with the same settings; answers its exit code and what it said.
    pub fn command(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let mut child = command(&self.database, &self.folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The exit code, once the process has ended; none where a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        eventually("the process ends", async || child.try_wait().unwrap())
            .await
            .code()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub async fn panic(&self, actor: &str, on: &str, times: u32) {
        self.chaos("panic", json!({ "actor": actor, "on": on, "times": times }))
            .await;
    }

    /// Captures that come while this truck is called break their Indicator, for ever.
    pub async fn poison(&self, plate: &str) {
        self.chaos("panic", json!({ "actor": "indicator-1", "plate": plate }))
            .await;
    }

    pub async fn freeze(&self, actor: &str, seconds: u64) {
        self.chaos("freeze", json!({ "actor": actor, "seconds": seconds }))
            .await;
    }

    async fn chaos(&self, what: &str, body: Value) {
        let reply = self.admin.post(&format!("/api/v1/admin/_chaos/{what}"), body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    pub async fn restart(&self, actor: &str) -> Reply {
        let path = format!("/api/v1/admin/actors/{actor}/restart");
        self.admin.post(&path, json!({ "reason": "a test" })).await
    }

    /// Everyone in the tree, by name. Who asks cannot be told without the database: while that is away, it is asked again.
    pub async fn actors(&self) -> Vec<(String, Row)> {
        let look = async || {
            let reply = self.admin.get("/api/v1/admin/actors").await;
            (reply.status != 503).then_some(reply)
        };
        let reply = eventually("the tree is shown", look).await;
        let rows = reply.data()["actors"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", reply.text));
        let row = |row: &Value| {
            let read = Row {
                state: row["state"].as_str().unwrap().to_owned(),
                generation: row["generation"].as_u64().unwrap(),
                restarts: row["restarts"].as_u64().unwrap(),
                last_failure: row["last_failure"].as_str().unwrap_or_default().to_owned(),
            };
            (row["name"].as_str().unwrap().to_owned(), read)
        };
        rows.iter().map(row).collect()
    }

    pub async fn actor(&self, name: &str) -> Row {
        let found = self.find(name).await;
        found.unwrap_or_else(|| panic!("no actor is named {name}"))
    }

    pub async fn find(&self, name: &str) -> Option<Row> {
        let actors = self.actors().await;
        actors.into_iter().find(|(found, _)| found == name).map(|(_, row)| row)
    }

    /// Waits until the actor is as `wanted`.
    pub async fn until(&self, name: &str, wanted: impl Fn(&Row) -> bool) -> Row {
        let look = async || self.find(name).await.filter(|row| wanted(row));
        eventually(&format!("{name} is as it should"), look).await
    }

    /// The sum of a metric over its labels that contain `label`.
    pub async fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.admin.get("/metrics").await.text;
        let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let ours = lines.filter(|(key, _)| key.split('{').next() == Some(name) && key.contains(label));
        ours.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    }

    /// Lines of the log whose message contains this.
    pub fn logged(&self, words: &str) -> Vec<String> {
        let log = self.log.lock();
        let messages = log.iter().filter_map(|line| line["message"].as_str());
        messages
            .filter(|message| message.contains(words))
            .map(str::to_owned)
            .collect()
    }

    pub async fn count(&self, query: &str) -> i64 {
        let client = self.database.connect().await;
        client.query_one(query, &[]).await.unwrap().get(0)
    }

    pub fn size(&self) -> Size {
        let folder = format!("/proc/{}", self.child.id());
        let entries = |of: &str| std::fs::read_dir(format!("{folder}/{of}")).unwrap().count();
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Size {
            resident_kib: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            descriptors: entries("fd"),
            threads: entries("task"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().unwrap();
        if thread::panicking() {
            for line in self.log.lock().iter().filter(|line| line["level"] != "INFO") {
                eprintln!("{} {}", line["level"], line["message"]);
            }
        }
    }
}

/// Looks until there is something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn command(database: &Database, folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
    command.envs([
        ("WEIGHBRIDGE__DATABASE__URL", database.url().expose_secret()),
        ("WEIGHBRIDGE__DATA_DIR", folder.path().to_str().unwrap()),
        ("WEIGHBRIDGE__SERVER__LISTEN", "127.0.0.1:0"),
        ("WEIGHBRIDGE__SERVER__WORKERS", "1"),
        ("WEIGHBRIDGE__AUTH__BCRYPT_COST", "4"),
        ("WEIGHBRIDGE__RATE_LIMIT__REQUESTS", "0"),
        ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_LOGIN", ADMIN),
        ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_PASSWORD", PASSWORD),
    ]);
    command
}

fn spawn(database: &Database, folder: &Folder) -> (Child, String, Arc<Mutex<Vec<Value>>>) {
    let mut child = command(database, folder)
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = Arc::<Mutex<Vec<Value>>>::default();
    gather(child.stderr.take().unwrap(), Arc::clone(&log));
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    let address = ready.trim().rsplit_once("addr=");
    let (_, address) = address.unwrap_or_else(|| panic!("not ready: {ready:?} {:?}", log.lock()));
    (child, address.to_owned(), log)
}

fn gather(stderr: impl Read + Send + 'static, log: Arc<Mutex<Vec<Value>>>) {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let read = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "level": "ERROR", "message": line }));
            log.lock().push(read);
        }
    });
}
