//! Events into the database, in order, however often that takes. What cannot be handled is set aside, so that nothing
//! behind it waits.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::WebsocketContext;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{error, warn};
use weighbridge_protocol::{
    Epoch, Kilograms, LinkSession,
    link::{
        Event, EventBody, FromServer,
        limits::{CLOSE_FENCED, CLOSE_MALFORMED, WINDOW_EVENTS},
        messages::Ack,
    },
};
use weighbridge_supervision::AskError;

use super::{EdgeLink, LinkServices, pulse::make_room};
use crate::db::month::EnsureMonths;
use crate::{
    actors::{indicator::EventsArrived, repository::Queries},
    db::{
        DbError,
        edge_epoch::Pulse,
        edge_event::{
            Outcome, StoreAlone, StoreEvents, Taken, Tally,
            set_aside::{SetAside, Why},
        },
    },
    domain::{
        edge_time::{ClockModel, Dated},
        intake::{Awaited, pulse::tell_that_it_went_back},
        weighing::{Examined, examine},
    },
};

/// An event whose handling ends without an answer this often is the trouble itself.
const ATTEMPTS: u32 = 3;
const ASK_WITHIN: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// A group that takes too long this often is tried event by event.
const SLOW_TOGETHER: u32 = 2;

impl EdgeLink {
    /// Stores what waits, one group at a time: the next begins when the last is committed and answered.
    pub(super) fn store_next(&mut self, context: &mut WebsocketContext<Self>) {
        let Some(linked) = &self.linked else { return };
        if self.storing || self.inbox.is_empty() {
            return;
        }
        self.storing = true;
        let events: Vec<_> = self.inbox.drain(..self.inbox.len().min(WINDOW_EVENTS)).collect();
        let intake = Intake {
            edge_id: self.edge_id,
            session: linked.session,
            clock: linked.clock,
            min_net: self.services.min_net,
            services: self.services.clone(),
            awaited: linked.awaited,
            come: Vec::new(),
            have: linked.have.clone(),
            sound_at: linked.sound_at,
            database: linked.database,
        };
        context.spawn(
            intake
                .take(events)
                .into_actor(self)
                .map(|stored, link, context| link.stored(stored, context)),
        );
    }

    fn stored(&mut self, stored: Stored, context: &mut WebsocketContext<Self>) {
        self.storing = false;
        self.stored_at = Some(Instant::now());
        for taken in &stored.come {
            self.count(taken.tally);
            self.services.directory.announce(&taken.changes);
        }
        let Some(linked) = &mut self.linked else { return };
        (linked.awaited, linked.sound_at) = (stored.awaited, Utc::now());
        linked.clock = linked.clock.after(stored.dated);
        let mut answers = Vec::new();
        for taken in stored.come {
            linked.bad_seqs += taken.tally.bad_seqs;
            linked.have.extend(taken.have);
            answers.extend(taken.answers);
        }
        for answer in &answers {
            self.say(answer, context);
        }
        if stored.fenced {
            return self.close(CLOSE_FENCED, "a newer connection of this edge has come", context);
        }
        if self.linked.as_ref().is_some_and(|linked| linked.bad_seqs >= 2) {
            return self.close(CLOSE_MALFORMED, "a seq counts from 1", context);
        }
        self.note_backlog();
        self.store_next(context);
    }

    fn count(&self, tally: Tally) {
        metrics::counter!("edge_events_total").increment(tally.stored);
        metrics::counter!("edge_dup_suppressed_total").increment(tally.duplicates);
        metrics::counter!("edge_conflict_total").increment(tally.conflicts);
        metrics::counter!("edge_gap_total").increment(tally.gaps);
        metrics::counter!("edge_rejected_total").increment(tally.rejected);
        if tally.conflicts > 0 {
            let (edge, conflicts) = (self.edge_id, tally.conflicts);
            error!(
                edge.id = edge,
                "edge {edge} sent {conflicts} events whose identity stands here with another text"
            );
        }
        if tally.rejected > 0 {
            let (edge, rejected) = (self.edge_id, tally.rejected);
            error!(
                edge.id = edge,
                "edge {edge} sent {rejected} events that are wrong in themselves; staff must look"
            );
        }
    }
}

