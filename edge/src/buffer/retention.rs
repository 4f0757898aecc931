//! How long the server's own events are kept here: long enough to give them again to a server that was restored.

use chrono::{DateTime, Duration, FixedOffset};
use rusqlite::{Transaction, params};

use super::{BufferError, BufferFile, EpochRow, file::epochs};

/// Acknowledged events are kept this long,
const KEPT_DAYS: i64 = 30;
/// or until the file is as large as this.
const MOST_BYTES: i64 = 2 * 1024 * 1024 * 1024;
/// At most so many go in one transaction, so that a weighing never waits for long.
const AT_ONCE: i64 = 5_000;

impl BufferFile {
    /// Lets acknowledged events go that are older than 30 days at `now` (which the server has told), or the oldest
    /// ones of a file beyond 2 GiB. Says how many; more may be due.
    pub fn retain(&mut self, now: DateTime<FixedOffset>) -> Result<usize, BufferError> {
        let pages = |name: &str| -> Result<i64, BufferError> {
            Ok(self.connection.pragma_query_value(None, name, |row| row.get(0))?)
        };
        let bytes = (pages("page_count")? - pages("freelist_count")?) * pages("page_size")?;
        let before = if bytes > MOST_BYTES {
            i64::MAX
        } else {
            (now - Duration::days(KEPT_DAYS)).timestamp()
        };
        self.write(|transaction| {
            let mut dropped = 0;
            for epoch in epochs(transaction)? {
                // Only a prefix may go: what is kept has no holes but those that a fault made.
                let last: Option<i64> = transaction.query_row(
                    "SELECT max(seq) FROM (SELECT seq, committed_at FROM event WHERE epoch = ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3)
                     WHERE committed_at < ?4",
                    params![epoch.id, epoch.acked, AT_ONCE, before],
                    |row| row.get(0),
                )?;
                if let Some(last) = last {
                    dropped += drop_through(transaction, &epoch, last)?;
                }
            }
            Ok(dropped)
        })
    }

    /// Lets one in `part` of the acknowledged events go, the oldest ones, for want of space.
    pub(super) fn drop_oldest_of_acked(&mut self, part: i64) -> Result<usize, BufferError> {
        self.write(|transaction| {
            let mut dropped = 0;
            for epoch in epochs(transaction)? {
                let held = epoch.acked - epoch.first_kept + 1;
                let going = (held / part).min(AT_ONCE);
                if going > 0 {
                    dropped += drop_through(transaction, &epoch, epoch.first_kept + going - 1)?;
                }
            }
            Ok(dropped)
        })
    }
}

fn drop_through(transaction: &Transaction<'_>, epoch: &EpochRow, last: i64) -> Result<usize, BufferError> {
    let dropped = transaction.execute(
        "DELETE FROM event WHERE epoch = ?1 AND seq <= ?2",
        params![epoch.id, last],
    )?;
    transaction.execute(
        "UPDATE epoch SET first_kept = max(first_kept, ?2) WHERE id = ?1",
        params![epoch.id, last + 1],
    )?;
    // An older epoch of which nothing is left and nothing is due has no more to say.
    transaction.execute(
        "DELETE FROM epoch WHERE id = ?1 AND first_kept >= next_seq AND id < (SELECT max(id) FROM epoch)",
        [epoch.id],
    )?;
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};
    use uuid::Uuid;
    use weighbridge_protocol::link::Store;

    use crate::buffer::{BufferFile, testing};

    #[test]
    fn only_acknowledged_events_older_than_a_month_are_let_go() {
        let directory = tempfile::tempdir().unwrap();
        let (_, written) = testing::file_with(directory.path(), 10);
        let (mut file, _) = BufferFile::open(directory.path(), Uuid::from_u128(1)).unwrap();
        file.connection.execute("UPDATE epoch SET acked = 4", []).unwrap();
        let born = DateTime::parse_from_rfc3339(testing::WALL).unwrap();

        assert_eq!(file.retain(born + Duration::days(29)).unwrap(), 0);
        assert_eq!(file.retain(born + Duration::days(31)).unwrap(), 4);
        assert_eq!(file.epochs().unwrap()[0].first_kept, 5);
        assert!(!testing::holds(&file, written[3]) && testing::holds(&file, written[4]));
    }
}
