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
    /// What it is started by, as `ip netns exec NAME`; it has to become the program itself.
    pub under: Vec<String>,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    pub folder: PathBuf,
}

/// Far beyond what a start takes, on a machine that does other things too.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(90);
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
        self.kill();
        self.start_again();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }

    /// Stops it where it is (`SIGSTOP`), until [`Process::go_on`].
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it is started by from the next time on.
    pub fn start_under(&mut self, under: &[&str]) {
        self.launch.under = under.iter().map(ToString::to_string).collect();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub async fn until_ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < READY_WITHIN, "the {} does not end", self.launch.name);
            sleep(LOOK_AGAIN).await;
        }
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
        self.signal(Signal::SIGTERM);
        self.until_ended().await
    }

    pub fn out(&self) -> PathBuf {
        self.launch.file("out")
    }

    /// All that it has said on its standard error so far, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.launch.file("log")).unwrap_or_default()
    }

    pub fn log_tail(&self) -> String {
        tail(&self.launch.file("log"), 30)
    }

    /// Starts it after it has ended.
    pub fn start_again(&mut self) {
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
        let mut words = self.under.clone();
        words.push(self.program.display().to_string());
        words.extend_from_slice(&self.arguments);
        Command::new(&words[0])
            .args(&words[1..])
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
