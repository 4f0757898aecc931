//! Readings that a gateway posts by HTTP: taken in the order in which they come, those that wait while a commit is under
//! way all in the next one, and answered when it has taken place.
//!
//! What the capture logic remembers between commits is kept here, and thrown away with the commit that would have changed it.

use std::collections::VecDeque;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tracing::warn;
use weighbridge_protocol::{Kilograms, link::messages::LiveReading};
use weighbridge_supervision::Handle;

use super::Indicator;
use crate::{
    actors::{
        directory::Directory,
        repository::{Queries, Repository},
    },
    db::{
        DbError,
        audit_log::Author,
        ledger::Changes,
        station_cycle::{Memory, NotRearmed, Outcome, Rearm, TakeReadings},
    },
    domain::feed::FeedReading,
};

/// The most that share one commit.
const GROUP: usize = 500;

/// A reading that was posted. Asked by the handlers of HTTP; answers after its commit.
#[derive(Debug, Message)]
#[rtype(result = "Result<Outcome, NotTaken>")]
pub struct PostedReading(pub FeedReading);

/// Lets the next truck be captured although something still lies on the deck. Asked by the handlers of HTTP, where no edge
/// is linked that could do it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NotDone>")]
pub struct RearmFed {
    pub reason: String,
    pub author: Author,
}

/// Why a reading was not taken. It may be posted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the database is unavailable")]
    Unavailable,
    #[error("the database refuses the reading")]
    Refused,
}

