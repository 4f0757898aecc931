//! What the queue does in the background, with handles of its own: looks at the line, calls, and changes entries.

use std::time::Duration;

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
        DbError, Query,
        station_view::{StationView, StationViews},
        wait_queue::{CallNext, Called, Changed, Done, Entry, ExpireCalls, Line, PauseDeadlines, Recall, Skip},
    },
};

/// An Indicator answers from memory; for one that does not, nobody else is kept waiting.
const ASK_WITHIN: Duration = Duration::from_millis(250);
/// How often a change is tried that gave way to another.
const TRIES: u32 = 3;

pub(super) struct Work {
    pub site_id: i64,
    pub call_deadline: TimeDelta,
    pub repository: Handle<Repository>,
    pub directory: Directory,
    /// Whether nobody has looked at this line before.
    pub is_first: bool,
}

impl Work {
    pub(super) async fn look(self) -> Result<(Vec<StationView>, Vec<Entry>), DbError> {
        let stations = self.stations().await?;
        let awake = self.awake(&stations).await;
        self.keep_deadlines(&awake).await?;
        let line = self.line().await?;
        if line.iter().all(|entry| entry.status != "WAITING") {
            return Ok((stations, line));
        }
        let mut called = false;
        for station in stations.iter().filter(|station| awake.contains(&station.id)) {
            called |= self.call_if_free(station).await?;
        }
        if called {
            return Ok((self.stations().await?, self.line().await?));
        }
        Ok((stations, line))
    }

    async fn line(&self) -> Result<Vec<Entry>, DbError> {
        self.repository.run(Line { site_id: self.site_id }).await
    }

    async fn stations(&self) -> Result<Vec<StationView>, DbError> {
        let mut stations = self.repository.run(StationViews).await?;
        stations.retain(|station| station.site_id == self.site_id);
        Ok(stations)
    }

    /// Stations whose link and indicator are up and whose edge has told all it kept: only there do deadlines run, and only
    /// there is anyone called without a hand.
    async fn awake(&self, stations: &[StationView]) -> Vec<i64> {
        let asked = stations.iter().filter_map(|station| {
            let indicator = self.directory.indicator(station.id)?;
            Some(async move { (station.id, indicator.ask(CurrentState, ASK_WITHIN).await) })
        });
        let answers = join_all(asked).await.into_iter();
        answers
            .filter_map(|(station, answer)| {
                let state = answer.ok()?;
                (state.link_up && state.indicator_up && state.backlog_drained).then_some(station)
            })
            .collect()
    }

    async fn keep_deadlines(&self, awake: &[i64]) -> Result<(), DbError> {
        let now = Utc::now();
        let pause = PauseDeadlines {
            site_id: self.site_id,
            awake: awake.to_vec(),
            was_away: self.is_first,
            now,
        };
        self.run(pause).await?;
        if awake.is_empty() {
            return Ok(());
        }
        let stations = awake.to_vec();
        for entry in self.run(ExpireCalls { stations, now }).await? {
            info!(queue.entry = entry, "the truck of entry {entry} did not come");
        }
        Ok(())
    }

    async fn call_if_free(&self, station: &StationView) -> Result<bool, DbError> {
        let free = station.status == "IDLE" && station.current_vehicle.is_none();
        if !free || !station.is_open || !station.calls_itself {
            return Ok(false);
        }
        let called = self
            .call(CallTruck {
                station_id: station.id,
                entry_id: None,
            })
            .await?;
        Ok(called.is_ok())
    }

    pub(super) async fn call(&self, CallTruck { station_id, entry_id }: CallTruck) -> Result<Called, DbError> {
        let call = CallNext {
            station_id,
            entry_id,
            deadline: self.call_deadline,
            now: Utc::now(),
        };
        let called = self.run(call).await?;
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
            LineChange::Acknowledge(acknowledge) => self.run(acknowledge).await,
            LineChange::Cancel(cancel) => self.run(cancel).await,
            LineChange::Return(back) => self.run(back).await,
            LineChange::Move(to) => self.run(to).await,
            LineChange::Recall { entry_id, author } => {
                let recall = Recall {
                    entry_id,
                    deadline: self.call_deadline,
                    author,
                    now: Utc::now(),
                };
                self.run(recall).await
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
                self.run(skip).await
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

    /// Where two clerks' changes waited for each other, the one that gave way is made again.
    async fn run<Q: Query + Clone>(&self, query: Q) -> Result<Q::Output, DbError> {
        let mut tries = 1;
        loop {
            match self.repository.run(query.clone()).await {
                Err(error) if error.is_deadlock() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }
}
