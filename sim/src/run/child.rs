//! A program of ours that a run starts, watches, starts again when it dies, and stops.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::pid_file::PidFile;
use crate::{SimError, terminal::say};

/// How a program is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Also the name of its log and of its pid file: `server` gives `server.log`, `server.out` and `server.pid`.
    pub name: &'static str,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    pub folder: PathBuf,
    /// How long it may take until it prints READY.
    pub ready_within: Duration,
}

/// A program that runs, whatever happens to it, until it is stopped.
#[derive(Debug)]
pub struct Running {
    program: Program,
    addresses: watch::Receiver<Option<String>>,
    stop: watch::Sender<bool>,
    /// None once its end has been seen.
    work: Option<JoinHandle<Result<(), SimError>>>,
}

/// What is ended so often within a minute is not started again.
const STARTS_A_MINUTE: usize = 6;
const START_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Program {
    /// Starts the program, and keeps it running from now on.
    pub fn start(self) -> Running {
        let (tell, addresses) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let program = self.clone();
        let work = Some(tokio::spawn(self.keep_running(tell, stopped)));
        Running {
            program,
            addresses,
            stop,
            work,
        }
    }

    async fn keep_running(
        self,
        tell: watch::Sender<Option<String>>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), SimError> {
        let mut starts = Vec::new();
        loop {
            starts.retain(|at: &tokio::time::Instant| at.elapsed() < Duration::from_mins(1));
            if starts.len() >= STARTS_A_MINUTE {
                return Err(self.failure("ended again and again"));
            }
            starts.push(tokio::time::Instant::now());
            let (mut child, pid_file) = self.spawn()?;
            let listening = child.stdout.take().map(|stdout| {
                let lines = BufReader::new(stdout).lines();
                tokio::spawn(listen(self.name, self.file("out"), lines, tell.clone()))
            });
            let ended = tokio::select! {
                status = child.wait() => Some(status.map_err(|source| SimError::io("wait for a child", source))?),
                _ = stopped.wait_for(|stopped| *stopped) => None,
            };
            let Some(status) = ended else {
                // The child is ours: waiting for it takes its last trace from the table of processes.
                let (ended, _) = tokio::join!(end(pid_file), child.wait());
                return ended;
            };
            end(pid_file).await?;
            if let Some(listening) = listening {
                // Its children may hold its output open after its death, so this need not end.
                drop(timeout(Duration::from_millis(200), listening).await);
            }
            if tell.borrow().is_none() || status.code() == Some(64) {
                return Err(self.failure(&format!("ended {}", how(status))));
            }
            say(&format!(
                "the {} ended ({}) and is started again",
                self.name,
                how(status)
            ));
            sleep(START_AGAIN_AFTER).await;
        }
    }

    fn spawn(&self) -> Result<(Child, Option<PidFile>), SimError> {
        let log = self.file("log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|source| SimError::file("write", log, source))?;
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C in the terminal is for us: we stop the programs in their order.
            .process_group(0)
            // Where we cannot even note it, it must not outlive us.
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SimError::file("start", &self.path, source))?;
        let pid = child.id().ok_or_else(|| self.failure("ended at once"))?;
        match PidFile::write(self.file("pid"), pid) {
            Ok(pid_file) => Ok((child, Some(pid_file))),
            // It has ended already; its status says why.
            Err(_) if child.try_wait().is_ok_and(|status| status.is_some()) => Ok((child, None)),
            Err(error) => Err(error),
        }
    }

    fn failure(&self, what: &str) -> SimError {
        SimError::Internal(format!(
            "the {} {what}. The end of its log:\n{}",
            self.name,
            tail(&self.file("log"))
        ))
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }
}

impl Running {
    /// The address of its newest READY line.
    pub fn address(&self) -> String {
        self.addresses.borrow().clone().unwrap_or_default()
    }

    /// Waits until it has said that it is ready.
    pub async fn ready(&mut self) -> Result<(), SimError> {
        let (within, mut addresses) = (self.program.ready_within, self.addresses.clone());
        tokio::select! {
            ready = timeout(within, addresses.wait_for(Option::is_some)) => match ready {
                Ok(Ok(_)) => Ok(()),
                // Its task has ended, and says why.
                Ok(Err(_)) => Err(self.failed().await),
                Err(_) => Err(self.program.failure(&format!("is not ready after {within:?}"))),
            },
            error = self.failed() => Err(error),
        }
    }

    /// Ends only when it cannot be kept running.
    pub async fn failed(&mut self) -> SimError {
        let Some(work) = &mut self.work else {
            return std::future::pending().await;
        };
        let ended = work.await;
        self.work = None;
        match ended {
            Ok(Ok(())) => SimError::Internal("a program stopped by itself".to_owned()),
            Ok(Err(error)) => error,
            Err(error) => SimError::Internal(format!("a program's task broke: {error}")),
        }
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(self) -> Result<(), SimError> {
        self.stop.send_replace(true);
        match self.work {
            None => Ok(()),
            Some(work) => work
                .await
                .map_err(|error| SimError::Internal(format!("a program's task broke: {error}")))?,
        }
    }
}

/// Copies what a program prints into a file, and tells the address of its READY line.
async fn listen(
    name: &'static str,
    path: PathBuf,
    mut lines: Lines<BufReader<ChildStdout>>,
    tell: watch::Sender<Option<String>>,
) {
    let mut copy = tokio::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .await
        .ok();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(copy) = &mut copy
            && let Err(error) = copy.write_all(format!("{line}\n").as_bytes()).await
        {
            tracing::warn!("what the {name} prints cannot be kept: {error}");
        }
        if line.starts_with("READY ") {
            let address = line.split_whitespace().find_map(|word| word.strip_prefix("addr="));
            tell.send_replace(Some(address.unwrap_or_default().to_owned()));
        }
    }
}

async fn end(pid_file: Option<PidFile>) -> Result<(), SimError> {
    match pid_file {
        Some(pid_file) => pid_file.end().await,
        None => Ok(()),
    }
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "somehow".to_owned(),
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last: Vec<&str> = lines.iter().rev().take(12).rev().copied().collect();
    format!("  {}\n  ({})", last.join("\n  "), log.display())
}