/// Why a station was not rearmed.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    #[error("nobody posts readings of this station")]
    NotFed,
    #[error(transparent)]
    NotRearmed(#[from] NotRearmed),
    #[error(transparent)]
    Database(#[from] DbError),
}

/// What an Indicator needs to take readings.
#[derive(Clone, Debug)]
pub struct FeedServices {
    pub directory: Directory,
    /// What a weight must exceed a registered tare by.
    pub min_net: Kilograms,
}

/// What waits, and what is remembered.
#[derive(Debug)]
pub(super) struct Feed {
    services: FeedServices,
    memory: Option<Memory>,
    /// The newest that was taken.
    last: Option<FeedReading>,
    waiting: VecDeque<Waiting>,
    working: bool,
    /// Whether it is these readings by which the station is heard.
    pub(super) is_heard: bool,
}

#[derive(Debug)]
enum Waiting {
    Reading(FeedReading, oneshot::Sender<Result<Outcome, NotTaken>>),
    Rearm(RearmFed, oneshot::Sender<Result<(), NotDone>>),
}

impl Feed {
    pub(super) const fn directory(&self) -> &Directory {
        &self.services.directory
    }

    pub(super) const fn new(services: FeedServices) -> Self {
        Self {
            services,
            memory: None,
            last: None,
            waiting: VecDeque::new(),
            working: false,
            is_heard: false,
        }
    }
}

impl Indicator {
    /// Takes what waits: readings up to the next rearming, or that.
    fn feed_next(&mut self, context: &mut Context<Self>) {
        if self.feed.working || self.feed.waiting.is_empty() {
            return;
        }
        self.feed.working = true;
        let work = Work {
            station_id: self.station_id,
            repository: self.repository.clone(),
            min_net: self.feed.services.min_net,
            memory: self.feed.memory.clone(),
            last: self.feed.last.clone(),
            heard: false,
            changes: Vec::new(),
        };
        let is_reading = |waiting: &Waiting| matches!(waiting, Waiting::Reading(..));
        let readings = self
            .feed
            .waiting
            .iter()
            .take(GROUP)
            .take_while(|waiting| is_reading(waiting))
            .count();
        let group: Vec<Waiting> = self.feed.waiting.drain(..readings.max(1)).collect();
        context.spawn(
            work.take(group)
                .into_actor(self)
                .map(|work, indicator, context| indicator.fed(work, context)),
        );
    }

    fn fed(&mut self, work: Work, context: &mut Context<Self>) {
        self.feed.working = false;
        for changes in &work.changes {
            self.feed.services.directory.announce(changes);
        }
        if work.heard {
            self.hear_posted(work.memory.as_ref(), work.last.as_ref());
        }
        (self.feed.memory, self.feed.last) = (work.memory, work.last);
        self.feed_next(context);
    }

    /// Shows what stands on the deck now; readings from before an outage are only history.
    fn hear_posted(&mut self, memory: Option<&Memory>, last: Option<&FeedReading>) {
        let (Some(memory), Some(last)) = (memory, last.filter(|last| last.is_live())) else {
            return;
        };
        self.feed.is_heard = true;
        self.awaited_since = None;
        (self.state.link_up, self.state.backlog_drained) = (true, true);
        self.hear(LiveReading {
            station_id: self.station_id,
            weight: Some(last.kg),
            unit: "kg".to_owned(),
            stable: last.stable,
            state: memory.scale.deck(),
            at: last.at,
        });
    }
}

/// What is done in the background, with a handle of its own.
struct Work {
    station_id: i64,
    repository: Handle<Repository>,
    min_net: Kilograms,
    memory: Option<Memory>,
    last: Option<FeedReading>,
    /// Whether `last` is newer than before.
    heard: bool,
    changes: Vec<Changes>,
}

impl Work {
    async fn take(mut self, group: Vec<Waiting>) -> Self {
        let mut readings = Vec::with_capacity(group.len());
        for waiting in group {
            match waiting {
                Waiting::Reading(reading, answer) => readings.push((reading, answer)),
                Waiting::Rearm(rearm, answer) => {
                    let done = self.rearm(rearm).await;
                    // Whoever asked may have stopped waiting.
                    drop(answer.send(done));
                }
            }
        }
        self.take_readings(readings).await;
        self
    }

    /// All in one commit. If the database refuses that, each alone, so that the guilty one alone fails.
    async fn take_readings(&mut self, group: Vec<(FeedReading, oneshot::Sender<Result<Outcome, NotTaken>>)>) {
        let (readings, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcomes = match self.store(readings.clone()).await {
            Err(NotTaken::Refused) if readings.len() > 1 => {
                let mut alone = Vec::with_capacity(readings.len());
                for reading in readings {
                    let outcome = self.store(vec![reading]).await;
                    alone.push(outcome.and_then(|outcomes| outcomes.first().copied().ok_or(NotTaken::Refused)));
                }
                alone
            }
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(why) => vec![Err(why); answers.len()],
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have stopped waiting.
            answer.send(outcome).ok();
        }
    }

    async fn store(&mut self, readings: Vec<FeedReading>) -> Result<Vec<Outcome>, NotTaken> {
        if readings.is_empty() {
            return Ok(Vec::new());
        }
        let posted = readings.clone();
        let take = TakeReadings {
            station_id: self.station_id,
            readings,
            memory: self.memory.clone(),
            min_net: self.min_net,
        };
        match self.repository.run(take).await {
            Ok(fed) => {
                let is_new = |outcome: &Outcome| matches!(outcome, Outcome::Stored { duplicate: false, .. });
                if let Some(newest) = fed.outcomes.iter().rposition(is_new) {
                    self.last = posted.into_iter().nth(newest);
                    self.heard = true;
                }
                self.memory = fed.memory;
                self.changes.push(fed.changes);
                Ok(fed.outcomes)
            }
            Err(error) => {
                let station = self.station_id;
                warn!(
                    station.id = station,
                    "readings posted for station {station} are not taken: {error}"
                );
                Err(if error.is_passing() {
                    NotTaken::Unavailable
                } else {
                    NotTaken::Refused
                })
            }
        }
    }

    async fn rearm(&mut self, rearm: RearmFed) -> Result<(), NotDone> {
        let (Some(memory), Some(last)) = (self.memory.clone(), self.last.clone()) else {
            return Err(NotDone::NotFed);
        };
        let query = Rearm {
            station_id: self.station_id,
            memory,
            last,
            reason: rearm.reason,
            author: rearm.author,
            min_net: self.min_net,
        };
        let (memory, changes) = self.repository.run(query).await??;
        self.memory = Some(memory);
        self.changes.push(changes);
        Ok(())
    }
}

impl Handler<PostedReading> for Indicator {
    type Result = ResponseFuture<Result<Outcome, NotTaken>>;

    fn handle(&mut self, PostedReading(reading): PostedReading, context: &mut Context<Self>) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        self.feed.waiting.push_back(Waiting::Reading(reading, answer));
        self.feed_next(context);
        // An Indicator that starts anew forgets who waits; what it had sent may have been stored.
        Box::pin(answered.map(|answered| answered.unwrap_or(Err(NotTaken::Unavailable))))
    }
}

impl Handler<RearmFed> for Indicator {
    type Result = ResponseFuture<Result<(), NotDone>>;

    fn handle(&mut self, rearm: RearmFed, context: &mut Context<Self>) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        self.feed.waiting.push_back(Waiting::Rearm(rearm, answer));
        self.feed_next(context);
        Box::pin(answered.map(|answered| answered.unwrap_or(Err(NotDone::NotFed))))
    }
}
