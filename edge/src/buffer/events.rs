//! Events go in, and are read back before anybody is told.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use weighbridge_protocol::{
    Epoch,
    link::{Committed, Draft, Event, EventId, curve::CurveForm},
};

use super::{BufferError, BufferFile, file::epochs};

impl BufferFile {
    /// Reads committed events back from the file and compares them with what was meant.
    pub(super) fn read_back(&self, written: &[Event]) -> Result<(), BufferError> {
        for event in written {
            let stored = event_at(&self.connection, event.epoch, event.seq)?;
            if stored.as_ref() != Some(event) || !event.is_intact() {
                return Err(BufferError::ReadsBackOtherwise {
                    epoch: event.epoch.to_string(),
                    seq: event.seq,
                });
            }
        }
        Ok(())
    }
}

/// Gives the drafts their identities in the open epoch and writes them.
pub(super) fn append(
    transaction: &Transaction<'_>,
    drafts: &[Draft],
    curves: CurveForm,
) -> Result<(Vec<Event>, Vec<Committed>), BufferError> {
    let open = epochs(transaction)?
        .pop()
        .ok_or(BufferError::Unreadable { what: "the open epoch" })?;
    let mut born = Vec::with_capacity(drafts.len());
    for (seq, draft) in (open.next_seq..).zip(drafts) {
        let (event, committed) =
            draft
                .born(EventId { epoch: open.epoch, seq }, curves)
                .map_err(|_| BufferError::Unreadable {
                    what: "a body to be written",
                })?;
        insert(transaction, open.id, &event, None, draft.at.wall.timestamp())?;
        born.push((event, committed));
    }
    let next_seq = born.last().map_or(open.next_seq, |(event, _)| event.seq + 1);
    transaction.execute(
        "UPDATE epoch SET next_seq = ?2 WHERE id = ?1",
        params![open.id, next_seq],
    )?;
    Ok(born.into_iter().unzip())
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    epoch_id: i64,
    event: &Event,
    reborn_from: Option<EventId>,
    committed_at: i64,
) -> Result<(), BufferError> {
    let receipt = event.receipt.as_ref().map(serde_json::to_string).transpose();
    let receipt = receipt.map_err(|_| BufferError::Unreadable {
        what: "a receipt to be written",
    })?;
    transaction.execute(
        "INSERT INTO event (epoch, seq, body, sha256, receipt, committed_at, reborn_from) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![epoch_id, event.seq, event.body, event.sha256, receipt, committed_at, reborn_from.map(|id| id.to_string())],
    )?;
    Ok(())
}

/// The stored event of this identity.
pub(super) fn event_at(connection: &Connection, epoch: Epoch, seq: i64) -> Result<Option<Event>, BufferError> {
    let mut statement = connection.prepare_cached(
        "SELECT body, sha256, receipt FROM event WHERE epoch = (SELECT id FROM epoch WHERE epoch = ?1) AND seq = ?2",
    )?;
    let found: Option<(String, String, Option<String>)> = statement
        .query_row(params![epoch.to_string(), seq], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((body, sha256, receipt)) = found else {
        return Ok(None);
    };
    let receipt = receipt.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Some(Event {
        epoch,
        seq,
        sha256,
        body,
        receipt: receipt.map_err(|_| BufferError::Unreadable { what: "a receipt" })?,
    }))
}
