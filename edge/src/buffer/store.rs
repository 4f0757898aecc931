//! The buffer file as the sending side of the link sees it.

use chrono::{DateTime, FixedOffset, Local};
use rusqlite::{OptionalExtension, params};
use weighbridge_protocol::{
    Epoch,
    link::{
        Event, EventId, Store,
        messages::{NumberedReceipt, SeqRange},
        store::{EpochBounds, Rebirth},
    },
};

use super::{
    BufferError, BufferFile, EpochRow,
    events::{event_at, insert},
    file::epochs,
};

impl Store for BufferFile {
    type Error = BufferError;

    fn epochs(&self) -> Result<Vec<EpochBounds>, BufferError> {
        Ok(epochs(&self.connection)?.into_iter().map(EpochBounds::from).collect())
    }

    fn missing(&self, epoch: Epoch) -> Result<Vec<SeqRange>, BufferError> {
        let Some(row) = self.row_of(epoch)? else {
            return Ok(Vec::new());
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq FROM event WHERE epoch = ?1 AND seq >= ?2 ORDER BY seq")?;
        let mut rows = statement.query(params![row.id, row.first_kept])?;
        let (mut missing, mut expected) = (Vec::new(), row.first_kept);
        while let Some(kept) = rows.next()? {
            let seq: i64 = kept.get(0)?;
            if seq > expected {
                missing.push(SeqRange(expected, seq - 1));
            }
            expected = seq + 1;
        }
        if expected < row.next_seq {
            missing.push(SeqRange(expected, row.next_seq - 1));
        }
        Ok(missing)
    }

    fn next_row(&self, epoch: Epoch, from: i64) -> Result<Option<Event>, BufferError> {
        let seq = self.seq(
            "SELECT min(seq) FROM event JOIN epoch ON epoch.id = event.epoch WHERE epoch.epoch = ?1 AND seq >= ?2",
            epoch,
            from,
        )?;
        seq.map_or(Ok(None), |seq| event_at(&self.connection, epoch, seq))
    }

    fn last_seq(&self, epoch: Epoch, to: i64) -> Result<Option<i64>, BufferError> {
        self.seq(
            "SELECT max(seq) FROM event JOIN epoch ON epoch.id = event.epoch WHERE epoch.epoch = ?1 AND seq <= ?2",
            epoch,
            to,
        )
    }

    fn acknowledge(&mut self, epoch: Epoch, acked: i64, receipts: &[NumberedReceipt]) -> Result<(), BufferError> {
        match self.with_ballast(|file| file.write_down(epoch, acked, receipts)) {
            Err(BufferError::Full) => self.acknowledge_by_steps(epoch, acked, receipts),
            other => other,
        }
    }

    fn open_epoch(&mut self, epoch: Epoch) -> Result<(), BufferError> {
        self.with_ballast(|file| {
            file.write(|transaction| super::file::open_epoch(transaction, epoch, "the server had more than the file"))
        })
    }

    fn rebirth(&mut self, rebirth: &Rebirth) -> Result<(), BufferError> {
        let Rebirth {
            old,
            new,
            opens_epoch,
            acked,
        } = rebirth;
        self.with_ballast(|file| {
            file.write(|transaction| {
                if *opens_epoch {
                    super::file::open_epoch(transaction, new.epoch, "the open epoch was in conflict")?;
                }
                let epoch_of = |epoch: Epoch| {
                    let known = epochs(transaction)?.into_iter().find(|row| row.epoch == epoch);
                    known.ok_or(BufferError::Unreadable {
                        what: "the epoch of a rebirth",
                    })
                };
                let (from, to) = (epoch_of(old.epoch)?, epoch_of(new.epoch)?);
                let committed_at: i64 = transaction.query_row(
                    "DELETE FROM event WHERE epoch = ?1 AND seq = ?2 RETURNING committed_at",
                    params![from.id, old.seq],
                    |row| row.get(0),
                )?;
                insert(transaction, to.id, new, Some(*old), committed_at)?;
                transaction.execute(
                    "UPDATE epoch SET next_seq = ?2 WHERE id = ?1",
                    params![to.id, new.seq + 1],
                )?;
                if let Some(acked) = acked {
                    transaction.execute("UPDATE epoch SET acked = ?2 WHERE id = ?1", params![from.id, acked])?;
                }
                Ok(())
            })
        })
    }

    fn set_aside(&mut self, id: EventId) -> Result<(), BufferError> {
        self.with_ballast(|file| {
            file.write(|transaction| {
                transaction.execute(
                    "INSERT INTO aside (epoch, seq, body, sha256)
                     SELECT epoch.epoch, seq, body, sha256 FROM event JOIN epoch ON epoch.id = event.epoch
                     WHERE epoch.epoch = ?1 AND seq = ?2",
                    params![id.epoch.to_string(), id.seq],
                )?;
                transaction.execute(
                    "DELETE FROM event WHERE epoch = (SELECT id FROM epoch WHERE epoch = ?1) AND seq = ?2",
                    params![id.epoch.to_string(), id.seq],
                )?;
                Ok(())
            })
        })
    }
}

impl BufferFile {
    /// How many events the server has not acknowledged.
    pub fn unsent(&self) -> Result<i64, BufferError> {
        let sql = "SELECT count(*) FROM event JOIN epoch ON epoch.id = event.epoch WHERE event.seq > epoch.acked";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// When the oldest event that the server has not acknowledged was committed. Each epoch is looked up by its index: this
    /// is asked often, and a backlog may be long.
    pub fn oldest_unsent(&self) -> Result<Option<DateTime<FixedOffset>>, BufferError> {
        let sql = "SELECT event.committed_at FROM epoch JOIN event ON event.epoch = epoch.id
                       AND event.seq = (SELECT min(seq) FROM event WHERE epoch = epoch.id AND seq > epoch.acked)
                   ORDER BY epoch.id LIMIT 1";
        let at: Option<i64> = self
            .connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(at
            .and_then(|at| DateTime::from_timestamp(at, 0))
            .map(|at| at.with_timezone(&Local).fixed_offset()))
    }

    fn write_down(&mut self, epoch: Epoch, acked: i64, receipts: &[NumberedReceipt]) -> Result<(), BufferError> {
        self.write(|transaction| {
            let sql = "UPDATE epoch SET acked = ?2 WHERE epoch = ?1";
            transaction.execute(sql, params![epoch.to_string(), acked])?;
            for NumberedReceipt { seq, receipt } in receipts {
                let text = serde_json::to_string(receipt).map_err(|_| BufferError::Unreadable {
                    what: "a receipt to be written",
                })?;
                transaction.execute(
                    "UPDATE event SET receipt = ?3 WHERE epoch = (SELECT id FROM epoch WHERE epoch = ?1) AND seq = ?2",
                    params![epoch.to_string(), seq, text],
                )?;
            }
            Ok(())
        })
    }

    /// On a full disk: a receipt rewrites its event, so many at once take much of the log. What is acknowledged first is
    /// let go for those behind it, and where not even one receipt fits, that it is acknowledged counts for more.
    fn acknowledge_by_steps(
        &mut self,
        epoch: Epoch,
        acked: i64,
        receipts: &[NumberedReceipt],
    ) -> Result<(), BufferError> {
        for numbered in receipts {
            let held = self.row_of(epoch)?.map_or(0, |row| row.acked);
            let through = held.max(numbered.seq.min(acked));
            let one = std::slice::from_ref(numbered);
            match self.with_ballast(|file| file.write_down(epoch, through, one)) {
                Err(BufferError::Full) => {
                    tracing::warn!(
                        seq = numbered.seq,
                        "the receipt of event {} of {epoch} is not kept for want of space",
                        numbered.seq
                    );
                    self.with_ballast(|file| file.write_down(epoch, through, &[]))?;
                }
                other => other?,
            }
        }
        self.with_ballast(|file| file.write_down(epoch, acked, &[]))
    }

    fn row_of(&self, epoch: Epoch) -> Result<Option<EpochRow>, BufferError> {
        Ok(epochs(&self.connection)?.into_iter().find(|row| row.epoch == epoch))
    }

    fn seq(&self, sql: &str, epoch: Epoch, bound: i64) -> Result<Option<i64>, BufferError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement
            .query_row(params![epoch.to_string(), bound], |row| row.get(0))
            .optional()?
            .flatten())
    }
}

