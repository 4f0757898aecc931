//! The live stream to dashboards and drivers: keeps the newest value of every topic, encodes a change once, and writes the
//! same bytes into the socket of everyone who wants it.
//!
//! ```text
//!  Indicator, Queue ─(announce)▶ Live ─▶ newest ─▶ frame ─▶ seats ─▶ sockets
//!  database ◀─(looks, every 2 s)─┘                            ▲
//!                                      Session ─(reads)───────┘  one per socket, see `actors::session`
//! ```
//!
//! Live and all sessions share one arbiter, so HTTP never waits for a thousand writes. Lossy on purpose: a client that is
//! too slow gets a snapshot instead of what it missed.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use chrono::{SecondsFormat, Utc};
use chrono_tz::Tz;
use parking_lot::Mutex;
use tracing::{info, warn};

use frame::Frame;
use newest::Newest;
use pace::Pace;
use seat::Holder;
use seats::Seats;
use topics::{Channel, Topic, Topics, Wants};

pub use json::Json;
pub use lives::{Lives, Stage};
pub use messages::{
    CloseAll, DriverChanged, DriverNews, QueueChanged, Revoke, SnapshotsOwed, StationChanged, SummaryChanged,
    WeighingChanged, WeightChanged,
};
pub use source::{Looked, Source};

pub mod frame;
pub mod incoming;
mod json;
mod lives;
mod messages;
mod newest;
mod pace;
pub mod seat;
pub mod seats;
mod source;
pub mod topics;

/// No screen shows more than 200 weights a second, however fast they come.
const BETWEEN_WEIGHTS: Duration = Duration::from_millis(5);
const BETWEEN_EVENTS: Duration = Duration::from_millis(1);
const LONGEST_BETWEEN_EVENTS: Duration = Duration::from_millis(10);
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
const LONGEST_LOOK: Duration = Duration::from_secs(10);
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);
const LONGEST_STOP: Duration = Duration::from_secs(3);

/// What one Live hands on to the next when it is restarted: the sockets, and what was last shown on them.
#[derive(Clone, Debug, Default)]
struct Estate {
    seats: Arc<Seats>,
    newest: Arc<Mutex<Newest>>,
}

/// See the file's head.
#[derive(Debug)]
pub struct Live {
    estate: Estate,
    source: Arc<dyn Source>,
    zone: Tz,
    weights: Pace,
    events: Pace,
}

impl Live {
    fn new(estate: Estate, source: Arc<dyn Source>, zone: Tz, tick: Duration) -> Self {
        Self {
            estate,
            source,
            zone,
            weights: Pace::new(BETWEEN_WEIGHTS, tick),
            events: Pace::new(BETWEEN_EVENTS, LONGEST_BETWEEN_EVENTS),
        }
    }

    fn at(&self) -> String {
        Utc::now()
            .with_timezone(&self.zone)
            .to_rfc3339_opts(SecondsFormat::Millis, false)
    }

    fn event_due(&mut self, context: &mut Context<Self>) {
        match self.events.arrange(Instant::now()) {
            Some(Duration::ZERO) => self.send(),
            Some(wait) => drop(context.run_later(wait, |live, _| live.send())),
            None => {}
        }
    }

    fn send_weights(&mut self) {
        let began = Instant::now();
        if !self.estate.seats.is_empty() {
            self.estate.newest.lock().gather_weights(&self.at());
            self.send();
        }
        self.weights.sent(began, Instant::now());
    }

    /// Sends all that is due, then the snapshots that are owed: in this order, for they show what was due as well.
    fn send(&mut self) {
        let began = Instant::now();
        let at = self.at();
        let mut newest = self.estate.newest.lock();
        if newest.has_due() {
            let outgoing = newest.take_due();
            self.estate
                .seats
                .deliver(Instant::now(), |wants| outgoing.parcel(wants));
        }
        // A thousand may ask at the same moment: one encoding serves them all.
        let mut encoded: BTreeMap<Channel, Frame> = BTreeMap::new();
        self.estate.seats.settle(|wants: &Wants, awaiting: Topics| {
            let due = wants.channels().filter(|(topic, _)| awaiting.has(*topic));
            due.map(|channel| {
                if let Some(frame) = encoded.get(&channel) {
                    return Some(frame.clone());
                }
                let frame = newest.snapshot(channel, &at)?;
                encoded.insert(channel, frame.clone());
                Some(frame)
            })
            .collect()
        });
        drop(newest);
        self.events.sent(began, Instant::now());
    }

