//! One edge a data directory: two would give two events one identity.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use super::BufferError;

/// Held for the life of the process; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _held: Flock<File>,
    pub directory: PathBuf,
}

impl DirectoryLock {
    /// Makes the directory where it is missing, and takes it.
    pub fn take(directory: &Path) -> Result<Self, BufferError> {
        let refuse = |cause| BufferError::Directory {
            path: directory.to_owned(),
            cause,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory)
            .map_err(refuse)?;
        let path = directory.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(refuse)?;
        let mut held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((mut file, nix::Error::EWOULDBLOCK)) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(refuse)?;
                return Err(BufferError::InUse {
                    path: directory.to_owned(),
                    pid: pid.trim().to_owned(),
                });
            }
            Err((_, error)) => return Err(refuse(error.into())),
        };
        held.set_len(0).and_then(|()| held.rewind()).map_err(refuse)?;
        // The number only helps whoever is refused; on a full disk the lock itself is what counts.
        if let Err(error) = write!(held, "{}", std::process::id()) {
            tracing::warn!(%error, "the lock file cannot name this process");
        }
        Ok(Self {
            _held: held,
            directory: directory.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_edge_is_told_who_has_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::take(directory.path()).unwrap();
        let second = DirectoryLock::take(directory.path()).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        drop(first);
        DirectoryLock::take(directory.path()).unwrap();
    }
}