impl From<EpochRow> for EpochBounds {
    fn from(row: EpochRow) -> Self {
        Self {
            epoch: row.epoch,
            first_kept: row.first_kept,
            next_seq: row.next_seq,
            acked: row.acked,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use weighbridge_protocol::link::Receipt;

    use super::*;
    use crate::buffer::testing;

    fn file(count: usize) -> (tempfile::TempDir, BufferFile, Vec<EventId>) {
        let directory = tempfile::tempdir().unwrap();
        let (_, written) = testing::file_with(directory.path(), count);
        let (file, _) = BufferFile::open(directory.path(), Uuid::from_u128(1)).unwrap();
        (directory, file, written)
    }

    #[test]
    fn a_receipt_is_kept_beside_its_event_and_sent_again_with_it() {
        let (_directory, mut file, written) = file(3);
        let receipt = Receipt {
            slip_number: Some("WR20260125001".to_owned()),
            ..Receipt::default()
        };
        let numbered = NumberedReceipt {
            seq: 2,
            receipt: receipt.clone(),
        };
        file.acknowledge(written[0].epoch, 2, &[numbered]).unwrap();
        assert_eq!(file.unsent().unwrap(), 1);
        assert_eq!(
            file.next_row(written[0].epoch, 2).unwrap().unwrap().receipt,
            Some(receipt)
        );
    }

    #[test]
    fn a_row_that_is_reborn_leaves_a_missing_seq_and_keeps_its_past() {
        let (_directory, mut file, written) = file(3);
        let epoch = Epoch::from_bits(7);
        let old = file.next_row(written[1].epoch, 2).unwrap().unwrap();
        let new = Event { epoch, seq: 1, ..old };
        let rebirth = Rebirth {
            old: written[1],
            new,
            opens_epoch: true,
            acked: Some(0),
        };
        file.rebirth(&rebirth).unwrap();
        assert_eq!(file.missing(written[0].epoch).unwrap(), [SeqRange(2, 2)]);
        assert_eq!(
            file.epochs().unwrap().last().map(|row| (row.epoch, row.next_seq)),
            Some((epoch, 2))
        );
        let born: String = file
            .connection
            .query_row(
                "SELECT reborn_from FROM event WHERE reborn_from IS NOT NULL",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(born, written[1].to_string());
    }

    #[test]
    fn a_row_that_is_set_aside_is_missing() {
        let (_directory, mut file, written) = file(2);
        file.set_aside(written[1]).unwrap();
        assert_eq!(file.missing(written[0].epoch).unwrap(), [SeqRange(2, 2)]);
        assert_eq!(file.last_seq(written[0].epoch, 9).unwrap(), Some(1));
    }
}
