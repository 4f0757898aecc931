//! What can go wrong with the buffer, parted by what must be done about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A failure of the buffer file.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// No space is left: the transaction was rolled back and the file is whole. Refuse, and try again later; people are
    /// told by [`NoSpace`], which knows where.
    #[error("no space is left for the buffer; free some on the disk of its data_dir")]
    Full,
    /// Not even the ballast's space was enough to open the file: leave with 74, and the next start tries again.
    #[error("the buffer cannot be opened: {0}")]
    NoSpaceToOpen(NoSpace),
    /// The file's contents are damaged: it must be set aside and salvaged.
    #[error("the buffer file is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// The disk failed. What was written is unknown, and SQLite would carry on as if nothing had happened: leave with 74.
    #[error("the buffer's disk failed")]
    Disk(#[source] rusqlite::Error),
    /// A row did not read back as it was written.
    #[error("event {seq} of {epoch} reads back otherwise than it was written")]
    ReadsBackOtherwise { epoch: String, seq: i64 },
    #[error("{} cannot be used: {cause}", path.display())]
    Directory { path: PathBuf, cause: std::io::Error },
    #[error("{} is in use by another weighbridge-edge (process {pid}); stop it, or give this one another data_dir", path.display())]
    InUse { path: PathBuf, pid: String },
    #[error("{} was written by a newer weighbridge-edge (layout {found}, expected at most {known}); install that version again", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// A mistake of ours: SQL that does not fit, a text that does not read back.
    #[error("the buffer cannot do what was asked")]
    Mistake(#[source] rusqlite::Error),
    #[error("{what} in the buffer file is unreadable")]
    Unreadable { what: &'static str },
}

/// The disk is full: nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the disk of {at} is full; free space on it (df -h {at} shows which it is), but keep buffer.db and buffer.db-wal: \
     they hold what is not yet sent",
    at = .directory.display()
)]
pub struct NoSpace {
    directory: PathBuf,
}

impl NoSpace {
    pub(super) fn on_disk_of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }
}

impl BufferError {
    /// Whether only a fresh process can know what the disk holds.
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Full)
    }
}

impl From<rusqlite::Error> for BufferError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error),
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked,
            ) => Self::Disk(error),
            _ => Self::Mistake(error),
        }
    }
}
