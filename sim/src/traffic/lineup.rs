//! The waiting line as the yard sees it: asked for when the server says that it changed, and every few seconds besides.

use std::time::Duration;

use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    SimError,
    server::{
        Server,
        live::News,
        queue::{Entry, Status},
    },
};

/// The newest line that is known. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Lineup {
    newest: watch::Sender<Option<Seen>>,
}

/// The line, and when it was asked for.
#[derive(Clone, Debug)]
struct Seen {
    entries: Vec<Entry>,
    asked_at: Instant,
}

/// However much the server has to tell, it is not asked more often than this.
const LEAST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(1500);

/// Those who are called or wait, and those who missed their call or wait for a decision.
async fn whole_line(server: &Server) -> Result<Vec<Entry>, SimError> {
    let mut entries = server.line().await?;
    entries.extend(server.set_aside().await?);
    Ok(entries)
}

impl Lineup {
    /// Keeps the line up to date for as long as it is polled.
    pub async fn follow(&self, server: &Server, mut news: broadcast::Receiver<News>) {
        loop {
            let asked_at = Instant::now();
            match whole_line(server).await {
                Ok(entries) => drop(self.newest.send_replace(Some(Seen { entries, asked_at }))),
                Err(error) => tracing::debug!("the line is not known now: {error}"),
            }
            sleep(LEAST_PAUSE).await;
            let change = async { while let Ok(News::Weighing(_)) = news.recv().await {} };
            // Without news the line is asked for all the same: the socket may be down.
            drop(timeout(LONGEST_PAUSE, change).await);
        }
    }

    /// The entry of this id in a line that was asked for after `since`, as soon as there is one that differs from
    /// `known` or two seconds have passed. None where the line does not have it.
    pub async fn entry(&self, id: i64, since: Instant, known: Option<&Entry>) -> Option<Entry> {
        let mut lines = self.newest.subscribe();
        let find = |seen: &Option<Seen>| {
            let seen = seen.as_ref().filter(|seen| seen.asked_at > since)?;
            Some(seen.entries.iter().find(|entry| entry.id == id).cloned())
        };
        let differs = |seen: &Option<Seen>| find(seen).is_some_and(|found| found.as_ref() != known);
        drop(timeout(Duration::from_secs(2), lines.wait_for(differs)).await);
        // Where the server is away, what was known last stands.
        let newest = find(&lines.borrow());
        newest.unwrap_or_else(|| known.cloned())
    }

    /// How many trucks wait for their call.
    pub fn waiting(&self) -> usize {
        let is_waiting = |entry: &&Entry| entry.status == Status::Waiting;
        self.entries().iter().filter(is_waiting).count()
    }

    /// The entries known now.
    pub fn entries(&self) -> Vec<Entry> {
        self.newest
            .borrow()
            .as_ref()
            .map(|seen| seen.entries.clone())
            .unwrap_or_default()
    }
}
