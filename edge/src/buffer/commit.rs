//! What a station commits: its events and where its cycle stands, in one transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, params, types::FromSql};
use weighbridge_protocol::{
    link::{Committed, Draft, EventId, EventKind},
    scale::{CaptureOverrides, CycleState, Scale},
};

use super::{BufferError, BufferFile, events};

/// How a command of the server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutcome {
    /// None: it was done.
    pub error: Option<String>,
}

impl BufferFile {
    /// Commits `drafts` together with the state of the `scale` that they come from, and reads the events back. Nothing
    /// may be told before this returns, and after [`BufferError::Full`] nothing has changed.
    pub fn commit(&mut self, drafts: &[Draft], station_id: i64, scale: &Scale) -> Result<Vec<Committed>, BufferError> {
        if drafts.iter().any(Draft::begins) && !self.has_room()? {
            return Err(BufferError::Full);
        }
        let curves = self.curves;
        let (events, committed) = self.with_ballast(|file| {
            file.write(|transaction| {
                let (events, committed) = events::append(transaction, drafts, curves)?;
                put_state(transaction, station_id, &scale.state_with(&committed))?;
                note_indicator(transaction, station_id, drafts)?;
                Ok((events, committed))
            })
        })?;
        self.read_back(&events)?;
        Ok(committed)
    }

    /// Keeps where a station's cycle stands, and when its deck was last seen.
    pub fn keep_state(&mut self, station_id: i64, state: &CycleState) -> Result<(), BufferError> {
        self.with_ballast(|file| file.write(|transaction| put_state(transaction, station_id, state)))
    }

    /// Where a station's cycle stood when it was last written; that of a new file where it never was.
    pub fn state(&self, station_id: i64) -> Result<CycleState, BufferError> {
        let text: Option<String> = column(&self.connection, "deck", station_id)?;
        let state = text.map(|text| serde_json::from_str(&text)).transpose();
        // A state that cannot be read is one that nobody knows: the deck counts as not looked at.
        let mut state: CycleState = state.ok().flatten().unwrap_or_default();
        state.follow_rebirth(|id| reborn(&self.connection, id))?;
        Ok(state)
    }

    /// Whether the events told last that the station's indicator is up; none where they never told.
    pub fn indicator_was_up(&self, station_id: i64) -> Result<Option<bool>, BufferError> {
        column(&self.connection, "indicator_up", station_id)
    }

    /// The server's capture settings for a station, as they were last heard.
    pub fn capture_overrides(&self, station_id: i64) -> Result<CaptureOverrides, BufferError> {
        let text: Option<String> = column(&self.connection, "capture", station_id)?;
        let overrides = text.map(|text| serde_json::from_str(&text)).transpose();
        Ok(overrides.ok().flatten().unwrap_or_default())
    }

    /// Keeps what a `welcome` said of a station, so that it holds also while the server is away.
    pub fn keep_settings(&mut self, station_id: i64, capture: &CaptureOverrides) -> Result<(), BufferError> {
        if self.capture_overrides(station_id)? == *capture {
            return Ok(());
        }
        let text = serde_json::to_string(capture).map_err(|_| BufferError::Unreadable {
            what: "settings to be written",
        })?;
        self.with_ballast(|file| {
            file.write(|transaction| {
                transaction.execute(
                    "INSERT INTO station (station_id, capture) VALUES (?1, ?2)
                     ON CONFLICT (station_id) DO UPDATE SET capture = excluded.capture",
                    params![station_id, text],
                )?;
                Ok(())
            })
        })
    }

    /// Begins a command of the server. Each id is done once: for one that was begun before, says how it ended.
    pub fn begin_command(&mut self, id: i64) -> Result<Option<CommandOutcome>, BufferError> {
        self.with_ballast(|file| {
            file.write(|transaction| {
                let sql = "SELECT error FROM command WHERE id = ?1";
                let before: Option<Option<String>> = transaction.query_row(sql, [id], |row| row.get(0)).optional()?;
                if before.is_none() {
                    transaction.execute("INSERT INTO command (id, error) VALUES (?1, 'was interrupted')", [id])?;
                }
                Ok(before.map(|error| CommandOutcome { error }))
            })
        })
    }

    pub fn end_command(&mut self, id: i64, outcome: &CommandOutcome) -> Result<(), BufferError> {
        self.with_ballast(|file| {
            file.write(|transaction| {
                transaction.execute(
                    "UPDATE command SET error = ?2 WHERE id = ?1",
                    params![id, outcome.error],
                )?;
                Ok(())
            })
        })
    }
}

fn column<T: FromSql>(connection: &Connection, name: &str, station_id: i64) -> Result<Option<T>, BufferError> {
    let found = connection
        .query_row(
            &format!("SELECT {name} FROM station WHERE station_id = ?1"),
            [station_id],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.flatten())
}

fn put_state(transaction: &Transaction<'_>, station_id: i64, state: &CycleState) -> Result<(), BufferError> {
    let mut state = state.clone();
    state.follow_rebirth(|id| reborn(transaction, id))?;
    let text = serde_json::to_string(&state).map_err(|_| BufferError::Unreadable {
        what: "a cycle to be written",
    })?;
    transaction.execute(
        "INSERT INTO station (station_id, deck) VALUES (?1, ?2)
         ON CONFLICT (station_id) DO UPDATE SET deck = excluded.deck",
        params![station_id, text],
    )?;
    Ok(())
}

/// Remembers what was told of the indicator, so that a restart does not tell it again.
fn note_indicator(transaction: &Transaction<'_>, station_id: i64, drafts: &[Draft]) -> Result<(), BufferError> {
    let told = drafts.iter().rev().find_map(|draft| match draft.kind {
        EventKind::IndicatorUp {} => Some(true),
        EventKind::IndicatorDown { .. } => Some(false),
        _ => None,
    });
    if let Some(up) = told {
        transaction.execute(
            "UPDATE station SET indicator_up = ?2 WHERE station_id = ?1",
            params![station_id, up],
        )?;
    }
    Ok(())
}

/// Under which identity a row goes on that had this one before a conflict.
fn reborn(connection: &Connection, id: EventId) -> Result<Option<EventId>, BufferError> {
    let found: Option<(String, i64)> = connection
        .prepare_cached(
            "SELECT epoch.epoch, event.seq FROM event JOIN epoch ON epoch.id = event.epoch WHERE reborn_from = ?1",
        )?
        .query_row([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let identity = |(epoch, seq): (String, i64)| {
        let epoch = epoch.parse();
        let epoch = epoch.map_err(|_| BufferError::Unreadable { what: "an epoch" })?;
        Ok(EventId { epoch, seq })
    };
    found.map(identity).transpose()
}
