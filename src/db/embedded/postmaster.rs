//! PostgreSQL's first process: started as a child of ours, or found running after a crash of the server that had it.

use std::{
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tracing::{info, warn};

use super::{
    EmbeddedError,
    cluster::{Cluster, at},
};

/// A process that may be ours to reap or not.
#[derive(Debug)]
pub(super) enum Postmaster {
    Started(Child),
    Adopted(Pid),
}

/// How long an orderly stop may take before it becomes an abrupt one, which costs the next start a recovery.
const STOPS_WITHIN: Duration = Duration::from_secs(8);

impl Postmaster {
    /// Starts the cluster; it serves a little later.
    pub(super) fn start(cluster: &Cluster) -> Result<Self, EmbeddedError> {
        forget_stranger(cluster)?;
        // What it says before it has a log of its own.
        let path = cluster.start_log();
        let said = File::create(&path).map_err(at(&path))?;
        let mut command = cluster.command("postgres");
        command.arg("-D").arg(&cluster.data);
        let socket_dir = format!("unix_socket_directories={}", cluster.socket_dir.display());
        let given = cluster.settings.iter().map(String::as_str);
        for setting in SETTINGS.into_iter().chain([socket_dir.as_str()]).chain(given) {
            command.args(["-c", setting]);
        }
        // A group of its own, so that Ctrl-C stops the server first, and the database after it.
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()?;
        Ok(Self::Started(child))
    }

    /// The one that runs in the cluster's directory already, if any.
    pub(super) fn running_in(cluster: &Cluster) -> Option<Self> {
        let pid = last_pid(cluster).filter(|pid| works_in(cluster, *pid))?;
        info!(
            postgresql.pid = pid.as_raw(),
            "a PostgreSQL that was left running is taken over"
        );
        Some(Self::Adopted(pid))
    }

    pub(super) fn has_ended(&mut self) -> bool {
        match self {
            Self::Started(child) => !matches!(child.try_wait(), Ok(None)),
            Self::Adopted(pid) => !is_alive(*pid),
        }
    }

    /// Has it break off all connections, write everything down, and end.
    pub(super) fn stop(&mut self) -> Result<(), EmbeddedError> {
        if self.has_ended() {
            return Ok(());
        }
        self.signal(Signal::SIGINT)?;
        if self.ends_within(STOPS_WITHIN) {
            return Ok(());
        }
        warn!("the private PostgreSQL did not stop in time, it is stopped abruptly");
        self.signal(Signal::SIGQUIT)?;
        if self.ends_within(STOPS_WITHIN) {
            return Ok(());
        }
        Err(EmbeddedError::Failed {
            program: "postgres",
            output: format!("process {} does not end", self.pid()),
        })
    }

    fn pid(&self) -> Pid {
        match self {
            Self::Started(child) => Pid::from_raw(child.id().try_into().unwrap_or(i32::MAX)),
            Self::Adopted(pid) => *pid,
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), EmbeddedError> {
        match kill(self.pid(), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(io::Error::from(errno).into()),
        }
    }

    fn ends_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while !self.has_ended() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// Its last lines: of what it says before it has a log of its own, or else of that log.
pub(super) fn last_words(cluster: &Cluster) -> String {
    let own_log = newest(&cluster.data.join("log"));
    let logs = [Some(cluster.start_log()), own_log].into_iter().flatten();
    logs.filter_map(|log| tail(&log))
        .find(|words| !words.contains(HANDED_OVER))
        .unwrap_or_else(|| "nothing".to_owned())
}

/// What it says in its first log when it goes on in the other.
const HANDED_OVER: &str = "Future log output will appear in directory";
const LAST_LINES: usize = 3;

fn newest(dir: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(dir).ok()?.flatten();
    files
        .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
        .max()
        .map(|(_, path)| path)
}

fn tail(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    (!last.is_empty()).then(|| last.join(" | "))
}

/// What differs from PostgreSQL's defaults.
const SETTINGS: [&str; 10] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=on",
    "log_directory=log",
    "log_filename=postgresql-%a.log",
    "log_truncate_on_rotation=on",
    "log_rotation_size=0",
    "log_line_prefix=%m [%p] %u@%d ",
];

/// The process that its files name. It may have ended long ago, and its number may have gone to another program since.
fn last_pid(cluster: &Cluster) -> Option<Pid> {
    let pid_file = fs::read_to_string(cluster.data.join("postmaster.pid")).ok()?;
    let mut lines = pid_file.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    (Path::new(lines.next()?.trim()) == cluster.data).then(|| Pid::from_raw(pid))
}

/// Whether this process is a PostgreSQL of this cluster: also another one's would be a stranger.
fn works_in(cluster: &Cluster, pid: Pid) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let data = cluster.data.as_os_str().as_bytes();
    is_alive(pid) && words.split(|byte| *byte == 0).any(|word| word == data)
}

/// PostgreSQL refuses to start while any process has the number that its files name, as after a power cut.
fn forget_stranger(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let Some(pid) = last_pid(cluster).filter(|pid| is_alive(*pid) && !works_in(cluster, *pid)) else {
        return Ok(());
    };
    warn!(
        postgresql.pid = pid.as_raw(),
        "the private PostgreSQL's number has gone to another program; its files of then are removed"
    );
    for stale in [
        cluster.data.join("postmaster.pid"),
        cluster.socket_dir.join(".s.PGSQL.5432.lock"),
    ] {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&stale)(error)),
            _ => (),
        }
    }
    Ok(())
}

fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    // A zombie that its parent has not reaped yet does nothing any more.
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z')))
}
