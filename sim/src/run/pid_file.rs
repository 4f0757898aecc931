//! Remembers a process that we started, so that a later run can end what a killed one left behind, and nothing else.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

use crate::SimError;

/// A file that names a running process: its number, and when it began, since numbers come again.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    process: Process,
}

/// A process that cannot be mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    /// In clock ticks since the machine started.
    began: u64,
}

/// How long a process may take to end well before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(12);

impl PidFile {
    /// Notes a process that was just started.
    pub fn write(path: PathBuf, pid: u32) -> Result<Self, SimError> {
        let pid = i32::try_from(pid).map_err(|_| SimError::Internal(format!("{pid} is no process number")))?;
        let process = Process::of(pid).map_err(|source| SimError::io(format!("look at process {pid}"), source))?;
        let text = format!("{} {}\n", process.pid, process.began);
        fs::write(&path, text).map_err(|source| SimError::file("write", &path, source))?;
        Ok(Self { path, process })
    }

    /// Ends it: asks first, and kills it when it does not end in time. Removes the file.
    pub async fn end(self) -> Result<(), SimError> {
        self.process.end().await?;
        remove(&self.path)
    }
}

/// Ends the process that an earlier run noted in `path`, if it still runs. Answers whether it did.
pub async fn end_leftover(path: &Path) -> Result<bool, SimError> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(false);
    };
    let noted = text.split_once(' ').and_then(|(pid, began)| {
        Some(Process {
            pid: pid.parse().ok()?,
            began: began.trim().parse().ok()?,
        })
    });
    let ran = match noted {
        Some(process) => process.end().await?,
        None => false,
    };
    remove(path)?;
    Ok(ran)
}

impl Process {
    fn of(pid: i32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may hold anything; what follows is separated by spaces. Field 22 is the beginning.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut fields = fields.split_whitespace();
        let is_dead = matches!(fields.next(), None | Some("Z" | "X"));
        match fields.nth(18).and_then(|field| field.parse().ok()) {
            Some(began) if !is_dead => Ok(Self { pid, began }),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn is_running(self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == self)
    }

    /// Whether it ran.
    async fn end(self) -> Result<bool, SimError> {
        if !self.is_running() {
            return Ok(false);
        }
        self.signal(Signal::SIGTERM)?;
        let asked_at = Instant::now();
        while self.is_running() {
            if asked_at.elapsed() > ENDS_WITHIN {
                tracing::warn!(process.id = self.pid, "process {} does not end and is killed", self.pid);
                self.signal(Signal::SIGKILL)?;
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(true)
    }

    fn signal(self, signal: Signal) -> Result<(), SimError> {
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(SimError::io(format!("end process {}", self.pid), errno)),
        }
    }
}

fn remove(path: &Path) -> Result<(), SimError> {
    fs::remove_file(path).map_err(|source| SimError::file("remove", path, source))
}

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;

    #[tokio::test]
    async fn what_a_killed_run_left_behind_is_ended() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("child.pid");
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        drop(PidFile::write(path.clone(), child.id().unwrap()).unwrap());
        let (ended, status) = tokio::join!(end_leftover(&path), child.wait());
        assert!(ended.unwrap());
        assert!(!status.unwrap().success());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn another_process_that_got_the_same_number_is_left_alone() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("child.pid");
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(&path, format!("{} 1\n", child.id().unwrap())).unwrap();
        assert!(!end_leftover(&path).await.unwrap());
        assert!(child.try_wait().unwrap().is_none(), "the other process was ended");
        child.kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_names_nothing_is_removed() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("child.pid");
        fs::write(&path, "nonsense").unwrap();
        assert!(!end_leftover(&path).await.unwrap());
        assert!(!path.exists());
        assert!(!end_leftover(&path).await.unwrap());
    }
}
