//! Space set aside for the worst day: a file that is given up when the disk is full, so that the last commits and the
//! alarm still get through.

use std::{
    fs::{File, OpenOptions},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{FallocateFlags, fallocate},
    sys::statvfs::statvfs,
};

use super::NoSpace;

/// Never more than this, and never more than an eighth of the whole disk.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What must be free besides before weighings begin again.
pub(super) const MARGIN_BYTES: u64 = 1024 * 1024;

/// The ballast of one data directory.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    directory: PathBuf,
    held: bool,
}

impl Ballast {
    pub(super) fn of(directory: &Path) -> Self {
        Self {
            path: directory.join("ballast"),
            directory: directory.to_owned(),
            held: false,
        }
    }

    /// Takes the space, if it is there and some to work with besides. Says whether it is held now.
    pub(super) fn take(&mut self) -> std::io::Result<bool> {
        let wanted = self.wanted()?;
        if self.held || self.path.metadata().is_ok_and(|file| file.len() == wanted) {
            self.held = true;
            return Ok(true);
        }
        if free_bytes(&self.directory)? < wanted + MARGIN_BYTES {
            return Ok(false);
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&self.path)?;
        self.held = reserve(&file, wanted)?;
        if !self.held {
            std::fs::remove_file(&self.path)?;
        }
        Ok(self.held)
    }

    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Gives the space up because the disk is full, and says so where staff look. Answers whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        match self.release() {
            Ok(true) => tracing::error!(
                directory = %self.directory.display(),
                "new weighings are refused until there is space again: {}",
                NoSpace::on_disk_of(&self.directory)
            ),
            Ok(false) => return false,
            Err(error) => {
                tracing::error!(%error, "the disk is full and the ballast cannot be given up");
                return false;
            }
        }
        true
    }

    fn release(&mut self) -> std::io::Result<bool> {
        self.held = false;
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wanted(&self) -> std::io::Result<u64> {
        let disk = statvfs(&self.directory)?;
        Ok(MOST_BYTES.min(disk.blocks() * disk.fragment_size() / 8))
    }
}

/// Blocks that are really there, not a hole: a hole would be no reserve. False if the disk has not that many.
pub(super) fn reserve(file: &File, bytes: u64) -> std::io::Result<bool> {
    let length = i64::try_from(bytes).map_err(std::io::Error::other)?;
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(true),
        Err(nix::Error::ENOSPC) => Ok(false),
        // Some file systems cannot reserve; there the check of free space before each capture has to do.
        Err(nix::Error::EOPNOTSUPP) => file.set_len(bytes).map(|()| true),
        Err(error) => Err(error.into()),
    }
}

/// What an unprivileged process may still write there.
pub fn free_bytes(directory: &Path) -> std::io::Result<u64> {
    let disk = statvfs(directory)?;
    Ok(disk.blocks_available() * disk.fragment_size())
}

/// How much of the whole disk that is, 0 to 100.
pub(super) fn free_percent(directory: &Path) -> std::io::Result<u64> {
    let disk = statvfs(directory)?;
    Ok(disk.blocks_available() * 100 / disk.blocks().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballast_is_taken_given_up_and_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut ballast = Ballast::of(directory.path());
        assert!(ballast.take().unwrap());
        let file = directory.path().join("ballast");
        assert!(file.metadata().unwrap().len() > 0);
        assert!(ballast.release().unwrap());
        assert!(!ballast.release().unwrap());
        assert!(!file.exists());
        assert!(ballast.take().unwrap());
    }
}
