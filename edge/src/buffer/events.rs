//! Events go in, and are read back before anybody is told.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use weighbridge_protocol::{
    CycleId, Epoch,
    link::{
        Event, EventBody, EventId, EventKind,
        event::{CurvePoint, sha256_hex},
        limits::MOST_BODY_BYTES,
        messages::EdgeClock,
    },
};

use super::{BufferError, BufferFile, file::epochs};

/// An event that has no identity yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub station_id: i64,
    pub cycle: Option<CycleId>,
    pub at: EdgeClock,
    pub kind: EventKind,
}

/// An event that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub id: EventId,
    pub cycle: Option<CycleId>,
    pub kind: EventKind,
}

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
pub(super) fn append(transaction: &Transaction<'_>, drafts: &[Draft]) -> Result<Vec<(Event, Committed)>, BufferError> {
    let open = epochs(transaction)?
        .pop()
        .ok_or(BufferError::Unreadable { what: "the open epoch" })?;
    let mut seq = open.next_seq;
    let mut events = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let body = EventBody {
            epoch: open.epoch,
            seq,
            station_id: draft.station_id,
            cycle: draft.cycle,
            at: draft.at.wall,
            mono_ms: draft.at.mono_ms,
            boot: draft.at.boot,
            kind: draft.kind.clone(),
        };
        let event = as_event(&body)?;
        insert(transaction, open.id, &event, None, draft.at.wall.timestamp())?;
        events.push((
            event,
            Committed {
                id: EventId { epoch: open.epoch, seq },
                cycle: body.cycle,
                kind: body.kind,
            },
        ));
        seq += 1;
    }
    transaction.execute("UPDATE epoch SET next_seq = ?2 WHERE id = ?1", params![open.id, seq])?;
    Ok(events)
}

/// The text and hash of a body. A curve that would make it too long is thinned to every second point.
pub(super) fn as_event(body: &EventBody) -> Result<Event, BufferError> {
    let unwritable = |_| BufferError::Unreadable {
        what: "a body to be written",
    };
    let mut text = serde_json::to_string(body).map_err(unwritable)?;
    let mut thinner = body.clone();
    while text.len() > MOST_BODY_BYTES
        && let EventKind::Capture(capture) = &mut thinner.kind
        && capture.curve.len() > 1
    {
        capture.curve = capture.curve.iter().step_by(2).copied().collect::<Vec<CurvePoint>>();
        text = serde_json::to_string(&thinner).map_err(unwritable)?;
    }
    Ok(Event {
        epoch: body.epoch,
        seq: body.seq,
        sha256: sha256_hex(&text),
        body: text,
        receipt: None,
    })
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
