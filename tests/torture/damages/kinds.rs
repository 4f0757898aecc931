//! What is done to a buffer file that lies still.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
};

use uuid::Uuid;
use weighbridge_edge::buffer::BufferFile;
use weighbridge_protocol::link::Store;
use weighbridge_sim::chance::Chance;

/// One damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A byte of the file's header.
    Header,
    /// A byte of a page of this kind, by the page's first byte; a page without one holds the rest of a long row, or
    /// nothing.
    Page(u8),
    /// A byte of a page that is neither.
    OtherPage,
    /// The open epoch's name has a letter that is no hex digit.
    EpochNames,
    /// The write-ahead log ends in the middle.
    CutLog,
    DeletedLog,
    DeletedSharedMemory,
    DeletedFile,
}

const PAGE: usize = 4096;
const INTERIOR_TABLE: u8 = 0x05;
const LEAF_TABLE: u8 = 0x0D;
const INTERIOR_INDEX: u8 = 0x02;
const LEAF_INDEX: u8 = 0x0A;
const KINDS: [u8; 4] = [INTERIOR_TABLE, LEAF_TABLE, INTERIOR_INDEX, LEAF_INDEX];

impl Damage {
    pub const ALL: [Self; 11] = [
        Self::Header,
        Self::Page(LEAF_TABLE),
        Self::Page(INTERIOR_TABLE),
        Self::Page(LEAF_INDEX),
        Self::Page(INTERIOR_INDEX),
        Self::OtherPage,
        Self::EpochNames,
        Self::CutLog,
        Self::DeletedLog,
        Self::DeletedSharedMemory,
        Self::DeletedFile,
    ];

    /// Whether what it costs can be known: of a log that is gone nothing says what it held.
    pub const fn is_told(self) -> bool {
        !matches!(self, Self::CutLog | Self::DeletedLog | Self::DeletedFile)
    }

    /// Does it, and says whether there was anything to damage.
    pub fn to(self, folder: &Path, chance: &mut Chance) -> bool {
        let file = folder.join("buffer.db");
        let log = folder.join("buffer.db-wal");
        match self {
            Self::CutLog => {
                let length = fs::metadata(&log).map_or(0, |metadata| metadata.len());
                let cut = OpenOptions::new().write(true).open(&log);
                return cut.is_ok_and(|log| log.set_len(length / 2).is_ok());
            }
            Self::DeletedLog => return fs::remove_file(log).is_ok(),
            Self::DeletedSharedMemory => return fs::remove_file(folder.join("buffer.db-shm")).is_ok(),
            Self::DeletedFile => return fs::remove_file(log).is_ok() | fs::remove_file(file).is_ok(),
            _ => (),
        }
        // A file at rest has everything in itself. It looks like that of another boot, so that it is looked through.
        let (closed, _) = BufferFile::open(folder, Uuid::nil()).unwrap();
        let epochs = closed.epochs().unwrap();
        drop(closed);
        let bytes = fs::read(&file).unwrap();
        let places = match self {
            Self::Header => vec![chance.below(16)],
            Self::EpochNames => places_of(&bytes, &epochs.last().unwrap().epoch.to_string()),
            Self::Page(kind) => Vec::from_iter(byte_of_page(&bytes, chance, |first| first == kind)),
            _ => Vec::from_iter(byte_of_page(&bytes, chance, |first| !KINDS.contains(&first))),
        };
        let file = OpenOptions::new().write(true).open(&file).unwrap();
        // Bit 6 makes of no hex digit another one.
        let bit = if self == Self::EpochNames { 6 } else { chance.below(8) };
        for at in &places {
            let byte = bytes[usize::try_from(*at).unwrap()] ^ (1 << bit);
            file.write_all_at(&[byte], *at).unwrap();
        }
        !places.is_empty()
    }
}

/// A random byte of a random page, behind the first, whose first byte will do.
fn byte_of_page(bytes: &[u8], chance: &mut Chance, will_do: impl Fn(u8) -> bool) -> Option<u64> {
    let pages: Vec<usize> = (PAGE..bytes.len())
        .step_by(PAGE)
        .filter(|at| will_do(bytes[*at]))
        .collect();
    let count = u64::try_from(pages.len()).unwrap();
    let page = pages.get(usize::try_from(chance.below(count)).unwrap())?;
    Some(u64::try_from(*page).unwrap() + chance.below(4096))
}

/// Where an epoch's name stands in its own row and in the index of it: wherever no event's text holds it.
fn places_of(bytes: &[u8], name: &str) -> Vec<u64> {
    let windows = bytes.windows(name.len()).enumerate();
    let found = windows.filter(|(at, window)| {
        *window == name.as_bytes() && bytes.get(at.saturating_sub(1)).is_none_or(|before| *before != b'"')
    });
    found.map(|(at, _)| u64::try_from(at).unwrap()).collect()
}
