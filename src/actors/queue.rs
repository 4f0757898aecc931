//! The waiting line of one site: who joins it, who is called where, and what the boards say.

use std::{collections::BTreeMap, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use tracing::{info, warn};
use weighbridge_supervision::{Handle, Listener};

use super::{
    directory::Directory,
    edge_link::ShowOnBoard,
    indicator::CurrentState,
    live::{Json, QueueChanged},
    repository::{Queries, Repository},
    screen::QueueItem,
};
use crate::{
    db::{
        DbError,
        station_view::{StationView, StationViews},
        wait_queue::{CallNext, Called, Cancel, CheckIn, Entry, ExpireCalls, Joined, Line},
    },
    domain::board_text::Sign,
};

const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// A truck joins the line. Asked by the handlers of HTTP; answers its entry, or why it has none.
#[derive(Debug, Message)]
#[rtype(result = "Result<Joined, DbError>")]
pub struct JoinLine(pub CheckIn);

/// Calls the next truck to a station, or a certain one. Asked by the handlers of HTTP; answers who was called.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Called, DbError>")]
pub struct CallTruck {
    pub station_id: i64,
    pub entry_id: Option<i64>,
}

/// Takes an entry out of the line. Asked by the handlers of HTTP; answers how it ended, or none where it had ended before.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Entry>, DbError>")]
pub struct CancelEntry(pub Cancel);

/// Nothing stands on a station and nobody is called there. Announced by its Indicator; the queue then calls the next truck.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StationFreed {
    pub station_id: i64,
}

/// A weighing has changed an entry. Announced by EdgeLink.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct LineMoved;

/// See the file's head.
#[derive(Debug)]
pub struct Queue {
    site_id: i64,
    call_deadline: TimeDelta,
    repository: Handle<Repository>,
    directory: Directory,
    live: Listener<QueueChanged>,
    /// What each station's line of its board was last asked to show.
    boards: BTreeMap<i64, Sign>,
    /// One look at a time; what happens meanwhile asks for another.
    looking: bool,
    look_again: bool,
}

impl Queue {
    pub fn new(
        site_id: i64,
        call_deadline: TimeDelta,
        repository: Handle<Repository>,
        directory: Directory,
        live: Listener<QueueChanged>,
    ) -> Self {
        Self {
            site_id,
            call_deadline,
            repository,
            directory,
            live,
            boards: BTreeMap::new(),
            looking: false,
            look_again: false,
        }
    }

    /// Reads stations and line, gives up calls that nobody followed, calls where a station waits, and shows the line.
    fn look(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.looking, true) {
            self.look_again = true;
            return;
        }
        context.spawn(self.work().look().into_actor(self).map(|looked, queue, context| {
            queue.looking = false;
            match looked {
                Ok((stations, line)) => queue.show(&stations, &line),
                Err(error) => warn!(
                    site.id = queue.site_id,
                    "the line of site {} cannot be read: {error}", queue.site_id
                ),
            }
            if std::mem::take(&mut queue.look_again) {
                queue.look(context);
            }
        }));
    }

    fn work(&self) -> Work {
        Work {
            site_id: self.site_id,
            call_deadline: self.call_deadline,
            repository: self.repository.clone(),
            directory: self.directory.clone(),
        }
    }

    fn show(&mut self, stations: &[StationView], line: &[Entry]) {
        let entries: Result<Vec<_>, _> = line.iter().map(|entry| Json::of(&QueueItem::from(entry))).collect();
        match entries {
            Ok(entries) => self.live.announce(QueueChanged {
                site: self.site_id,
                entries,
            }),
            Err(error) => warn!(site.id = self.site_id, "the line cannot be shown: {error}"),
        }
        for station in stations {
            self.show_on_board(station);
        }
    }

    fn show_on_board(&mut self, station: &StationView) {
        let sign = Sign::of(station.is_open, station.current_vehicle.as_deref());
        if self.boards.get(&station.id) == Some(&sign) {
            return;
        }
        let Some(link) = station.edge_id.and_then(|edge| self.directory.edge_link(edge)) else {
            return;
        };
        if link
            .tell(ShowOnBoard {
                station_id: station.id,
                sign: sign.clone(),
            })
            .is_ok()
        {
            self.boards.insert(station.id, sign);
        }
    }
}

/// What the queue does in the background, with handles of its own.
struct Work {
    site_id: i64,
    call_deadline: TimeDelta,
    repository: Handle<Repository>,
    directory: Directory,
}

impl Work {
    async fn look(self) -> Result<(Vec<StationView>, Vec<Entry>), DbError> {
        let stations = self.stations().await?;
        let awake = self.awake(&stations).await;
        self.expire(&awake).await?;
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

    async fn expire(&self, awake: &[i64]) -> Result<(), DbError> {
        if awake.is_empty() {
            return Ok(());
        }
        let gone = self
            .repository
            .run(ExpireCalls {
                stations: awake.to_vec(),
                now: Utc::now(),
            })
            .await?;
        for entry in gone {
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

    async fn call(&self, CallTruck { station_id, entry_id }: CallTruck) -> Result<Called, DbError> {
        let call = CallNext {
            station_id,
            entry_id,
            deadline: self.call_deadline,
            now: Utc::now(),
        };
        let called = self.repository.run(call).await?;
        if let Ok(entry) = &called {
            info!(
                station.id = station_id,
                queue.number = entry.queue_number,
                "number {} is called to station {station_id}",
                entry.queue_number
            );
            self.directory
                .touch_station(station_id, entry.record_id.into_iter().collect());
        }
        Ok(called)
    }
}

impl Actor for Queue {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.look(context);
        context.run_interval(BETWEEN_LOOKS, Self::look);
    }
}

impl Handler<JoinLine> for Queue {
    type Result = ResponseActFuture<Self, Result<Joined, DbError>>;

    fn handle(&mut self, JoinLine(check_in): JoinLine, _: &mut Context<Self>) -> Self::Result {
        let repository = self.repository.clone();
        let joining = async move { repository.run(check_in).await };
        Box::pin(joining.into_actor(self).map(|joined, queue, context| {
            queue.look(context);
            joined
        }))
    }
}

impl Handler<CallTruck> for Queue {
    type Result = ResponseActFuture<Self, Result<Called, DbError>>;

    fn handle(&mut self, call: CallTruck, _: &mut Context<Self>) -> Self::Result {
        let work = self.work();
        let calling = async move { work.call(call).await };
        Box::pin(calling.into_actor(self).map(|called, queue, context| {
            queue.look(context);
            called
        }))
    }
}

impl Handler<CancelEntry> for Queue {
    type Result = ResponseActFuture<Self, Result<Option<Entry>, DbError>>;

    fn handle(&mut self, CancelEntry(cancel): CancelEntry, _: &mut Context<Self>) -> Self::Result {
        let (repository, directory) = (self.repository.clone(), self.directory.clone());
        let cancelling = async move {
            let cancelled = repository.run(cancel).await?;
            if let Some(station) = cancelled.as_ref().and_then(|entry| entry.station_id) {
                directory.touch_station(station, Vec::new());
            }
            Ok(cancelled)
        };
        Box::pin(cancelling.into_actor(self).map(|cancelled, queue, context| {
            queue.look(context);
            cancelled
        }))
    }
}

impl Handler<StationFreed> for Queue {
    type Result = ();

    fn handle(&mut self, _: StationFreed, context: &mut Context<Self>) {
        self.look(context);
    }
}

impl Handler<LineMoved> for Queue {
    type Result = ();

    fn handle(&mut self, _: LineMoved, context: &mut Context<Self>) {
        self.look(context);
    }
}
