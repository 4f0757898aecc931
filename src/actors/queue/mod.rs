//! The waiting line of one site: who joins it, who is called where, and what the boards say.
//!
//! - [`work`]: what it does in the background

mod work;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use chrono::TimeDelta;
use tracing::warn;
use weighbridge_supervision::{Handle, Listener};

use self::work::{Looked, Work};
use super::{
    directory::Directory,
    edge_link::ShowOnBoard,
    live::{DriverChanged, Json, QueueChanged},
    position::Positions,
    repository::{Queries, Repository},
    screen::QueueItem,
};
use crate::{
    db::{
        DbError,
        audit_log::Author,
        station_view::StationView,
        wait_queue::{Acknowledge, Called, Cancel, CheckIn, Done, Entry, Joined, Move, Return},
    },
    domain::board_text::Sign,
};

/// A truck joins the line. Asked by the handlers of HTTP; answers its entry, or why it has none.
#[derive(Debug, Message)]
#[rtype(result = "Result<Joined, DbError>")]
pub struct JoinLine(pub CheckIn);

/// Calls the next truck to a station, or a certain one, whatever stands there: people see the deck. Asked by the handlers of
/// HTTP; answers who was called.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Called, DbError>")]
pub struct CallTruck {
    pub station_id: i64,
    pub entry_id: Option<i64>,
}

/// Changes an entry. Asked by the handlers of HTTP, for staff and for drivers; answers it as it stands then, or why it was
/// left as it was.
#[derive(Debug, Message)]
#[rtype(result = "Result<Done, DbError>")]
pub struct ChangeLine(pub LineChange);

/// What is done to an entry.
#[derive(Debug)]
pub enum LineChange {
    Acknowledge(Acknowledge),
    Cancel(Cancel),
    Recall {
        entry_id: i64,
        author: Author,
    },
    Return(Return),
    Skip {
        entry_id: i64,
        reason: Option<String>,
        author: Author,
    },
    Move(Move),
}

/// Nothing stands on a station and nobody is called there, or its edge has connected anew. Announced by its Indicator; the
/// queue then calls the next truck, and says on the board what it should show.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StationFreed {
    pub station_id: i64,
    /// What the board shows is not known.
    pub relinked: bool,
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
    look_every: Duration,
    repository: Handle<Repository>,
    directory: Directory,
    live: Listener<QueueChanged>,
    drivers: Listener<DriverChanged>,
    positions: Positions,
    /// What each station's line of its board was last asked to show.
    boards: BTreeMap<i64, Sign>,
    /// One look at a time; what happens meanwhile asks for another.
    looking: bool,
    look_again: bool,
    /// Which stations were linked to this node at the last look.
    linked: Option<BTreeSet<i64>>,
}

impl Queue {
    pub fn new(
        site_id: i64,
        (call_deadline, look_every): (TimeDelta, Duration),
        repository: Handle<Repository>,
        directory: Directory,
        (live, drivers): (Listener<QueueChanged>, Listener<DriverChanged>),
    ) -> Self {
        Self {
            site_id,
            call_deadline,
            look_every,
            repository,
            directory,
            live,
            drivers,
            positions: Positions::default(),
            boards: BTreeMap::new(),
            looking: false,
            look_again: false,
            linked: None,
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
                Ok(Looked { stations, line, linked }) => {
                    queue.linked = Some(linked);
                    queue.show(&stations, &line);
                }
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
            linked_before: self.linked.clone(),
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
        for changed in self.positions.changes(line) {
            self.drivers.announce(changed);
        }
        for station in stations {
            self.show_on_board(station);
        }
    }

    fn show_on_board(&mut self, station: &StationView) {
        let sign = station.sign();
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

impl Actor for Queue {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.look(context);
        context.run_interval(self.look_every, Self::look);
    }
}

impl Handler<JoinLine> for Queue {
    type Result = ResponseActFuture<Self, Result<Joined, DbError>>;

    fn handle(&mut self, JoinLine(check_in): JoinLine, _: &mut Context<Self>) -> Self::Result {
        let repository = self.repository.clone();
        let joining = async move { repository.run_contended(check_in).await };
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
        let calling = async move { work.call(call, false).await };
        Box::pin(calling.into_actor(self).map(|called, queue, context| {
            queue.look(context);
            called
        }))
    }
}

impl Handler<ChangeLine> for Queue {
    type Result = ResponseActFuture<Self, Result<Done, DbError>>;

    fn handle(&mut self, ChangeLine(change): ChangeLine, _: &mut Context<Self>) -> Self::Result {
        let work = self.work();
        // A call that is made again is shown again, though the words are the same.
        let is_recall = matches!(change, LineChange::Recall { .. });
        let changing = async move { work.change(change).await };
        Box::pin(changing.into_actor(self).map(move |done, queue, context| {
            if let Ok(Ok(changed)) = &done
                && let Some(station) = changed.station_id.filter(|_| is_recall)
            {
                queue.boards.remove(&station);
            }
            queue.look(context);
            done
        }))
    }
}

impl Handler<StationFreed> for Queue {
    type Result = ();

    fn handle(&mut self, freed: StationFreed, context: &mut Context<Self>) {
        if freed.relinked {
            self.boards.remove(&freed.station_id);
        }
        self.look(context);
    }
}

impl Handler<LineMoved> for Queue {
    type Result = ();

    fn handle(&mut self, _: LineMoved, context: &mut Context<Self>) {
        self.look(context);
    }
}
