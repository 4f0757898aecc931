//! One indicator on one scale: the station's state, what stands on it, and whether it has fallen silent.
//!
//! - [`deck`]: what its readings show of the deck, and how that corrects what events told
//! - [`feed`]: readings that come by HTTP
//! - [`link`]: whether the edge that reads it is there

mod deck;
mod feed;
mod link;

use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tracing::{info, warn};
use weighbridge_protocol::link::{
    EventBody,
    messages::{DeckState, LiveReading},
};
use weighbridge_supervision::{Handle, Listener};

pub use feed::{FeedServices, NotDone, NotTaken, PostedReading, RearmFed};
pub use link::{BacklogChanged, LinkChanged};

use self::{deck::DeckSeen, feed::Feed};
use super::{
    live::{DriverChanged, Json, StationChanged, WeighingChanged, WeightChanged},
    position::completed,
    queue::StationFreed,
    repository::{Queries, Repository},
    screen::{RecordItem, StationItem, WeightItem},
};
use crate::db::{
    station_view::{StationView, StationViewOf},
    weigh_record::{Item, Items},
};

/// Silence after which a weight on a screen is marked stale.
const STALE_AFTER: Duration = Duration::from_secs(3);
const BETWEEN_CHECKS: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// A weight that the edge has just read. Sent by the edge's socket; only the newest counts.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadingArrived(pub LiveReading);

/// Events of this station are about to be stored. Asked by EdgeLink, which takes an answer that never comes three times
/// for a sign that the event itself is the trouble.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct EventsArrived(pub Vec<EventBody>);

/// What was stored concerns this station, and these records. Announced by EdgeLink, Queue and the handlers of HTTP.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StationTouched {
    pub records: Vec<i64>,
}

/// How the station stands now. Asked by Queue before it calls, and by Live for its snapshot.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "StationState")]
pub struct CurrentState;

/// What an Indicator knows of its station.
#[derive(Clone, Debug, Default, actix::MessageResponse)]
pub struct StationState {
    /// None until it was read for the first time.
    pub view: Option<StationView>,
    pub link_up: bool,
    pub indicator_up: bool,
    pub backlog_drained: bool,
    pub weight: Option<LiveReading>,
    pub stale: bool,
}

impl StationState {
    /// Whether what is heard now shows something else than an empty deck.
    pub fn shows_load(&self) -> bool {
        let heard = self.weight.as_ref().filter(|_| self.indicator_up);
        heard.is_some_and(|reading| reading.state != DeckState::Empty)
    }
}

/// Who wants to hear of a station.
#[derive(Clone, Debug)]
pub struct Listeners {
    pub weights: Listener<WeightChanged>,
    pub stations: Listener<StationChanged>,
    pub weighings: Listener<WeighingChanged>,
    pub drivers: Listener<DriverChanged>,
    pub line: Listener<StationFreed>,
}

/// See the file's head.
#[derive(Debug)]
pub struct Indicator {
    station_id: i64,
    repository: Handle<Repository>,
    listeners: Listeners,
    state: StationState,
    heard_at: Option<Instant>,
    /// Since when the edge is to say hello again.
    awaited_since: Option<Instant>,
    deck: DeckSeen,
    feed: Feed,
    /// What was announced last: the same is not announced twice.
    shown: Option<StationItem>,
    /// The record whose driver was told last that it is complete.
    completed: Option<i64>,
    /// One look at a time; what happens meanwhile asks for another.
    looking: bool,
    look_again: bool,
    #[cfg(feature = "chaos")]
    poison: super::chaos::Poison,
}

impl Indicator {
    /// An indicator that knows nothing yet: it reads its station when it starts.
    pub fn new(
        station_id: i64,
        repository: Handle<Repository>,
        listeners: Listeners,
        feed: FeedServices,
        #[cfg(feature = "chaos")] poison: super::chaos::Poison,
    ) -> Self {
        Self {
            station_id,
            repository,
            listeners,
            state: StationState::default(),
            heard_at: None,
            awaited_since: None,
            deck: DeckSeen::default(),
            feed: Feed::new(feed),
            shown: None,
            completed: None,
            looking: false,
            look_again: false,
            #[cfg(feature = "chaos")]
            poison,
        }
    }

