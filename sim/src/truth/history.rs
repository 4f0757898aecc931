//! The history of a run: a JSON object a line, `{"t_mono":…,"t_wall":…,"proc":…,"type":…,"f":…,"value":…}`.
//!
//! A line is written when something begins (`invoke`) and when its outcome is known: `ok`, `fail`, or `info` where it is
//! not known whether it took place. A run that is killed leaves beginnings without an end; they count as `info`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use chrono::{SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stay::Stay;
use crate::SimError;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// Writes what happens as it happens, and keeps the stays.
#[derive(Debug)]
pub struct History {
    began: Instant,
    file: Option<(PathBuf, Mutex<File>)>,
    stays: Mutex<BTreeMap<u64, Stay>>,
}

#[derive(Deserialize)]
struct Line {
    f: String,
    #[serde(default)]
    value: Value,
}

impl History {
    /// Appends to `path`; without one it only keeps the stays in memory.
    ///
    /// # Errors
    /// Where the file cannot be opened, or what it holds cannot be read.
    pub fn open(path: Option<&Path>) -> Result<Self, SimError> {
        let mut stays = BTreeMap::new();
        let mut file = None;
        if let Some(path) = path {
            if path.exists() {
                stays = read(path)?.into_iter().map(|stay| (stay.id, stay)).collect();
            }
            let opened = File::options().create(true).append(true).open(path);
            let opened = opened.map_err(|source| SimError::file("write", path, source))?;
            file = Some((path.to_owned(), Mutex::new(opened)));
        }
        Ok(Self {
            began: Instant::now(),
            file,
            stays: Mutex::new(stays),
        })
    }

    /// Writes one line.
    pub fn tell(&self, proc: &str, outcome: Outcome, f: &str, value: impl Serialize) -> Result<(), SimError> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        let line = json!({
            "t_mono": u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "t_wall": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "proc": proc, "type": outcome, "f": f, "value": value,
        });
        let written = file.lock().write_all(format!("{line}\n").as_bytes());
        written.map_err(|source| SimError::file("write", path, source))
    }

    /// A truck rolls on: gives the stay its id, and writes and keeps it.
    pub fn begin(&self, mut stay: Stay) -> Result<Stay, SimError> {
        {
            let mut stays = self.stays.lock();
            stay.id = stays.last_key_value().map_or(1, |(id, _)| id + 1);
            stays.insert(stay.id, stay.clone());
        }
        self.tell(&stay.plate, Outcome::Invoke, "stay", &stay)?;
        Ok(stay)
    }

    /// The deck is clear again.
    pub fn end(&self, stay: Stay) -> Result<(), SimError> {
        let outcome = if stay.is_confirmed() {
            Outcome::Ok
        } else {
            Outcome::Info
        };
        self.tell(&stay.plate, outcome, "stay", &stay)?;
        self.stays.lock().insert(stay.id, stay);
        Ok(())
    }

    /// Every stay so far, in order of drive-on.
    pub fn stays(&self) -> Vec<Stay> {
        self.stays.lock().values().cloned().collect()
    }
}

/// The stays of a history, each as it was written last. A last line that was cut off by a kill is left out.
pub fn read(path: &Path) -> Result<Vec<Stay>, SimError> {
    let cannot = |source: std::io::Error| SimError::file("read", path, source);
    let lines = BufReader::new(File::open(path).map_err(cannot)?).lines();
    let lines: Vec<String> = lines.collect::<Result<_, _>>().map_err(cannot)?;
    let mut stays = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        match stay_of(line) {
            Ok(Some(stay)) => drop(stays.insert(stay.id, stay)),
            Ok(None) => {}
            Err(_) if index + 1 == lines.len() => {}
            Err(error) => {
                let place = format!(
                    "line {} of {} is no line of a history: {error}",
                    index + 1,
                    path.display()
                );
                return Err(SimError::Usage(place));
            }
        }
    }
    Ok(stays.into_values().collect())
}

fn stay_of(line: &str) -> Result<Option<Stay>, serde_json::Error> {
    let line: Line = serde_json::from_str(line)?;
    (line.f == "stay")
        .then(|| serde_json::from_value(line.value))
        .transpose()
}

#[cfg(test)]
mod tests {
    use weighbridge_protocol::Kilograms;

    use super::*;
    use crate::truth::Pass;

    fn stay(plate: &str) -> Stay {
        Stay {
            id: 0,
            station_id: 1,
            plate: plate.to_owned(),
            vehicle_id: None,
            driver_id: None,
            queue_id: None,
            queue_number: None,
            pass: Pass::One,
            weight: Kilograms::from_whole(18_347),
            on_at: Utc::now(),
            stood_at: None,
            confirmed_at: None,
            clear_at: None,
        }
    }

    #[test]
    fn a_history_reads_back_and_goes_on_after_a_kill() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("truth.jsonl");
        let history = History::open(Some(&path)).unwrap();
        let first = history.begin(stay("경기80바1234")).unwrap();
        history
            .end(Stay {
                confirmed_at: Some(Utc::now()),
                ..first
            })
            .unwrap();
        history.begin(stay("12가3456")).unwrap();
        history.tell("yard", Outcome::Info, "fault", "1 unplug").unwrap();
        std::fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"t_mono\":")
            .unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read, history.stays());
        assert!(read[0].is_confirmed() && !read[1].is_confirmed());
    }

    #[test]
    fn a_new_run_counts_on_from_an_older_one() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("truth.jsonl");
        History::open(Some(&path)).unwrap().begin(stay("12가3456")).unwrap();
        let again = History::open(Some(&path)).unwrap();
        assert_eq!(again.begin(stay("12가3456")).unwrap().id, 2);
        assert_eq!(again.stays().len(), 2);
    }

    #[test]
    fn a_line_that_is_no_history_is_named() {
        let folder = crate::scratch::Folder::new();
        let path = folder.path().join("truth.jsonl");
        std::fs::write(&path, "nonsense\n{\"f\":\"fault\"}\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().starts_with("line 1 of "));
    }
}
