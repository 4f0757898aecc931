//! A damaged file is set aside, and what is whole of it goes on in a new one under its own identities.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use chrono::Utc;
use rusqlite::{Connection, OpenFlags, config::DbConfig, params};
use weighbridge_protocol::link::{Event, EventBody, EventId, salvage::salvaged, store::EpochBounds};

use super::{
    BufferError, EpochRow,
    events::insert,
    file::{Salvaged, epochs},
    schema,
};

/// What could be read of the damaged file.
#[derive(Debug, Default)]
struct Found {
    epochs: Vec<EpochRow>,
    events: BTreeMap<EventId, (Event, Option<EventId>, i64)>,
}

/// Makes a new file of the readable rows of the one at `path`, and sets that aside. The caller opens a new epoch in it.
///
/// Until the new file is whole the damaged one stays where the next start looks: a disk that is too full for both, or a
/// kill, must not leave an empty file in its place.
pub(super) fn salvage(path: &Path) -> Result<(Connection, Salvaged), BufferError> {
    let found = read(path);
    let renewed = path.with_file_name("buffer.db.renewed");
    remove(&renewed)?;
    let made = make(&renewed, &found);
    if made.is_err() {
        remove(&renewed)?;
    }
    let lost = made?;
    let set_aside = set_aside(path)?;
    put_in_place(&renewed, path).map_err(|cause| BufferError::Directory { path: renewed, cause })?;
    let connection = schema::connect(path)?;
    let salvaged = Salvaged {
        set_aside,
        kept: found.events.len() as u64,
        lost,
    };
    tracing::error!(
        kept = salvaged.kept,
        lost = salvaged.lost,
        set_aside = %salvaged.set_aside.display(),
        "the buffer file was damaged: {} events salvaged, {} lost; the damaged file is {}",
        salvaged.kept, salvaged.lost, salvaged.set_aside.display()
    );
    Ok((connection, salvaged))
}

/// Writes a file of what was found, all of it in the file itself and nothing in its log. Says how many events are gone.
fn make(path: &Path, found: &Found) -> Result<u64, BufferError> {
    let mut connection = schema::connect(path)?;
    let lost = write(&mut connection, found)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(lost)
}

/// Removes what an earlier salvage did not finish.
fn remove(path: &Path) -> Result<(), BufferError> {
    for suffix in ["", "-wal", "-journal"] {
        let path = with_suffix(path, suffix);
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(BufferError::Directory { path, cause });
            }
            _ => (),
        }
    }
    Ok(())
}

