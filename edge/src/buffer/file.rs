//! The buffer file as a whole: opened, checked once a boot, salvaged if it is damaged, and its epochs.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, link::curve::CurveForm};

use super::{BufferError, NoSpace, ballast::Ballast, log::LogSpace, salvage, schema};

/// The name of the file in its data directory.
const FILE: &str = "buffer.db";
/// Left beside the file by a process that met damage, so that the next one looks closely.
const SUSPICION: &str = "check-at-next-start";
/// Under which is kept whether the server reads a curve by differences.
const CURVE_STEPS: &str = "curve_steps";

/// The open buffer file: every event that this edge has committed and not yet let go, and where each cycle stands.
#[derive(Debug)]
pub struct BufferFile {
    pub(super) connection: Connection,
    pub(super) directory: PathBuf,
    pub(super) ballast: Ballast,
    pub(super) curves: CurveForm,
    // Goes after the connection.
    _log: LogSpace,
}

/// What was found when the file was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The file is new, or made anew from a damaged one: nothing is known of what stands on the decks.
    pub is_new: bool,
    pub salvaged: Option<Salvaged>,
}

/// What became of a damaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Salvaged {
    /// Where the damaged file lies now.
    pub set_aside: PathBuf,
    /// Events that are whole, and kept under their own identities.
    pub kept: u64,
    /// Sequence numbers that were given and whose events are gone.
    pub lost: u64,
}

/// An epoch as the file holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRow {
    /// The order of birth.
    pub id: i64,
    pub epoch: Epoch,
    pub next_seq: i64,
    pub acked: i64,
    pub first_kept: i64,
}

impl BufferFile {
    /// Opens the file in `directory`, which the caller has locked. Looks through all of it once a `boot`. On a full disk
    /// it is opened in the ballast's space: an edge that is up sends what it holds, and is seen to refuse the rest.
    pub fn open(directory: &Path, boot: Uuid) -> Result<(Self, Opened), BufferError> {
        let opened = match Self::try_open(directory, boot) {
            Err(BufferError::Full) if Ballast::of(directory).give_up() => Self::try_open(directory, boot),
            other => other,
        };
        opened.map_err(|error| match error {
            BufferError::Full => BufferError::NoSpaceToOpen(NoSpace::on_disk_of(directory)),
            other => other,
        })
    }

    fn try_open(directory: &Path, boot: Uuid) -> Result<(Self, Opened), BufferError> {
        let path = directory.join(FILE);
        let mut opened = Opened::default();
        let connection = match connect_checked(&path, boot) {
            Err(BufferError::Damaged(_)) => {
                let (connection, salvaged) = salvage::salvage(&path)?;
                opened = Opened {
                    is_new: true,
                    salvaged: Some(salvaged),
                };
                connection
            }
            other => other?,
        };
        let mut file = Self {
            _log: LogSpace::of(&connection, &path)?,
            connection,
            directory: directory.to_owned(),
            ballast: Ballast::of(directory),
            curves: CurveForm::default(),
        };
        if file.fact(CURVE_STEPS)?.as_deref() == Some("yes") {
            file.curves = CurveForm::Steps;
        }
        file.note_checked(boot)?;
        opened.is_new |= epochs(&file.connection)?.is_empty();
        if opened.is_new {
            let reason = if opened.salvaged.is_some() { "salvaged" } else { "born" };
            file.write(|transaction| open_epoch(transaction, Epoch::from_bits(rand::random()), reason))?;
        }
        file.take_ballast();
        Ok((file, opened))
    }

    /// Runs `change` in one transaction: all of it is on the disk when this returns, or none.
    pub(super) fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, BufferError>,
    ) -> Result<T, BufferError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// Asks the next process to look through the whole file, because this one met damage.
    pub fn mark_suspect(directory: &Path) -> std::io::Result<()> {
        std::fs::write(directory.join(SUSPICION), b"")
    }

    fn note_checked(&mut self, boot: Uuid) -> Result<(), BufferError> {
        match self.set_fact("checked_boot", &boot.to_string()) {
            // The next start looks through it once more.
            Err(BufferError::Full) => (),
            other => other?,
        }
        let suspicion = self.directory.join(SUSPICION);
        match std::fs::remove_file(&suspicion) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(BufferError::Directory { path: suspicion, cause })
            }
            _ => Ok(()),
        }
    }

    /// A single value that belongs to the file.
    pub fn fact(&self, key: &str) -> Result<Option<String>, BufferError> {
        fact(&self.connection, key)
    }

    /// Keeps how the server reads curves, so that they are written so also while it is away.
    pub fn write_curves_as(&mut self, form: CurveForm) -> Result<(), BufferError> {
        // Where there is no space to keep it, it holds for this process.
        self.curves = form;
        let word = match form {
            CurveForm::Points => "no",
            CurveForm::Steps => "yes",
        };
        self.set_fact(CURVE_STEPS, word)
    }

    pub fn set_fact(&mut self, key: &str, value: &str) -> Result<(), BufferError> {
        if self.fact(key)?.as_deref() == Some(value) {
            return Ok(());
        }
        self.with_ballast(|file| {
            file.write(|transaction| {
                let sql = "INSERT OR REPLACE INTO fact (key, value) VALUES (?1, ?2)";
                transaction.execute(sql, params![key, value])?;
                Ok(())
            })
        })
    }
}

