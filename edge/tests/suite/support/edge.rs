//! The edge as a process, and the site that it stands on.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;
use weighbridge_edge::buffer::BufferFile;
use weighbridge_protocol::link::{EventBody, Store, store::EpochBounds};

use super::{Deck, eventually};

/// A folder with a configuration, a data directory and a deck.
pub struct Site {
    pub deck: Deck,
    server: String,
    server_settings: String,
    /// Port and protocol, where they are not the deck's.
    indicator: Option<(String, String)>,
    options: String,
    boards: String,
    page: String,
    data_dir: PathBuf,
    // Last, so that it outlives the deck whose name lies in it.
    folder: TempDir,
}

impl Site {
    /// One station, number 1, that settles in 100 ms; no server, no board.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            deck: Deck::plugged_in_at(&folder.path().join("ttyS1")),
            server: "ws://127.0.0.1:9/api/v1/edge/link".to_owned(),
            server_settings: String::new(),
            indicator: None,
            options: "dwell_ms = 100\nleave_ms = 100\n".to_owned(),
            boards: String::new(),
            page: String::new(),
            data_dir: folder.path().join("data"),
            folder,
        }
    }

    pub fn linked_to(mut self, server: &super::Server) -> Self {
        self.server.clone_from(&server.url);
        self
    }

    /// A line for `[server]`.
    pub fn with_server_setting(mut self, key: &str, file: &Path) -> Self {
        writeln!(self.server_settings, "{key} = \"{}\"", file.display()).unwrap();
        self
    }

    /// Another indicator than the deck's: its port and protocol.
    pub fn with_indicator(mut self, port: &str, protocol: &str) -> Self {
        self.indicator = Some((port.to_owned(), protocol.to_owned()));
        self
    }

    /// The deck's own port, as a configuration writes it.
    pub fn port(&self) -> String {
        format!("serial://{}", self.deck.device.display())
    }

    pub fn with_option(mut self, line: &str) -> Self {
        writeln!(self.options, "{line}").unwrap();
        self
    }

    pub fn with_board(mut self, board: &super::Board) -> Self {
        writeln!(
            self.boards,
            "[[board]]\nid = \"gate\"\naddress = \"tcp://{}\"\nprotocol = \"plain\"",
            board.address
        )
        .unwrap();
        self
    }

    /// More of the configuration: boards, lamps.
    pub fn with_section(mut self, text: &str) -> Self {
        self.boards += text;
        self
    }

    pub fn with_page(mut self, address: &str) -> Self {
        self.page = format!("[status]\nlisten = \"{address}\"\n");
        self
    }

    /// A file beside the configuration.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn with_data_in(mut self, data_dir: &Path) -> Self {
        data_dir.clone_into(&mut self.data_dir);
        self
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn configuration(&self) -> PathBuf {
        let path = self.folder.path().join("edge.toml");
        let (port, protocol) = self
            .indicator
            .clone()
            .unwrap_or_else(|| (self.port(), "and18".to_owned()));
        let text = format!(
            "data_dir = \"{}\"\n[server]\nurl = {:?}\napi_key = \"the-key\"\n{}[[station]]\nid = 1\nport = \"{port}\"\n\
             protocol = \"{protocol}\"\n[station.options]\n{}{}{}",
            self.data_dir.display(),
            self.server,
            self.server_settings,
            self.options,
            self.boards,
            self.page
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts an edge and waits until it is ready.
    pub fn start(&self) -> Edge {
        let edge = self.launch();
        eventually("READY", || {
            edge.lines().into_iter().find(|line| line.starts_with("READY "))
        });
        edge
    }

    /// Starts an edge and waits for nothing.
    pub fn launch(&self) -> Edge {
        self.launch_as(program())
    }

    /// Starts an edge under a service manager that listens at `socket` and wants signs of life.
    pub fn start_watched(&self, socket: &Path, limit: Duration) -> Edge {
        // The watchdog is meant for one process, which the shell becomes.
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "WATCHDOG_PID=$$ exec \"$0\" \"$@\"",
                env!("CARGO_BIN_EXE_weighbridge-edge"),
            ])
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", limit.as_micros().to_string());
        self.launch_as(command)
    }

    fn launch_as(&self, mut program: Command) -> Edge {
        let mut child = program
            .args(["run", "--config"])
            .arg(self.configuration())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::default();
        let readers = vec![
            follow(child.stdout.take().unwrap(), "", Arc::clone(&lines)),
            follow(child.stderr.take().unwrap(), "LOG ", Arc::clone(&lines)),
        ];
        Edge { child, lines, readers }
    }

    /// Waits until the server has welcomed the edge.
    #[track_caller]
    pub fn until_linked(&self) {
        eventually("a link", || (self.status()["link"] == "linked").then_some(()));
    }

    /// Waits until the server has acknowledged all.
    #[track_caller]
    pub fn until_all_acknowledged(&self) {
        eventually("all acknowledged", || (self.status()["unsent"] == 0).then_some(()));
    }

    /// Waits until the deck is in this state.
    #[track_caller]
    pub fn until_deck_is(&self, state: &str) {
        eventually(state, || (self.status()["stations"][0]["state"] == state).then_some(()));
    }

    pub fn status(&self) -> Value {
        let output = program()
            .args(["status", "--json", "--config"])
            .arg(self.configuration())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// The events of the data directory, in their order; only while no edge runs.
    pub fn events(&self) -> Vec<EventBody> {
        let (file, _) = BufferFile::open(&self.data_dir, Uuid::nil()).unwrap();
        let mut events = Vec::new();
        for EpochBounds { epoch, first_kept, .. } in file.epochs().unwrap() {
            let mut from = first_kept;
            while let Some(event) = file.next_row(epoch, from).unwrap() {
                from = event.seq + 1;
                events.push(serde_json::from_str(&event.body).unwrap());
            }
        }
        events
    }
}

/// A running edge; killed when dropped.
pub struct Edge {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Edge {
    /// What it has printed so far: stdout as it is, stderr after `LOG `.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The `committed` or `recovered` lines so far.
    pub fn told(&self, what: &str) -> Vec<Value> {
        let beginning = format!("{{\"ev\":\"{what}\"");
        let lines = self.lines().into_iter().filter(|line| line.starts_with(&beginning));
        lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    /// Waits until so many captures were told in all.
    #[track_caller]
    pub fn until_committed(&self, count: usize) -> Vec<Value> {
        eventually("a commit", || {
            Some(self.told("committed")).filter(|told| told.len() >= count)
        })
    }

    /// Waits for a log line with this text.
    #[track_caller]
    pub fn until_logged(&self, text: &str) {
        eventually(text, || {
            self.lines()
                .into_iter()
                .find(|line| line.starts_with("LOG ") && line.contains(text))
        });
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.finished();
    }

    /// SIGTERM; answers the exit code.
    pub fn end(mut self) -> i32 {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        self.finished()
    }

    /// Waits for its end; answers the exit code, or -1 after a signal.
    pub fn finished(&mut self) -> i32 {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        code
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            self.finished();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.lines().join("\n"));
        }
    }
}

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_weighbridge-edge"))
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn follow(
    stream: impl std::io::Read + Send + 'static,
    mark: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            lines.lock().unwrap().push(format!("{mark}{}", line.unwrap()));
        }
    })
}