fn put_in_place(renewed: &Path, path: &Path) -> std::io::Result<()> {
    std::fs::rename(renewed, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Renames the file and its log together, so that SQLite still finds one by the other.
fn set_aside(path: &Path) -> Result<PathBuf, BufferError> {
    let aside = path.with_file_name(format!("buffer.db.corrupt-{}", Utc::now().format("%Y%m%dT%H%M%S%3fZ")));
    for suffix in ["", "-wal"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
        match std::fs::rename(&from, &to) {
            Err(cause) if suffix.is_empty() || cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(BufferError::Directory { path: from, cause });
            }
            _ => (),
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What every file of ours begins with: SQLite's name, pages of 4096 bytes, a write-ahead log, nothing reserved.
const HEADER: &[u8; 24] = b"SQLite format 3\0\x10\0\x02\x02\0\x40\x20\x20";

/// Everything that reads well. Where the file's beginning is not what it always is, a copy with that beginning is read:
/// the rest may be whole.
fn read(path: &Path) -> Found {
    let found = read_from(path);
    if !found.epochs.is_empty() || !found.events.is_empty() {
        return found;
    }
    match mended(path) {
        Ok(Some(copy)) => {
            let found = read_from(&copy);
            if let Err(error) = remove(&copy) {
                tracing::warn!(%error, "a copy of the damaged file stays beside it");
            }
            found
        }
        Ok(None) => found,
        Err(error) => {
            tracing::error!(%error, "the damaged file cannot be copied, to be read with a whole header");
            found
        }
    }
}

/// A copy whose header is whole, if that of the file is not.
fn mended(path: &Path) -> std::io::Result<Option<PathBuf>> {
    use std::os::unix::fs::FileExt;

    let mut header = [0; HEADER.len()];
    let file = File::open(path)?;
    if file.metadata()?.len() < 4096 {
        return Ok(None);
    }
    file.read_exact_at(&mut header, 0)?;
    if header == *HEADER {
        return Ok(None);
    }
    let copy = path.with_file_name("buffer.db.mended");
    std::fs::copy(path, &copy)?;
    let log = with_suffix(path, "-wal");
    if log.exists() {
        std::fs::copy(log, with_suffix(&copy, "-wal"))?;
    }
    File::options().write(true).open(&copy)?.write_all_at(HEADER, 0)?;
    Ok(Some(copy))
}

/// Everything that reads well; a file that cannot even be opened gives nothing.
fn read_from(path: &Path) -> Found {
    let mut found = Found::default();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(path, flags) else {
        return found;
    };
    // What was set aside is evidence: it is read with its log, and not changed by that.
    let careful = connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .and_then(|_| connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON;"));
    if let Err(error) = careful {
        tracing::warn!(%error, "the damaged file is read without care");
    }
    found.epochs = epochs(&connection).unwrap_or_default();
    let last_id = last_id(&connection, &found.epochs);
    let mut id = 0;
    while id < last_id {
        // A scan stops at the first page that is damaged; the row behind it is looked for one by one.
        id = scan_from(&connection, id, &mut found).max(id) + 1;
    }
    found
}

/// The highest row id that there can be: the table's own answer, or as many as identities were given.
fn last_id(connection: &Connection, epochs: &[EpochRow]) -> i64 {
    let given: i64 = epochs.iter().map(|epoch| epoch.next_seq).sum();
    let asked = connection.query_row("SELECT max(id) FROM event", [], |row| row.get::<_, Option<i64>>(0));
    asked.ok().flatten().unwrap_or(0).max(given)
}

/// Reads rows in order until one cannot be read; says the last id that was passed, or the highest possible at the end.
fn scan_from(connection: &Connection, after: i64, found: &mut Found) -> i64 {
    let Ok(mut statement) = connection.prepare_cached(
        "SELECT id, body, sha256, receipt, reborn_from, committed_at FROM event WHERE id > ?1 ORDER BY id",
    ) else {
        return i64::MAX - 1;
    };
    let Ok(mut rows) = statement.query([after]) else {
        return after;
    };
    let mut passed = after;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                passed = row.get(0).unwrap_or(passed + 1);
                keep(row, found);
            }
            Ok(None) => return i64::MAX - 1,
            Err(_) => return passed,
        }
    }
}

/// A row counts if its text is its hash's and says which event it is.
fn keep(row: &rusqlite::Row<'_>, found: &mut Found) {
    let text = |index| row.get::<_, String>(index).ok();
    let (Some(body), Some(sha256)) = (text(1), text(2)) else {
        return;
    };
    let Ok(EventBody { epoch, seq, .. }) = serde_json::from_str(&body) else {
        return;
    };
    let receipt = text(3).and_then(|text| serde_json::from_str(&text).ok());
    let event = Event {
        epoch,
        seq,
        sha256,
        body,
        receipt,
    };
    if event.is_intact() {
        let reborn_from = text(4).and_then(|id| identity(&id));
        found
            .events
            .insert(EventId { epoch, seq }, (event, reborn_from, row.get(5).unwrap_or(0)));
    }
}

fn identity(text: &str) -> Option<EventId> {
    let (epoch, seq) = text.split_once(':')?;
    Some(EventId {
        epoch: epoch.parse().ok()?,
        seq: seq.parse().ok()?,
    })
}

/// Writes what was found, and says how many identities were given whose events are gone.
fn write(connection: &mut Connection, found: &Found) -> Result<u64, BufferError> {
    let transaction = connection.transaction()?;
    let read = found.epochs.iter().copied().map(EpochBounds::from).collect();
    let mut lost = 0;
    for row in salvaged(read, found.events.keys().copied()) {
        transaction.execute(
            "INSERT INTO epoch (epoch, next_seq, acked, first_kept, reason) VALUES (?1, ?2, ?3, ?4, 'kept')",
            params![row.epoch.to_string(), row.next_seq, row.acked, row.first_kept],
        )?;
        let id = transaction.last_insert_rowid();
        let id_of = |seq| EventId { epoch: row.epoch, seq };
        let kept = found.events.range(id_of(0)..=id_of(i64::MAX));
        let mut count = 0;
        for (_, (event, reborn_from, committed_at)) in kept {
            insert(&transaction, id, event, *reborn_from, *committed_at)?;
            count += 1;
        }
        lost += u64::try_from(row.next_seq - row.first_kept - count).unwrap_or(0);
    }
    transaction.commit()?;
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use uuid::Uuid;
    use weighbridge_protocol::link::Store;

    use crate::buffer::{BufferFile, testing};

    #[test]
    fn a_damaged_page_costs_its_rows_and_no_others() {
        let mut worth_it = 0;
        for page in 1..12 {
            let directory = tempfile::tempdir().unwrap();
            let (epoch, written) = testing::file_with(directory.path(), 60);
            let path = directory.path().join("buffer.db");
            let pages = path.metadata().unwrap().len() / 4096;
            if page >= pages {
                break;
            }
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[0xA5; 4096], page * 4096).unwrap();

            let (file, opened) = BufferFile::open(directory.path(), Uuid::from_u128(2)).unwrap();
            let Some(salvaged) = opened.salvaged else {
                continue;
            };
            worth_it += 1;
            let kept: Vec<_> = written.iter().filter(|id| testing::holds(&file, **id)).collect();
            assert_eq!(salvaged.kept, kept.len() as u64, "page {page}");
            let epochs = file.epochs().unwrap();
            assert_ne!(
                epochs.last().map(|row| row.epoch),
                Some(epoch),
                "a new epoch is open after page {page}"
            );
            assert!(salvaged.set_aside.exists());
            if let Some(row) = epochs.iter().find(|row| row.epoch == epoch) {
                let missing = u64::try_from(row.next_seq - row.first_kept).unwrap() - salvaged.kept;
                assert_eq!(salvaged.lost, missing, "page {page}");
            }
        }
        assert!(worth_it >= 3, "only {worth_it} pages were worth a salvage");
    }

    #[test]
    fn a_damaged_header_hides_no_event() {
        for at in [0, 7, 17, 20] {
            let directory = tempfile::tempdir().unwrap();
            let (_, written) = testing::file_with(directory.path(), 5);
            let path = directory.path().join("buffer.db");
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[0xA5], at).unwrap();
            let (file, opened) = BufferFile::open(directory.path(), Uuid::from_u128(2)).unwrap();
            let salvaged = opened.salvaged.unwrap();
            assert_eq!((salvaged.kept, salvaged.lost), (5, 0), "byte {at}");
            assert!(written.iter().all(|id| testing::holds(&file, *id)));
            assert!(!directory.path().join("buffer.db.mended").exists());
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("buffer.db"), [0x5A; 9000]).unwrap();
        let (file, opened) = BufferFile::open(directory.path(), Uuid::from_u128(1)).unwrap();
        let salvaged = opened.salvaged.unwrap();
        assert_eq!((salvaged.kept, salvaged.lost, file.epochs().unwrap().len()), (0, 0, 1));
        assert_eq!(std::fs::read(salvaged.set_aside).unwrap(), [0x5A; 9000]);
    }
}