/// A connection to a file that is whole, as far as is known in this boot.
fn connect_checked(path: &Path, boot: Uuid) -> Result<Connection, BufferError> {
    let connection = schema::connect(path)?;
    let suspect = path.with_file_name(SUSPICION).exists();
    let is_due = suspect || fact(&connection, "checked_boot")?.as_deref() != Some(boot.to_string().as_str());
    // Pages may hang together and hold what is no epoch; their events name it, so that a salvage brings it back.
    let is_unreadable = matches!(epochs(&connection), Err(BufferError::Unreadable { .. }));
    if is_unreadable || (is_due && !schema::quick_check(&connection)?) {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(BufferError::Damaged(rusqlite::Error::SqliteFailure(corrupt, None)));
    }
    Ok(connection)
}

fn fact(connection: &Connection, key: &str) -> Result<Option<String>, BufferError> {
    Ok(connection
        .query_row("SELECT value FROM fact WHERE key = ?1", [key], |row| row.get(0))
        .optional()?)
}

pub(super) fn epochs(connection: &Connection) -> Result<Vec<EpochRow>, BufferError> {
    let mut statement =
        connection.prepare_cached("SELECT id, epoch, next_seq, acked, first_kept FROM epoch ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut epochs = Vec::new();
    while let Some(row) = rows.next()? {
        let epoch: String = row.get(1)?;
        epochs.push(EpochRow {
            id: row.get(0)?,
            epoch: epoch
                .parse()
                .map_err(|_| BufferError::Unreadable { what: "an epoch" })?,
            next_seq: row.get(2)?,
            acked: row.get(3)?,
            first_kept: row.get(4)?,
        });
    }
    Ok(epochs)
}

/// Opens an epoch; events go there from now on.
pub(super) fn open_epoch(transaction: &Transaction<'_>, epoch: Epoch, reason: &str) -> Result<(), BufferError> {
    transaction.execute(
        "INSERT INTO epoch (epoch, reason) VALUES (?1, ?2)",
        params![epoch.to_string(), reason],
    )?;
    tracing::info!(edge.epoch = %epoch, reason, "epoch {epoch} is open");
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use weighbridge_protocol::link::Store;

    use crate::buffer::{BufferFile, testing};

    const BOOT: Uuid = Uuid::from_u128(1);

    #[test]
    fn what_was_committed_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (epoch, written) = testing::file_with(directory.path(), 5);
        let (file, opened) = BufferFile::open(directory.path(), BOOT).unwrap();
        assert!(!opened.is_new && opened.salvaged.is_none());
        let row = file.epochs().unwrap()[0];
        assert_eq!((row.epoch, row.next_seq, row.acked, row.first_kept), (epoch, 6, 0, 1));
        assert!(written.iter().all(|id| testing::holds(&file, *id)));
    }

    #[test]
    fn a_commit_is_on_the_disk_before_it_returns() {
        let directory = tempfile::tempdir().unwrap();
        let (file, opened) = BufferFile::open(directory.path(), BOOT).unwrap();
        let setting = |name: &str| {
            file.connection
                .pragma_query_value(None, name, |row| {
                    row.get::<_, String>(0)
                        .or_else(|_| row.get::<_, i64>(0).map(|n| n.to_string()))
                })
                .unwrap()
        };
        assert!(opened.is_new);
        assert_eq!(
            (setting("synchronous"), setting("journal_mode")),
            ("2".to_owned(), "wal".to_owned())
        );
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }

    #[test]
    fn an_epoch_whose_name_is_no_name_is_named_again_by_its_events() {
        let directory = tempfile::tempdir().unwrap();
        let (epoch, written) = testing::file_with(directory.path(), 5);
        let (file, _) = BufferFile::open(directory.path(), BOOT).unwrap();
        let spoil = "UPDATE epoch SET epoch = 'q' || substr(epoch, 2)";
        file.connection.execute_batch(spoil).unwrap();
        drop(file);
        let (file, opened) = BufferFile::open(directory.path(), BOOT).unwrap();
        let salvaged = opened.salvaged.unwrap();
        assert_eq!((salvaged.kept, salvaged.lost), (5, 0));
        assert!(written.iter().all(|id| testing::holds(&file, *id)));
        let epochs = file.epochs().unwrap();
        assert_eq!((epochs[0].epoch, epochs.len()), (epoch, 2));
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (file, _) = BufferFile::open(directory.path(), BOOT).unwrap();
        file.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(file);
        let refused = BufferFile::open(directory.path(), BOOT).unwrap_err().to_string();
        assert!(refused.contains("layout 99, expected at most 1"), "{refused}");
    }
}
