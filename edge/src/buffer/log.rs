//! The log's own space: SQLite writes every change into its log first, so a log that has its blocks already is what a full
//! disk cannot take away. In it an acknowledgement is written down and what the server has is let go, also where other
//! programs have eaten everything else, the ballast's space included.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{BufferError, ballast};

/// The log's size at rest. Some 250 pages: letting one event of the largest size go takes about a dozen.
const BYTES: u64 = 1024 * 1024;
/// With less than this not even one event could be let go.
const FEWEST_BYTES: u64 = 64 * 1024;

/// The space of one file's log. It is dropped after the connection is closed, which removes the log, and takes the space
/// again: with zeros in it, so that it goes with whatever file is put in this one's place.
#[derive(Debug)]
pub(super) struct LogSpace(PathBuf);

impl LogSpace {
    /// Takes what the log of the open file at `path` lacks, and keeps it when the log begins anew.
    pub(super) fn of(connection: &Connection, path: &Path) -> Result<Self, BufferError> {
        connection.pragma_update(None, "journal_size_limit", BYTES.cast_signed())?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let space = Self(log.into());
        space.take();
        Ok(space)
    }

    fn take(&self) {
        if let Err(error) = self.try_take() {
            tracing::warn!(%error, "the log {} has no space of its own", self.0.display());
        }
    }

    /// What is behind the log's last frame is no frame to SQLite, whatever is there: it checks each one's salt and sum.
    fn try_take(&self) -> std::io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        let mut wanted = BYTES;
        while wanted >= FEWEST_BYTES && file.metadata()?.len() < wanted {
            if ballast::reserve(&file, wanted)? {
                break;
            }
            wanted /= 2;
        }
        Ok(())
    }
}

impl Drop for LogSpace {
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use crate::buffer::{BufferFile, testing};

    #[test]
    fn the_log_has_its_space_from_the_opening_of_a_new_file_on() {
        let directory = tempfile::tempdir().unwrap();
        let _file = BufferFile::open(directory.path(), uuid::Uuid::from_u128(1)).unwrap();
        let log = directory.path().join("buffer.db-wal").metadata().unwrap();
        assert!(log.len() >= 1024 * 1024, "{} bytes", log.len());
    }

    #[test]
    fn the_log_keeps_its_space_when_the_file_is_closed_and_holds_nothing_of_it_then() {
        let directory = tempfile::tempdir().unwrap();
        let (_, written) = testing::file_with(directory.path(), 300);
        let log = std::fs::read(directory.path().join("buffer.db-wal")).unwrap();
        assert!(log.len() == 1024 * 1024 && log.iter().all(|byte| *byte == 0));
        let (file, _) = BufferFile::open(directory.path(), uuid::Uuid::from_u128(1)).unwrap();
        assert!(written.iter().all(|id| testing::holds(&file, *id)));
    }
}
