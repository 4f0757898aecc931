//! Where Live looks its topics up: in the database, and at the Indicators for what only they know.

use std::{collections::BTreeMap, time::Duration};

use chrono::Utc;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tracing::warn;
use uuid::Uuid;
use weighbridge_supervision::Handle;

use super::{
    directory::Directory,
    indicator::{CurrentState, StationState},
    live::{Json, Looked, QueueChanged, Source, StationChanged, SummaryChanged, WeighingChanged},
    position::PositionItem,
    repository::{Queries, Repository},
    screen::{QueueItem, RecordItem, StationItem, SummaryItem},
};
use crate::db::{
    DbError,
    ended_sessions::EndedSessions,
    station_view::StationViews,
    summary::{DaySummaries, DaySummary},
    wait_queue::{Entry, Line},
    weigh_record::Newest,
};

const ASK_WITHIN: Duration = Duration::from_secs(1);
const SHOWN: i64 = 20;

/// The topics' truth.
#[derive(Clone, Debug)]
pub struct Topics {
    pub directory: Directory,
    pub repository: Handle<Repository>,
}

impl Source for Topics {
    fn look(&self) -> BoxFuture<'static, Looked> {
        let topics = self.clone();
        Box::pin(async move { topics.look_up().await })
    }

    fn revoked(&self, logins: Vec<Uuid>) -> BoxFuture<'static, Vec<Uuid>> {
        let repository = self.repository.clone();
        Box::pin(async move { revoked(&repository, logins).await })
    }
}

impl Topics {
    async fn look_up(self) -> Looked {
        let days = told("summaries", self.repository.run(DaySummaries { now: Utc::now() }).await);
        let sites: Vec<i64> = days.iter().flatten().map(|day| day.site_id).collect();
        let lines = if days.is_some() {
            told("lines", self.lines(sites).await)
        } else {
            None
        };
        Looked {
            stations: told("stations", self.stations().await),
            queues: lines.as_deref().map(queues),
            weighings: told("weighings", self.weighings().await),
            summaries: days.as_deref().map(summaries),
            positions: lines.as_deref().map(positions),
        }
    }

    async fn stations(&self) -> Result<Vec<StationChanged>, DbError> {
        let mut items = Vec::new();
        for view in self.repository.run(StationViews).await? {
            let state = self.state_of(view.id).await;
            let item = StationItem::new(&view, state.link_up, state.indicator_up);
            items.extend(json(&item).map(|item| StationChanged {
                station: view.id,
                site: view.site_id,
                item,
            }));
        }
        Ok(items)
    }

    /// An Indicator that does not answer knows of no link.
    async fn state_of(&self, station_id: i64) -> StationState {
        match self.directory.indicator(station_id) {
            Some(indicator) => indicator.ask(CurrentState, ASK_WITHIN).await.unwrap_or_default(),
            None => StationState::default(),
        }
    }

    /// Each site's line.
    async fn lines(&self, sites: Vec<i64>) -> Result<Vec<(i64, Vec<Entry>)>, DbError> {
        let mut lines = Vec::new();
        for site in sites {
            lines.push((site, self.repository.run(Line { site_id: site }).await?));
        }
        Ok(lines)
    }

    async fn weighings(&self) -> Result<Vec<WeighingChanged>, DbError> {
        let newest = self.repository.run(Newest { each: SHOWN }).await?;
        let changed = newest.iter().filter_map(|record| {
            let item = json(&RecordItem::from(record))?;
            Some(WeighingChanged {
                site: record.site_id,
                record: record.id,
                item,
            })
        });
        Ok(changed.collect())
    }
}

fn queues(lines: &[(i64, Vec<Entry>)]) -> Vec<QueueChanged> {
    let shown = |(site, line): &(i64, Vec<Entry>)| QueueChanged {
        site: *site,
        entries: line.iter().filter_map(|entry| json(&QueueItem::from(entry))).collect(),
    };
    lines.iter().map(shown).collect()
}

fn positions(lines: &[(i64, Vec<Entry>)]) -> Vec<(i64, Json)> {
    let entries = lines.iter().flat_map(|(_, line)| line);
    let position = |entry: &Entry| Some((entry.driver_id, PositionItem::json(entry)?));
    entries.filter_map(position).collect()
}

fn summaries(days: &[DaySummary]) -> Vec<SummaryChanged> {
    let each = days.iter().map(|day| (Some(day.site_id), SummaryItem::from(day)));
    let all = (days.len() > 1).then(|| (None, SummaryItem::from(&together(days))));
    each.chain(all)
        .filter_map(|(site, item)| {
            Some(SummaryChanged {
                site,
                summary: json(&item)?,
            })
        })
        .collect()
}

/// All sites' days as one; the mean time is weighted by what each completed.
fn together(days: &[DaySummary]) -> DaySummary {
    let completed: i64 = days.iter().map(|day| day.completed).sum();
    let mut hours: BTreeMap<i32, i64> = BTreeMap::new();
    for (hour, count) in days.iter().flat_map(|day| &day.hours) {
        *hours.entry(*hour).or_default() += count;
    }
    DaySummary {
        site_id: 0,
        total: days.iter().map(|day| day.total).sum(),
        completed,
        process_seconds: days.iter().map(|day| day.process_seconds * day.completed).sum::<i64>() / completed.max(1),
        hours: hours.into_iter().collect(),
    }
}

async fn revoked(repository: &Handle<Repository>, logins: Vec<Uuid>) -> Vec<Uuid> {
    if logins.is_empty() {
        return logins;
    }
    told("sessions", repository.run(EndedSessions { families: logins }).await).unwrap_or_default()
}

fn json<T: Serialize>(item: &T) -> Option<Json> {
    told("an item", Json::of(item))
}

/// What could not be read keeps what it shows.
fn told<T, E: std::fmt::Display>(what: &str, answer: Result<T, E>) -> Option<T> {
    answer.map_err(|error| warn!("{what} cannot be shown: {error}")).ok()
}