    /// Reads the station anew, and shows what has changed.
    fn look(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.looking, true) {
            self.look_again = true;
            return;
        }
        let (repository, station) = (self.repository.clone(), StationViewOf(self.station_id));
        let looking = async move { repository.run_grouped(station).await };
        context.spawn(looking.into_actor(self).map(|found, indicator, context| {
            indicator.looking = false;
            match found {
                Ok(view) => indicator.seen(view),
                Err(error) => warn!(station.id = indicator.station_id, "station cannot be read: {error}"),
            }
            if std::mem::take(&mut indicator.look_again) {
                indicator.look(context);
            }
        }));
    }

    fn seen(&mut self, view: Option<StationView>) {
        let was_free = self.is_free();
        self.state.view = view;
        if !self.state.link_up || !self.state.backlog_drained {
            self.ask_for_the_link();
        }
        self.show();
        if self.is_free() && !was_free {
            self.announce_free(false);
        }
    }

    /// Whether the next truck may come: nothing stands here, and nobody is called here.
    fn is_free(&self) -> bool {
        self.state.view.as_ref().is_some_and(StationView::is_free) && !self.state.shows_load()
    }

    fn announce_free(&self, relinked: bool) {
        self.listeners.line.announce(StationFreed {
            station_id: self.station_id,
            relinked,
        });
    }

    fn show(&mut self) {
        let Some(view) = &self.state.view else { return };
        let item = StationItem::new(view, self.state.link_up, self.state.indicator_up);
        if self.shown.as_ref() == Some(&item) {
            return;
        }
        match Json::of(&item) {
            Ok(json) => {
                let changed = StationChanged {
                    station: view.id,
                    site: view.site_id,
                    item: json,
                };
                self.listeners.stations.announce(changed);
                self.shown = Some(item);
            }
            Err(error) => warn!(station.id = self.station_id, "station cannot be shown: {error}"),
        }
    }

    fn show_weight(&self) {
        let (Some(reading), Some(view)) = (&self.state.weight, &self.state.view) else {
            return;
        };
        match Json::of(&WeightItem::new(reading, self.state.stale)) {
            Ok(weight) => {
                self.listeners.weights.announce(WeightChanged {
                    station: view.id,
                    site: view.site_id,
                    weight,
                });
            }
            Err(error) => warn!(station.id = self.station_id, "weight cannot be shown: {error}"),
        }
    }

    fn check_silence(&mut self) {
        let silent = self.heard_at.is_none_or(|at| at.elapsed() >= STALE_AFTER);
        if silent && !self.state.stale && self.state.weight.is_some() {
            self.state.stale = true;
            self.state.indicator_up = false;
            self.deck = DeckSeen::default();
            if std::mem::take(&mut self.feed.is_heard) {
                (self.state.link_up, self.state.backlog_drained) = (false, false);
            }
            info!(
                station.id = self.station_id,
                "station {} shows nothing new", self.station_id
            );
            self.show_weight();
            self.show();
        }
    }

    /// The newest weight, from whoever reads the station.
    fn hear(&mut self, reading: LiveReading) {
        self.heard_at = Some(Instant::now());
        let was_silent = self.state.stale || !self.state.indicator_up;
        let was_loaded = self.state.shows_load();
        (self.state.stale, self.state.indicator_up) = (false, true);
        self.deck.saw(reading.state, Instant::now());
        self.state.weight = Some(reading);
        if was_loaded && self.is_free() {
            self.announce_free(false);
        }
        self.show_weight();
        if was_silent {
            self.show();
        }
    }
}

impl Actor for Indicator {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.look(context);
        context.run_interval(BETWEEN_CHECKS, |indicator, context| {
            indicator.give_up_waiting();
            indicator.check_silence();
            indicator.correct_deck(context);
        });
        context.run_interval(BETWEEN_LOOKS, Self::look);
    }
}

impl Handler<ReadingArrived> for Indicator {
    type Result = ();

    fn handle(&mut self, ReadingArrived(reading): ReadingArrived, _: &mut Context<Self>) {
        self.hear(reading);
    }
}

impl Handler<EventsArrived> for Indicator {
    type Result = ();

    fn handle(&mut self, EventsArrived(events): EventsArrived, _: &mut Context<Self>) {
        debug_assert!(events.iter().all(|event| event.station_id == self.station_id));
        #[cfg(feature = "chaos")]
        self.poison.strike(
            self.state
                .view
                .as_ref()
                .and_then(|view| view.current_vehicle.as_deref()),
            &events,
        );
        self.heard_at = Some(Instant::now());
    }
}

impl Handler<StationTouched> for Indicator {
    type Result = ();

    fn handle(&mut self, StationTouched { records }: StationTouched, context: &mut Context<Self>) {
        self.look(context);
        if records.is_empty() {
            return;
        }
        let repository = self.repository.clone();
        let reading = async move { repository.run_grouped(Items { ids: records }).await };
        context.spawn(reading.into_actor(self).map(|items, indicator, _| match items {
            Ok(items) => items.iter().for_each(|item| indicator.announce_record(item)),
            Err(error) => warn!(station.id = indicator.station_id, "records cannot be shown: {error}"),
        }));
    }
}

impl Indicator {
    fn announce_record(&mut self, item: &Item) {
        match Json::of(&RecordItem::from(item)) {
            Ok(json) => self.listeners.weighings.announce(WeighingChanged {
                site: item.site_id,
                record: item.id,
                item: json,
            }),
            Err(error) => warn!(record.id = item.id, "record cannot be shown: {error}"),
        }
        if let Some(news) = completed(item).filter(|_| self.completed.replace(item.id) != Some(item.id)) {
            self.listeners.drivers.announce(news);
        }
    }
}

impl Handler<CurrentState> for Indicator {
    type Result = StationState;

    fn handle(&mut self, _: CurrentState, _: &mut Context<Self>) -> StationState {
        self.state.clone()
    }
}
