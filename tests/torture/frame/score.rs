//! What was done in a case and what came of it; a file for each case that the scorecard is made of.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{Deserialize, Serialize};

use super::Size;

/// The result of a case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Score {
    pub id: String,
    /// The test's path.
    pub test: String,
    pub size: String,
    pub seed: u64,
    pub how: String,
    /// Which fault, and how often.
    pub did: BTreeMap<String, usize>,
    /// Captures that were judged.
    pub weighed: usize,
    pub lost: usize,
    pub doubled: usize,
    pub altered: usize,
    pub phantoms: usize,
    pub slip_gaps: usize,
    /// What a day left open, or others have otherwise.
    pub unfinished: usize,
    pub recoveries_ms: Vec<u128>,
    pub took_s: u64,
    pub passed: bool,
}

impl Score {
    pub fn new(id: &str, test: &str, size: Size, seed: u64) -> Self {
        Self {
            id: id.to_owned(),
            test: test.to_owned(),
            size: format!("{size:?}"),
            seed,
            ..Self::default()
        }
    }

    /// How often this fault was made.
    pub fn times(&self, what: &str) -> usize {
        self.did.get(what).copied().unwrap_or(0)
    }

    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let name = format!("{}.{}.json", self.id, self.test.replace("::", "."));
        fs::write(folder.join(name), serde_json::to_string_pretty(self).unwrap()).unwrap();
    }

    /// Every result in a folder, in the order of their names.
    pub fn read_all(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        let read = |path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        files.into_iter().map(read).collect()
    }
}

/// The middle one and the one that 99 of 100 do not exceed.
pub fn percentiles(mut durations_ms: Vec<u128>) -> Option<(u128, u128)> {
    durations_ms.sort_unstable();
    let at = |percent: usize| durations_ms.get((durations_ms.len() * percent).div_ceil(100).saturating_sub(1));
    Some((*at(50)?, *at(99)?))
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, if self.passed { "passed" } else { "FAILED" })?;
        if !self.how.is_empty() {
            write!(f, " ({})", self.how)?;
        }
        for (what, times) in &self.did {
            write!(f, ", {times} {what}")?;
        }
        write!(
            f,
            " | {} weighed | lost {} | dup {} | altered {} | phantom {} | slip gaps {} | unfinished {}",
            self.weighed, self.lost, self.doubled, self.altered, self.phantoms, self.slip_gaps, self.unfinished
        )?;
        if let Some((p50, p99)) = percentiles(self.recoveries_ms.clone()) {
            write!(f, " | recovery p50 {p50} ms, p99 {p99} ms")?;
        }
        write!(f, " | {} s, seed {}", self.took_s, self.seed)
    }
}
