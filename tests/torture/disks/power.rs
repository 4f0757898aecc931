//! Power cuts, replayed: a recording of what the edge wrote gives the disk as it may be at any moment of it.
//!
//! What was synced is there. Of what was written since, anything may be: nothing, all, or some, torn within a sector's
//! neighbourhood.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use weighbridge_sim::chance::Chance;

/// What strace is to be given to make a recording.
pub const RECORDED: &str = "trace=openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,rename";

/// What a process did to its files, and what it told, in order.
#[derive(Debug)]
pub struct Recording {
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Write { file: String, at: usize, bytes: Vec<u8> },
    Truncate { file: String, length: usize },
    Sync { file: String },
    Remove { file: String },
    Told(Told),
}

/// A line `committed`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Told {
    pub ev: String,
    pub epoch: String,
    pub seq: i64,
}

/// Which of what was not synced survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    Nothing,
    All,
    Some,
}

/// A file as it is on the disk, and what has been written to it since.
#[derive(Clone, Debug, Default)]
struct Disk {
    exists: bool,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>, Option<usize>)>,
}

/// Where writes may be torn.
const SECTOR: usize = 512;

impl Recording {
    /// Reads a log of strace (`-f -y -xx`). Files outside of `folder` are passed over, standard output aside.
    pub fn read(log: &Path, folder: &Path) -> Self {
        let mut steps = Vec::new();
        let mut unfinished: BTreeMap<String, String> = BTreeMap::new();
        for line in fs::read_to_string(log).unwrap().lines() {
            let Some((process, call)) = line.split_once(' ') else {
                continue;
            };
            let call = call.trim_start();
            if let Some(begun) = call.strip_suffix("<unfinished ...>") {
                unfinished.insert(process.to_owned(), begun.trim_end().to_owned());
                // What is told may be heard before the call returns.
                steps.extend(told(begun));
                continue;
            }
            let resumed = call
                .split_once(" resumed>")
                .and_then(|(_, rest)| Some(unfinished.remove(process)? + rest));
            if resumed.is_none() {
                steps.extend(told(call));
            }
            steps.extend(step(resumed.as_deref().unwrap_or(call), folder));
        }
        Self { steps }
    }

    pub const fn len(&self) -> usize {
        self.steps.len()
    }

    /// How many times something was forced to the disk.
    pub fn syncs(&self) -> usize {
        self.steps
            .iter()
            .filter(|step| matches!(step, Step::Sync { .. }))
            .count()
    }

    /// Makes the files in `folder` as the disk may have them after a power cut behind the first `until` steps. Answers
    /// what had been told by then.
    pub fn cut_at(&self, until: usize, survives: Survives, mut chance: Chance, folder: &Path) -> Vec<Told> {
        let mut disks: BTreeMap<&str, Disk> = BTreeMap::new();
        let mut heard = Vec::new();
        for step in &self.steps[..until] {
            match step {
                Step::Write { file, at, bytes } => {
                    disks.entry(file).or_default().pending.push((*at, bytes.clone(), None));
                }
                Step::Truncate { file, length } => {
                    disks
                        .entry(file)
                        .or_default()
                        .pending
                        .push((0, Vec::new(), Some(*length)));
                }
                Step::Sync { file } => disks.entry(file).or_default().sync(),
                Step::Remove { file } => drop(disks.remove(file.as_str())),
                Step::Told(told) => heard.push(told.clone()),
            }
        }
        for (file, mut disk) in disks {
            disk.lose(survives, &mut chance);
            if disk.exists {
                fs::write(folder.join(file), disk.durable).unwrap();
            }
        }
        heard
    }
}

impl Disk {
    fn sync(&mut self) {
        self.exists = true;
        for (at, bytes, truncated) in std::mem::take(&mut self.pending) {
            if let Some(length) = truncated {
                self.durable.resize(length, 0);
            }
            let end = at + bytes.len();
            if self.durable.len() < end {
                self.durable.resize(end, 0);
            }
            self.durable[at..end].copy_from_slice(&bytes);
        }
    }