/// Takes a group of events into the database.
struct Intake {
    edge_id: i64,
    session: LinkSession,
    clock: ClockModel,
    min_net: Kilograms,
    services: LinkServices,
    awaited: Awaited,
    come: Vec<Taken>,
    /// What the connection knows to be stored, and when that was last seen to be so.
    have: BTreeMap<Epoch, i64>,
    sound_at: DateTime<Utc>,
    database: Option<uuid::Uuid>,
}

/// What came of a group.
struct Stored {
    come: Vec<Taken>,
    awaited: Awaited,
    dated: Option<Dated>,
    fenced: bool,
}

/// Why storing a group did not end in an answer.
enum Trouble {
    Fenced,
    /// It takes too long, though the database has time for others.
    Slow,
    /// Nobody knows what happened; the group is tried again, each event alone.
    Crashed,
    /// The database will refuse it again.
    Refused(String),
}

impl Intake {
    async fn take(mut self, events: Vec<(Event, DateTime<Utc>)>) -> Stored {
        let examined: Vec<_> = events
            .into_iter()
            .map(|(event, received_at)| Examined {
                body: examine(&event),
                event,
                received_at,
            })
            .collect();
        let read = examined
            .iter()
            .filter_map(|event| Some((event.body.as_ref().ok()?, event.received_at)));
        let clock = read.fold(self.clock, |clock, (body, received_at)| {
            clock.having_dated(body, received_at)
        });
        let fenced = match self.store(&examined).await {
            Ok(()) => false,
            Err(Trouble::Fenced) => true,
            Err(Trouble::Crashed | Trouble::Refused(_) | Trouble::Slow) => self.take_alone(examined).await,
        };
        if self
            .come
            .iter()
            .any(|taken| tell_that_it_went_back(&taken.answers, &self.have))
        {
            // Before the edge hears of it and sends again.
            make_room(self.edge_id, &self.services, self.sound_at).await;
        }
        Stored {
            come: self.come,
            awaited: self.awaited,
            dated: clock.dated(),
            fenced,
        }
    }

    /// One by one, so that the guilty one alone is set aside. Says whether this connection was fenced meanwhile.
    async fn take_alone(&mut self, events: Vec<Examined>) -> bool {
        // A group of one was its event alone already.
        let tried = u32::from(events.len() == 1);
        for examined in events {
            let (mut crashes, mut slow) = (tried, 0);
            loop {
                let (why, reason) = match self.store_alone(&examined).await {
                    Ok(()) => break,
                    Err(Trouble::Fenced) => return true,
                    Err(Trouble::Crashed) if crashes + 1 < ATTEMPTS => {
                        crashes += 1;
                        continue;
                    }
                    Err(Trouble::Slow) if slow + 1 < ATTEMPTS => {
                        slow += 1;
                        continue;
                    }
                    Err(Trouble::Crashed) => (
                        Why::Quarantined,
                        format!("its handling ended {ATTEMPTS} times without an answer"),
                    ),
                    Err(Trouble::Slow) => (
                        Why::Quarantined,
                        format!("the database was busy over it {ATTEMPTS} times until it was broken off"),
                    ),
                    Err(Trouble::Refused(reason)) => (Why::Rejected, reason),
                };
                if !self.set_aside(&examined, why, &reason).await {
                    return true;
                }
                break;
            }
        }
        false
    }

