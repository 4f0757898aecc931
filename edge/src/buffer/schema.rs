//! The buffer file's layout, and the connection with the settings that make a commit mean "on the disk".

use std::path::Path;

use rusqlite::Connection;

use super::BufferError;

/// The layout that this version writes; kept in `user_version`.
const LAYOUT: i64 = 1;

const TABLES: &str = "
    -- One life of the file a row, in order of birth; the last one is open, and new events go there.
    CREATE TABLE epoch (
        id INTEGER PRIMARY KEY,
        epoch TEXT NOT NULL UNIQUE,
        next_seq INTEGER NOT NULL DEFAULT 1,
        acked INTEGER NOT NULL DEFAULT 0,
        first_kept INTEGER NOT NULL DEFAULT 1,
        reason TEXT NOT NULL
    );
    -- body is the text that is sent, and names its identity itself: a row that is torn from its tables can be salvaged.
    CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL REFERENCES epoch (id),
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        receipt TEXT,
        committed_at INTEGER NOT NULL,
        reborn_from TEXT,
        UNIQUE (epoch, seq)
    );
    CREATE INDEX event_reborn_from ON event (reborn_from) WHERE reborn_from IS NOT NULL;
    -- Rows whose text was not their hash's, kept for people to look at; their seqs are missing in event.
    CREATE TABLE aside (epoch TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, sha256 TEXT NOT NULL);
    -- deck: where the cycle stands, and when it was last seen. capture: the server's settings, as last heard.
    -- indicator_up: what the events told last.
    CREATE TABLE station (station_id INTEGER PRIMARY KEY, deck TEXT, capture TEXT, indicator_up INTEGER);
    -- The server's commands that were carried out, so that each is done once.
    CREATE TABLE command (id INTEGER PRIMARY KEY, error TEXT);
    CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// Opens or creates the file. It belongs to this connection alone: with an exclusive lock SQLite needs no shared
/// memory, which a full disk could not back, and no second connection can get between writing and checkpointing.
pub(super) fn connect(path: &Path) -> Result<Connection, BufferError> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA busy_timeout = 5000;
         PRAGMA wal_autocheckpoint = 200;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;",
    )?;
    lay_out(&connection, path)?;
    Ok(connection)
}

fn lay_out(connection: &Connection, path: &Path) -> Result<(), BufferError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => Ok(connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;"
        ))?),
        LAYOUT => Ok(()),
        _ => Err(BufferError::Newer {
            path: path.to_owned(),
            found,
            known: LAYOUT,
        }),
    }
}

/// Whether every page of the file hangs together.
pub(super) fn quick_check(connection: &Connection) -> Result<bool, BufferError> {
    let first: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(first == "ok")
}