    fn lose(&mut self, survives: Survives, chance: &mut Chance) {
        match survives {
            Survives::Nothing => self.pending.clear(),
            Survives::All => self.sync(),
            Survives::Some => {
                self.pending.retain(|_| chance.happens(0.5));
                if let Some((_, bytes, None)) = self.pending.last_mut() {
                    let sectors = u64::try_from(bytes.len() / SECTOR).unwrap();
                    bytes.truncate(SECTOR * usize::try_from(chance.below(sectors + 1)).unwrap());
                }
                if !self.pending.is_empty() {
                    self.sync();
                }
            }
        }
    }
}

/// The lines `committed` in a write to standard output.
fn told(call: &str) -> Vec<Step> {
    let Some(rest) = call.strip_prefix("write(1<") else {
        return Vec::new();
    };
    let text = quoted(rest).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Told>(line).ok());
    lines.filter(|told| told.ev == "committed").map(Step::Told).collect()
}

fn step(call: &str, folder: &Path) -> Option<Step> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let result: i64 = result.split_whitespace().next()?.parse().ok()?;
    let result = usize::try_from(result).ok()?;
    if name == "unlink" {
        let path = PathBuf::from(String::from_utf8(quoted(arguments)?).ok()?);
        return Some(Step::Remove {
            file: inside(&path, folder)?,
        });
    }
    let (_, path) = arguments.split_once('<')?;
    let (path, after) = path.split_once('>')?;
    let file = inside(&PathBuf::from(String::from_utf8(decoded(path)).ok()?), folder)?;
    let number = |index: usize| after.rsplit(", ").nth(index)?.trim().parse::<usize>().ok();
    match name {
        "pwrite64" => {
            let mut bytes = quoted(after)?;
            bytes.truncate(result);
            Some(Step::Write {
                file,
                at: number(0)?,
                bytes,
            })
        }
        "ftruncate" => Some(Step::Truncate {
            file,
            length: number(0)?,
        }),
        "fsync" | "fdatasync" => Some(Step::Sync { file }),
        _ => None,
    }
}

/// The name of a file right in the folder, of the database alone.
fn inside(path: &Path, folder: &Path) -> Option<String> {
    let name = path.strip_prefix(folder).ok()?.to_str()?;
    name.starts_with("buffer.db").then(|| name.to_owned())
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let (_, inner) = text.split_once('"')?;
    Some(decoded(inner.split_once('"')?.0))
}

/// `\x2f` is `/`; what is not escaped stays.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let escaped = rest
            .strip_prefix("\\x")
            .and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        match escaped {
            Some(byte) => bytes.push(byte),
            None => bytes.push(rest.as_bytes()[0]),
        }
        rest = rest.get(if escaped.is_some() { 4 } else { 1 }..).unwrap_or_default();
    }
    bytes
}

#[test]
fn a_recording_gives_the_disk_of_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let text = r#"7 pwrite64(5<\x2f\x65/buffer.db-wal>, "\x61\x62\x63", 3, 0) = 3
7 fdatasync(5</e/buffer.db-wal> <unfinished ...>
8 write(1</e.out>, "\x6f\x6b", 2) = 2
7 <... fdatasync resumed>)               = 0
7 write(1</e.out>, "{\x22ev\x22:\x22committed\x22,\x22epoch\x22:\x220a\x22,\x22seq\x22:1}\x0a", 40) = 40
7 pwrite64(5</e/buffer.db-wal>, "\x64", 1, 3) = 1
"#;
    fs::write(&log, text).unwrap();
    let recording = Recording::read(&log, Path::new("/e"));
    assert_eq!((recording.len(), recording.syncs()), (4, 1));
    let disk = |until, survives| {
        let told = recording.cut_at(until, survives, Chance::of_seed(1), folder.path());
        (fs::read(folder.path().join("buffer.db-wal")).unwrap(), told.len())
    };
    assert_eq!(disk(2, Survives::Nothing), (b"abc".to_vec(), 0));
    assert_eq!(disk(4, Survives::Nothing), (b"abc".to_vec(), 1));
    assert_eq!(disk(4, Survives::All), (b"abcd".to_vec(), 1));
}