    /// Shows the events to their stations, then stores them in one transaction. Waits as long as the database is away.
    async fn store(&mut self, events: &[Examined]) -> Result<(), Trouble> {
        self.show_to_stations(events).await?;
        self.make_months(events).await;
        let mut slow = 0;
        loop {
            let stored = self.services.repository.run_grouped(self.query(events)).await;
            let Some(error) = self.settle(stored)? else {
                return Ok(());
            };
            // It may be an event of another edge that takes so long: alone each shows what it takes.
            slow += u32::from(error.took_too_long());
            if slow >= SLOW_TOGETHER && self.has_time().await {
                return Err(Trouble::Slow);
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// The same for one event, in a transaction that nobody shares.
    async fn store_alone(&mut self, examined: &Examined) -> Result<(), Trouble> {
        let events = std::slice::from_ref(examined);
        self.show_to_stations(events).await?;
        self.make_months(events).await;
        loop {
            let alone = StoreAlone {
                events: self.query(events),
                patience: self.services.patience,
            };
            let stored = self.services.repository.run(alone).await;
            let Some(error) = self.settle(stored)? else {
                return Ok(());
            };
            if error.is_statement_too_long() && self.has_time().await {
                return Err(Trouble::Slow);
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    fn query(&self, events: &[Examined]) -> StoreEvents {
        StoreEvents {
            edge_id: self.edge_id,
            session: self.session,
            events: events.to_vec(),
            clock: self.clock,
            awaited: self.awaited,
            min_net: self.min_net,
            database: self.database,
        }
    }

    /// Takes note of what was stored; an error that comes back passes by itself.
    fn settle(&mut self, stored: Result<Outcome, DbError>) -> Result<Option<DbError>, Trouble> {
        match stored {
            Ok(Outcome::Fenced) => Err(Trouble::Fenced),
            Ok(Outcome::Taken(taken)) => {
                self.awaited = taken.awaited;
                self.come.push(*taken);
                Ok(None)
            }
            Err(DbError::Panicked { .. }) => Err(Trouble::Crashed),
            Err(error) if !error.is_passing() => Err(Trouble::Refused(error.to_string())),
            Err(error) => {
                warn!(edge.id = self.edge_id, "events of edge {} wait: {error}", self.edge_id);
                Ok(Some(error))
            }
        }
    }

    /// Whether the database commits another change of this edge as promptly as ever: what took too long was then not for
    /// want of a database. A quarter of the patience is more than all of a group takes.
    async fn has_time(&self) -> bool {
        let pulse = Pulse {
            edge_id: self.edge_id,
            epochs: Vec::new(),
            now: Utc::now(),
        };
        let asking = self.services.repository.run(pulse);
        matches!(timeout(self.services.patience / 4, asking).await, Ok(Ok(_)))
    }

    /// What receipts bring back after a restore may be of a month that the backup does not have yet.
    async fn make_months(&self, events: &[Examined]) {
        let brought_back = events.iter().filter(|examined| examined.event.receipt.is_some());
        let moments: Vec<_> = brought_back
            .filter_map(|examined| Some(examined.body.as_ref().ok()?.at.to_utc()))
            .collect();
        if moments.is_empty() {
            return;
        }
        // If it fails, storing says so.
        if let Err(error) = self.services.repository.run(EnsureMonths(moments)).await {
            warn!(
                edge.id = self.edge_id,
                "months for events of edge {} cannot be made: {error}", self.edge_id
            );
        }
    }

    /// An Indicator that is down is no reason to wait; one that falls over these events is.
    async fn show_to_stations(&self, events: &[Examined]) -> Result<(), Trouble> {
        let mut by_station: BTreeMap<i64, Vec<EventBody>> = BTreeMap::new();
        for body in events.iter().filter_map(|examined| examined.body.as_ref().ok()) {
            by_station.entry(body.station_id).or_default().push(body.clone());
        }
        let shown = by_station.into_iter().filter_map(|(station, bodies)| {
            let indicator = self.services.directory.indicator(station)?;
            Some(async move { indicator.ask(EventsArrived(bodies), ASK_WITHIN).await })
        });
        let crashed = join_all(shown)
            .await
            .iter()
            .any(|answer| matches!(answer, Err(AskError::Crashed)));
        if crashed { Err(Trouble::Crashed) } else { Ok(()) }
    }

    /// Says whether the event is kept; if not, a newer connection has taken over.
    async fn set_aside(&mut self, examined: &Examined, why: Why, reason: &str) -> bool {
        let event = &examined.event;
        error!(
            edge.id = self.edge_id,
            edge.seq = event.seq,
            "event {} of edge {} is set aside: {reason}",
            event.seq,
            self.edge_id
        );
        loop {
            let query = SetAside {
                edge_id: self.edge_id,
                session: self.session,
                event: event.clone(),
                why,
                reason: reason.to_owned(),
                received_at: examined.received_at,
            };
            match self.services.repository.run(query).await {
                Ok(true) => break,
                Ok(false) => return false,
                Err(error) => warn!(edge.id = self.edge_id, "an event cannot be set aside yet: {error}"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
        metrics::counter!("edge_set_aside_total").increment(1);
        self.come.push(acknowledged(event.epoch, event.seq));
        true
    }
}

/// What is set aside is stored, and so acknowledged.
fn acknowledged(epoch: Epoch, seq: i64) -> Taken {
    Taken {
        answers: vec![FromServer::Ack(Ack {
            epoch,
            through: seq,
            receipts: Vec::new(),
        })],
        have: BTreeMap::from([(epoch, seq)]),
        ..Taken::default()
    }
}
