//! A program that is killed without warning and started again at once.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

/// How a program is started, and the one that runs now.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    child: Child,
    /// How many READY lines were there when it was started last.
    ready_before: usize,
}

/// Its output is `NAME.out` and its log `NAME.log`, both kept over all its lives.
#[derive(Debug)]
pub struct Launch {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    pub folder: PathBuf,
}

/// Far beyond what a start takes, on a machine that does other things too.
const READY_WITHIN: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Process {
    pub fn start(launch: Launch) -> Self {
        let ready_before = launch.ready_lines();
        let child = launch.spawn();
        Self {
            launch,
            child,
            ready_before,
        }
    }

    /// `kill -9`, and at once the next.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.start_again();
    }

    /// How it ended, if it did so by itself; it is started again.
    pub fn fell(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap()?;
        self.start_again();
        Some(status)
    }

    /// Waits for the READY line of the newest life, and tells how long it took from now.
    pub async fn ready(&mut self) -> Duration {
        let began = Instant::now();
        while self.launch.ready_lines() <= self.ready_before {
            assert!(
                began.elapsed() < READY_WITHIN,
                "the {} is not ready; its log ends so:\n{}",
                self.launch.name,
                self.log_tail()
            );
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!(
                    "the {} ended ({status}) and was not ready; its log ends so:\n{}",
                    self.launch.name,
                    self.log_tail()
                );
            }
            sleep(LOOK_AGAIN).await;
        }
        began.elapsed()
    }

    /// Asks it to stop by SIGTERM, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < READY_WITHIN, "the {} does not stop", self.launch.name);
            sleep(LOOK_AGAIN).await;
        }
    }

    pub fn out(&self) -> PathBuf {
        self.launch.file("out")
    }

    pub fn log_tail(&self) -> String {
        tail(&self.launch.file("log"), 30)
    }

    fn start_again(&mut self) {
        self.ready_before = self.launch.ready_lines();
        self.child = self.launch.spawn();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

impl Launch {
    fn spawn(&self) -> Child {
        Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(appending(&self.file("out")))
            .stderr(appending(&self.file("log")))
            .spawn()
            .unwrap()
    }

    fn ready_lines(&self) -> usize {
        let out = fs::read_to_string(self.file("out")).unwrap_or_default();
        out.lines().filter(|line| line.starts_with("READY ")).count()
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }
}

fn appending(path: &Path) -> File {
    File::options().create(true).append(true).open(path).unwrap()
}

fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let last: Vec<&str> = text.lines().rev().take(lines).collect();
    last.into_iter().rev().collect::<Vec<_>>().join("\n")
}
