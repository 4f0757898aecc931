//! What came to a stand-in, and what became of it: a line of JSON each, in memory and, where one is named, in a file.

use std::{fs::File, io::Write, path::Path, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::SimError;

/// The lines that are kept in memory; the file has all.
const KEPT: usize = 200_000;

/// One thing that came.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: DateTime<Utc>,
    /// Method and path, or the command.
    pub what: String,
    /// As it was answered; none where it never was.
    pub status: Option<u16>,
    /// How it was made to fail.
    pub failed: Option<String>,
    pub body: Value,
    /// What the service found out about it.
    pub note: Value,
}

/// The lines so far. Shared by all who serve.
#[derive(Debug)]
pub struct Book {
    lines: Mutex<Lines>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Lines {
    /// The number of the first that is kept, from 0.
    first: usize,
    kept: std::collections::VecDeque<String>,
    file: Option<File>,
}

impl Book {
    /// Opens a book, and goes on with the file where there is one.
    pub fn open(file: Option<&Path>) -> Result<Self, SimError> {
        let opened = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.map_err(|source| SimError::file("open", path, source))
        };
        Ok(Self {
            lines: Mutex::new(Lines {
                file: file.map(opened).transpose()?,
                ..Lines::default()
            }),
            count: watch::Sender::new(0),
        })
    }

    pub fn write(&self, entry: &Entry) {
        let mut lines = self.lines.lock();
        let number = lines.first + lines.kept.len();
        let line = json!({
            "n": number,
            "at": entry.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "what": entry.what,
            "status": entry.status,
            "failed": entry.failed,
            "body": entry.body,
            "note": entry.note,
        })
        .to_string();
        if let Some(Err(error)) = lines.file.as_mut().map(|file| writeln!(file, "{line}")) {
            tracing::warn!("the record of what came cannot be written: {error}");
        }
        lines.kept.push_back(line);
        if lines.kept.len() > KEPT {
            lines.kept.pop_front();
            lines.first += 1;
        }
        self.count.send_replace(number + 1);
    }

    /// The lines from number `since` on. Where there is none yet, waits for one as long as `wait`.
    pub async fn since(&self, since: usize, wait: Duration) -> String {
        let mut count = self.count.subscribe();
        let come = count.wait_for(|count| *count > since);
        // Nothing came in time: the answer is empty.
        drop(tokio::time::timeout(wait, come).await);
        let lines = self.lines.lock();
        let mut text = String::new();
        for line in lines.kept.iter().skip(since.saturating_sub(lines.first)) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
