//! What happens when the disk is full: new trucks are refused where everyone sees it, the ballast lets the last commits
//! through, and what the server has already is let go first.

use super::{BufferError, BufferFile, ballast};

/// Less of the disk than this is worth a warning.
const LITTLE_PERCENT: u64 = 20;
/// So many pages are given back in one transaction, which writes a few times as many into the log.
const PAGES_AT_ONCE: u32 = 32;

impl BufferFile {
    /// Whether new weighings may begin: not when little is free, nor where the ballast had to be given up, before it can be
    /// taken back. What the server has already is let go for that.
    pub fn has_room(&mut self) -> Result<bool, BufferError> {
        if self.is_at_ease() {
            return Ok(true);
        }
        self.make_room()?;
        Ok(self.is_at_ease())
    }

    fn is_at_ease(&mut self) -> bool {
        if self.ballast.is_held() {
            return !self.is_short_of_space();
        }
        let is_back = self.take_ballast();
        if is_back {
            tracing::info!("there is space again for new weighings");
        }
        is_back
    }

    pub(super) fn take_ballast(&mut self) -> bool {
        self.ballast.take().unwrap_or_else(|error| {
            tracing::warn!(%error, "no space can be set aside in {}", self.directory.display());
            false
        })
    }

    /// Bytes that are free on the buffer's disk.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        ballast::free_bytes(&self.directory)
    }

    /// Says in time that space runs out.
    pub fn warn_of_little_space(&self) {
        match ballast::free_percent(&self.directory) {
            Ok(free) if free < LITTLE_PERCENT => tracing::warn!(
                disk.free_percent = free,
                "{free} % of the disk of {} are free; when it is full, new weighings are refused",
                self.directory.display()
            ),
            Ok(_) => (),
            Err(error) => tracing::warn!(%error, "the free space of {} is unknown", self.directory.display()),
        }
    }

    /// Runs `change`, once more with the ballast's space if the disk is full.
    ///
    /// Where space is short each change begins with an empty log: what cannot be moved into the file for want of space is
    /// seen while it is little, and the ballast is given up for it.
    pub(super) fn with_ballast<T>(
        &mut self,
        mut change: impl FnMut(&mut Self) -> Result<T, BufferError>,
    ) -> Result<T, BufferError> {
        if self.is_short_of_space() && !self.empty_log()? && self.ballast.give_up() {
            self.empty_log()?;
        }
        match change(self) {
            Err(BufferError::Full) => {
                self.ballast.give_up();
                self.make_room()?;
                change(self)
            }
            other => other,
        }
    }

    fn is_short_of_space(&self) -> bool {
        !self.ballast.is_held() || self.free_bytes().is_ok_and(|free| free < ballast::MARGIN_BYTES)
    }

    /// Moves the log into the file, and lets the older half of what the server has acknowledged go. What is not yet
    /// sent is never dropped.
    fn make_room(&mut self) -> Result<(), BufferError> {
        self.empty_log()?;
        let dropped = self.drop_some_of_acked()?;
        if dropped > 0 {
            tracing::warn!(dropped, "{dropped} acknowledged events were let go for want of space");
            self.empty_log()?;
            self.give_pages_back()?;
        }
        Ok(())
    }

    /// Dropping takes some space itself, so where half does not go, fewer may.
    fn drop_some_of_acked(&mut self) -> Result<usize, BufferError> {
        for part in [2, 16, 128, 1024] {
            match self.drop_oldest_of_acked(part) {
                Err(BufferError::Full) => self.empty_log()?,
                other => return other,
            };
        }
        Ok(0)
    }

    /// Gives the free pages at the file's end back to the disk, a few at a time: moving others into their place passes
    /// through the log.
    fn give_pages_back(&mut self) -> Result<(), BufferError> {
        for pages in [PAGES_AT_ONCE, 1] {
            loop {
                let free = self.free_pages()?;
                match self.vacuum(pages) {
                    Ok(()) => self.empty_log()?,
                    Err(BufferError::Full) => break,
                    Err(error) => return Err(error),
                };
                if self.free_pages()? >= free {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn free_pages(&self) -> Result<i64, BufferError> {
        Ok(self
            .connection
            .pragma_query_value(None, "freelist_count", |row| row.get(0))?)
    }

    fn vacuum(&mut self, pages: u32) -> Result<(), BufferError> {
        let mut vacuum = self
            .connection
            .prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut moved = vacuum.query([])?;
        while moved.next()?.is_some() {}
        Ok(())
    }

    /// Moves the log into the file, so that it is written from its beginning again. Says whether the disk had the space.
    fn empty_log(&mut self) -> Result<bool, BufferError> {
        let outcome = self
            .connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        match outcome.map_err(BufferError::from) {
            Err(BufferError::Full) => Ok(false),
            other => other.map(|()| true),
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
