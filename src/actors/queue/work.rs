//! What the queue does in the background, with handles of its own: looks at the line, calls, and changes entries.

use std::{collections::BTreeSet, time::Duration};

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use tracing::info;
use weighbridge_supervision::Handle;

use super::{CallTruck, LineChange};
use crate::{
    actors::{
        directory::Directory,
        indicator::CurrentState,
        repository::{Queries, Repository},
    },
    db::{
        DbError,
        station_view::{StationView, StationViews},
        wait_queue::{CallNext, Called, Changed, Done, Entry, ExpireCalls, Line, PauseDeadlines, Recall, Sight, Skip},
    },
};

/// An Indicator answers from memory; for one that does not, nobody else is kept waiting.
const ASK_WITHIN: Duration = Duration::from_millis(250);
/// What a look at the line found.
pub(super) struct Looked {
    pub stations: Vec<StationView>,
    pub line: Vec<Entry>,
    /// The stations that are linked to this node.
    pub linked: BTreeSet<i64>,
}

pub(super) struct Work {
    pub site_id: i64,
    pub call_deadline: TimeDelta,
    pub repository: Handle<Repository>,
    pub directory: Directory,
    /// Which stations were linked to this node at the look before; none where it is the first.
    pub linked_before: Option<BTreeSet<i64>>,
}

impl Work {
    pub(super) async fn look(self) -> Result<Looked, DbError> {
        let mut stations = self.stations().await?;
        let sight = self.sight(&stations).await;
        self.keep_deadlines(&sight).await?;
        let mut line = self.line().await?;
        if line.iter().any(|entry| entry.status == "WAITING") {
            let mut called = false;
            for station in stations.iter().filter(|station| sight.awake.contains(&station.id)) {
                called |= self.call_if_free(station).await?;
            }
            if called {
                (stations, line) = (self.stations().await?, self.line().await?);
            }
        }
        let linked = sight.awake.into_iter().chain(sight.dark).collect();
        Ok(Looked { stations, line, linked })
    }

    async fn line(&self) -> Result<Vec<Entry>, DbError> {
        self.repository.run(Line { site_id: self.site_id }).await
    }

    async fn stations(&self) -> Result<Vec<StationView>, DbError> {
        let mut stations = self.repository.run(StationViews).await?;
        stations.retain(|station| station.site_id == self.site_id);
        Ok(stations)
    }

    /// Where deadlines run and end, and anyone is called without a hand: where link and indicator are up, the edge has told
    /// all it kept, and the deck is empty by what is stored and by what is seen: an event that says otherwise may be on its
    /// way, or lost. While a vehicle stands there nobody else can come.
    async fn sight(&self, stations: &[StationView]) -> Sight {
        let asked = stations.iter().filter_map(|station| {
            let indicator = self.directory.indicator(station.id)?;
            Some(async move { (station, indicator.ask(CurrentState, ASK_WITHIN).await) })
        });
        let mut sight = Sight::default();
        for (station, answer) in join_all(asked).await {
            let Ok(state) = answer else { continue };
            if !state.link_up {
                continue;
            }
            let is_seen = state.indicator_up && state.backlog_drained;
            if is_seen && station.shows_empty_deck() && !state.shows_load() {
                sight.awake.push(station.id);
            } else {
                sight.dark.push(station.id);
            }
        }
        let was_linked = |station: &i64| {
            self.linked_before
                .as_ref()
                .is_none_or(|before| before.contains(station))
        };
        let all = stations.iter().map(|station| station.id);
        let unlinked = all.filter(|station| !sight.awake.contains(station) && !sight.dark.contains(station));
        sight.lost = unlinked.filter(was_linked).collect();
        sight
    }

    async fn keep_deadlines(&self, sight: &Sight) -> Result<(), DbError> {
        let now = Utc::now();
        let pause = PauseDeadlines {
            site_id: self.site_id,
            sight: sight.clone(),
            now,
        };
        self.repository.run_contended(pause).await?;
        if sight.awake.is_empty() {
            return Ok(());
        }
        let stations = sight.awake.clone();
        for entry in self.repository.run_contended(ExpireCalls { stations, now }).await? {
            info!(queue.entry = entry, "the truck of entry {entry} did not come");
        }
        Ok(())
    }

    async fn call_if_free(&self, station: &StationView) -> Result<bool, DbError> {
        if !station.is_free() || !station.is_open || !station.calls_itself {
            return Ok(false);
        }
        let next = CallTruck {
            station_id: station.id,
            entry_id: None,
        };
        Ok(self.call(next, true).await?.is_ok())
    }

    pub(super) async fn call(&self, truck: CallTruck, by_itself: bool) -> Result<Called, DbError> {
        let CallTruck { station_id, entry_id } = truck;
        let call = CallNext {
            station_id,
            entry_id,
            by_itself,
            deadline: self.call_deadline,
            now: Utc::now(),
        };
        let called = self.repository.run_contended(call).await?;
        if let Ok(entry) = &called {
            self.tell_of_call(entry);
        }
        Ok(called)
    }

    fn tell_of_call(&self, entry: &Entry) {
        let Some(station_id) = entry.station_id else { return };
        info!(
            station.id = station_id,
            queue.number = entry.queue_number,
            "number {} is called to station {station_id}",
            entry.queue_number
        );
        self.directory
            .touch_station(station_id, entry.record_id.into_iter().collect());
        self.directory.announce_owed();
    }

    pub(super) async fn change(&self, change: LineChange) -> Result<Done, DbError> {
        let done = match change {
            LineChange::Acknowledge(acknowledge) => self.repository.run_contended(acknowledge).await,
            LineChange::Cancel(cancel) => self.repository.run_contended(cancel).await,
            LineChange::Return(back) => self.repository.run_contended(back).await,
            LineChange::Move(to) => self.repository.run_contended(to).await,
            LineChange::Recall { entry_id, author } => {
                let recall = Recall {
                    entry_id,
                    deadline: self.call_deadline,
                    author,
                    now: Utc::now(),
                };
                self.repository.run_contended(recall).await
            }
            LineChange::Skip {
                entry_id,
                reason,
                author,
            } => {
                let skip = Skip {
                    entry_id,
                    reason,
                    author,
                    deadline: self.call_deadline,
                    now: Utc::now(),
                };
                self.repository.run_contended(skip).await
            }
        }?;
        if let Ok(changed) = &done {
            self.tell_of_change(changed);
        }
        Ok(done)
    }

    fn tell_of_change(&self, changed: &Changed) {
        for called in [Some(&changed.entry), changed.instead.as_deref()].into_iter().flatten() {
            if called.status == "CALLED" {
                self.tell_of_call(called);
            }
        }
        if let Some(station_id) = changed.station_id {
            self.directory.touch_station(station_id, Vec::new());
            self.directory.announce_owed();
        }
    }
}