    fn close_revoked(&self, whose: impl Fn(&Holder) -> bool) -> usize {
        let closed = self.estate.seats.close(4403, "the session was revoked", whose);
        if closed > 0 {
            info!(sockets = closed, "rights were withdrawn, {closed} live sockets closed");
        }
        closed
    }

    /// Looks everything up, and again 2 s after the answer.
    fn look(&mut self, context: &mut Context<Self>) {
        let (source, seats, began) = (Arc::clone(&self.source), Arc::clone(&self.estate.seats), Instant::now());
        let looking = async move {
            let (looked, logins) = (source.look().await, seats.logins());
            let revoked = if logins.is_empty() {
                logins
            } else {
                source.revoked(logins).await
            };
            (looked, revoked)
        };
        let looking = tokio::time::timeout(LONGEST_LOOK, looking).into_actor(self);
        context.spawn(looking.map(move |answer, live, context| {
            if let Ok((looked, revoked)) = answer {
                let vanished = live.estate.newest.lock().looked(looked, began, &live.at());
                live.estate.seats.owe_all(vanished);
                live.close_revoked(|holder| revoked.contains(&holder.login));
                live.event_due(context);
            } else {
                warn!(
                    "the live topics could not be looked up within {} s",
                    LONGEST_LOOK.as_secs()
                );
            }
            context.run_later(BETWEEN_LOOKS, Self::look);
        }));
    }
}

impl Actor for Live {
    type Context = Context<Self>;

    /// A frame may have reached some sockets only when the last Live broke off: all begin anew from a snapshot.
    fn started(&mut self, context: &mut Self::Context) {
        self.estate.newest.lock().begin_anew();
        self.estate.seats.owe_all(Topics::of(Topic::ALL));
        self.look(context);
        context.run_interval(BETWEEN_SWEEPS, |live, _| {
            live.estate.seats.sweep(Instant::now());
            live.send();
        });
    }
}

impl Handler<WeightChanged> for Live {
    type Result = ();

    fn handle(&mut self, weight: WeightChanged, context: &mut Self::Context) {
        self.estate.newest.lock().weight(weight);
        match self.weights.arrange(Instant::now()) {
            Some(Duration::ZERO) => self.send_weights(),
            Some(wait) => drop(context.run_later(wait, |live, _| live.send_weights())),
            None => {}
        }
    }
}

/// An event goes into a frame of its own, at once; all that are due leave together.
macro_rules! events {
    ($($message:ty => $take:ident),+ $(,)?) => { $(
        impl Handler<$message> for Live {
            type Result = ();

            fn handle(&mut self, message: $message, context: &mut Self::Context) {
                let at = self.at();
                self.estate.newest.lock().$take(message, Some(Instant::now()), &at);
                self.event_due(context);
            }
        }
    )+ };
}

events! {
    StationChanged => station,
    QueueChanged => queue,
    WeighingChanged => weighing,
    SummaryChanged => summary,
    DriverChanged => driver,
}

impl Handler<SnapshotsOwed> for Live {
    type Result = ();

    fn handle(&mut self, _: SnapshotsOwed, context: &mut Self::Context) {
        self.event_due(context);
    }
}

impl Handler<Revoke> for Live {
    type Result = usize;

    fn handle(&mut self, revoke: Revoke, _: &mut Self::Context) -> usize {
        self.close_revoked(|holder| match revoke {
            Revoke::User(user) => holder.user == user,
            Revoke::Login(login) => holder.login == login,
        })
    }
}

impl Handler<CloseAll> for Live {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: CloseAll, _: &mut Self::Context) -> Self::Result {
        let seats = Arc::clone(&self.estate.seats);
        seats.close_for_good();
        Box::pin(async move {
            let asked = Instant::now();
            while !seats.is_empty() && asked.elapsed() < LONGEST_STOP {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }
}
