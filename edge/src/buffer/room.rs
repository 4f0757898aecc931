//! What happens when the disk is full: new trucks are refused where everyone sees it, the ballast lets the last commits
//! through, and what the server has already is let go first.

use super::{BufferError, BufferFile, ballast};

impl BufferFile {
    /// Whether new weighings may begin. Once the ballast had to be given up, only when it can be taken back.
    pub fn has_room(&mut self) -> Result<bool, BufferError> {
        if self.ballast.is_held() {
            return Ok(true);
        }
        if self.ballast.take().unwrap_or(false) {
            tracing::info!("there is space again for new weighings");
            return Ok(true);
        }
        Ok(false)
    }

    /// Bytes that are free on the buffer's disk.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        ballast::free_bytes(&self.directory)
    }

    /// Runs `change`, once more with the ballast's space if the disk is full.
    pub(super) fn with_ballast<T>(
        &mut self,
        mut change: impl FnMut(&mut Self) -> Result<T, BufferError>,
    ) -> Result<T, BufferError> {
        match change(self) {
            Err(BufferError::Full) => {
                self.give_up_ballast();
                self.make_room()?;
                change(self)
            }
            other => other,
        }
    }

    fn give_up_ballast(&mut self) {
        match self.ballast.release() {
            Ok(true) => tracing::error!(
                directory = %self.directory.display(),
                "the disk of {} is full: new weighings are refused until space is made",
                self.directory.display()
            ),
            Ok(false) => (),
            Err(error) => tracing::error!(%error, "the disk is full and the ballast cannot be given up"),
        }
    }

    /// Moves the log into the file, and lets the older half of what the server has acknowledged go. What is not yet
    /// sent is never dropped.
    fn make_room(&mut self) -> Result<(), BufferError> {
        self.checkpoint()?;
        let dropped = match self.drop_older_half_of_acked() {
            Err(BufferError::Full) => 0,
            other => other?,
        };
        if dropped > 0 {
            tracing::warn!(dropped, "{dropped} acknowledged events were let go for want of space");
            self.connection.execute_batch("PRAGMA incremental_vacuum")?;
            self.checkpoint()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), BufferError> {
        let outcome = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        match outcome.map_err(BufferError::from) {
            Err(BufferError::Full) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use weighbridge_protocol::link::Store;

    use crate::buffer::{BufferError, BufferFile, testing};

    /// A file that may not grow, as on a full disk; SQLite answers both with `SQLITE_FULL`.
    fn full(directory: &std::path::Path) -> BufferFile {
        let (file, _) = BufferFile::open(directory, Uuid::from_u128(1)).unwrap();
        let pages: i64 = file
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        file.connection.pragma_update(None, "max_page_count", pages).unwrap();
        file
    }

    fn fill(file: &mut BufferFile) -> Vec<weighbridge_protocol::link::EventId> {
        let mut written = Vec::new();
        loop {
            match testing::capture(file) {
                Ok(id) => written.push(id),
                Err(BufferError::Full) => return written,
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_full_disk_refuses_new_weighings_and_drops_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = full(directory.path());
        let written = fill(&mut file);
        assert!(
            !directory.path().join("ballast").exists(),
            "the ballast was given up for the last commits"
        );
        assert!(written.iter().all(|id| testing::holds(&file, *id)));
        let next_seq = file.epochs().unwrap()[0].next_seq;
        assert_eq!(
            usize::try_from(next_seq).unwrap(),
            written.len() + 1,
            "a refused event leaves no number behind"
        );
    }

    #[test]
    fn weighings_begin_again_when_space_returns() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = full(directory.path());
        fill(&mut file);
        file.connection
            .pragma_update(None, "max_page_count", 1_000_000)
            .unwrap();
        testing::capture(&mut file).unwrap();
        assert!(directory.path().join("ballast").exists());
    }

    #[test]
    fn a_full_disk_lets_acknowledged_events_go_before_it_refuses() {
        let directory = tempfile::tempdir().unwrap();
        testing::file_with(directory.path(), 200);
        let mut file = full(directory.path());
        file.connection.execute("UPDATE epoch SET acked = 150", []).unwrap();
        for _ in 0..50 {
            testing::capture(&mut file).unwrap();
        }
        let row = file.epochs().unwrap()[0];
        assert!(row.first_kept > 1 && row.first_kept <= 151, "{row:?}");
    }
}
