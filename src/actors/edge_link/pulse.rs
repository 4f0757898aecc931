//! Pings: whether the edge is there, what its clock says, whether this connection is still its newest, and whether the
//! database has gone back.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix::{ActorContext, ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::WebsocketContext;
use chrono::{DateTime, TimeDelta, Utc};
use tracing::{error, info, warn};
use weighbridge_protocol::link::{
    FromServer,
    limits::{CLOSE_FENCED, CLOSE_RESTART, DEAD_AFTER, PING_EVERY},
    messages::{EdgeClock, Nack, SeqRange},
};

use super::{EdgeLink, LinkServices};
use crate::{
    actors::repository::Queries,
    db::{
        edge_epoch::{Heartbeat, Pulse, Welcomed},
        restored::{MakeRoom, WentBack},
    },
    domain::{
        edge_time::{ClockModel, OFFSET_ALARM},
        intake::pulse::{Standing, compare},
    },
};

/// A pong that says to have been longer under way answers no ping of this connection.
const MOST_DELAY: Duration = Duration::from_hours(1);
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// More pings than are ever under way before an edge counts as silent.
const MOST_PINGS: usize = 8;
/// Events that a sample moves by more than this were dated by a clock that was set, or that runs wrong.
const MOVE_TOLD: TimeDelta = TimeDelta::seconds(1);

/// When each ping was sent that may still be answered, by what it says. The server's own clock may be set meanwhile, and
/// tells no delay then.
#[derive(Debug, Default)]
pub(super) struct Pings(VecDeque<(i64, Instant)>);

impl Pings {
    fn sent(&mut self, t: i64) {
        if self.0.len() >= MOST_PINGS {
            self.0.pop_front();
        }
        self.0.push_back((t, Instant::now()));
    }

    /// How long the answer to this ping can have been under way.
    fn under_way(&self, t: i64) -> TimeDelta {
        let sent = self.0.iter().rfind(|(ping, _)| *ping == t);
        let delay = sent.map_or(MOST_DELAY, |(_, at)| at.elapsed());
        TimeDelta::from_std(delay.min(MOST_DELAY)).unwrap_or(TimeDelta::hours(1))
    }
}

impl EdgeLink {
    pub(super) fn start_pulse(&self, context: &mut WebsocketContext<Self>) {
        context.run_interval(PING_EVERY, Self::beat);
    }

    fn beat(&mut self, context: &mut WebsocketContext<Self>) {
        if self.heard_at.elapsed() >= DEAD_AFTER {
            info!(edge.id = self.edge_id, "edge {} has fallen silent", self.edge_id);
            return context.stop();
        }
        let Some(linked) = self.linked.as_ref().filter(|_| !self.greeting) else {
            if !self.greeting && self.opened_at.elapsed() >= DEAD_AFTER {
                info!(edge.id = self.edge_id, "edge {} says no hello", self.edge_id);
                context.stop();
            }
            return;
        };
        let pulse = Pulse {
            edge_id: self.edge_id,
            epochs: linked.have.keys().copied().collect(),
            now: Utc::now(),
        };
        self.ask_for_clock(context);
        // What is being stored moves the watermarks; they are compared when nothing is under way.
        if self.storing {
            return;
        }
        let (repository, asked_at) = (self.services.repository.clone(), Instant::now());
        let asking = async move { repository.run(pulse).await };
        context.spawn(asking.into_actor(self).map(move |answer, link, context| match answer {
            Ok(heartbeat) => link.compare(&heartbeat, asked_at, context),
            Err(error) => warn!(
                edge.id = link.edge_id,
                "edge {} cannot be checked: {error}", link.edge_id
            ),
        }));
    }

    pub(super) fn ask_for_clock(&mut self, context: &mut WebsocketContext<Self>) {
        let t = Utc::now().timestamp_millis();
        self.pings.sent(t);
        self.say(&FromServer::Ping { t }, context);
    }

    /// `t` is what the ping said: the time of its sending.
    pub(super) fn pong(&mut self, t: i64, clock: &EdgeClock) {
        let Some(linked) = &mut self.linked else { return };
        let (now, was_prompt) = (Utc::now(), linked.clock.is_prompt());
        let under_way = self.pings.under_way(t);
        let before = linked.clock.wall_offset().abs() > OFFSET_ALARM;
        let refined = linked.clock.refined(ClockModel::new(clock, now).delayed(under_way));
        let moved = linked.clock.moved_by(&refined).unwrap_or_default();
        linked.clock = refined;
        // A hello that was long under way is corrected by its first quick pong, and no clock is to blame.
        if moved > MOVE_TOLD || (moved < -MOVE_TOLD && was_prompt) {
            warn!(
                edge.id = self.edge_id,
                "the server's clock or that of edge {} was set, or one of them runs wrong: its events are dated {} ms later than before",
                self.edge_id,
                moved.num_milliseconds()
            );
        }
        let offset = linked.clock.wall_offset();
        if offset.abs() > OFFSET_ALARM && !before {
            warn!(
                edge.id = self.edge_id,
                "the clock of edge {} is {} s off",
                self.edge_id,
                offset.num_seconds()
            );
        }
    }

    /// The edge is told when room is made: it sends again at once.
    fn went_back(&mut self, nack: Nack, context: &mut WebsocketContext<Self>) {
        let (edge_id, services) = (self.edge_id, self.services.clone());
        let Some(linked) = &mut self.linked else { return };
        let sound_at = std::mem::replace(&mut linked.sound_at, Utc::now());
        let making = async move { make_room(edge_id, &services, sound_at).await };
        context.spawn(making.into_actor(self).map(move |(), link, context| {
            metrics::counter!("edge_gap_total").increment(1);
            link.say(&FromServer::Nack(nack), context);
        }));
    }

    fn compare(&mut self, heartbeat: &Heartbeat, asked_at: Instant, context: &mut WebsocketContext<Self>) {
        let Some(linked) = &mut self.linked else { return };
        let busy = self.storing || self.stored_at.is_some_and(|at| at >= asked_at);
        if busy && heartbeat.session == Some(linked.session) {
            return;
        }
        let (have, awaited) = (&mut linked.have, &mut linked.awaited);
        match compare(linked.session, have, awaited, heartbeat.session, &heartbeat.have) {
            Standing::Newest => {
                linked.sound_at = Utc::now();
                self.greet_anew_unless_told(&heartbeat.told, context);
            }
            Standing::Fenced => self.close(CLOSE_FENCED, "a newer connection of this edge has come", context),
            Standing::Unknown => {
                let why = "an epoch is not known any more: say hello again";
                self.close(CLOSE_RESTART, why, context);
            }
            Standing::WentBack(nack) => self.went_back(nack, context),
        }
    }
}

/// The database holds less than a connection knows of. Makes room for what is missing, however long the database is away, if
/// nobody has since it was last `sound`.
pub(super) async fn make_room(edge_id: i64, services: &LinkServices, sound_at: DateTime<Utc>) {
    let jump = services.jump;
    loop {
        let query = WentBack {
            sound_at: Some(sound_at),
            room: MakeRoom { jump, now: Utc::now() },
        };
        match services.repository.run_contended(query).await {
            Ok(room_made) => return tell_that_it_went_back(edge_id, room_made),
            Err(error) => warn!(
                edge.id = edge_id,
                "room for what the database lacks cannot be made yet: {error}"
            ),
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

/// An alarm for whoever runs the server.
pub(super) fn tell_that_it_went_back(edge_id: i64, room_made: bool) {
    metrics::counter!("database_went_back_total").increment(1);
    let room = if room_made {
        "slip numbers jump, and trucks that stand on a deck now wait for staff"
    } else {
        "room was made for that before"
    };
    error!(
        edge.id = edge_id,
        "edge {edge_id} was told of more than is stored here: the database was put back; {room}"
    );
}

/// Staff see the ranges at the edge (`GET /edges/{id}`); the first ones stand here too.
pub(super) fn tell_what_is_lost(edge_id: i64, welcomed: &Welcomed) {
    const TOLD: usize = 8;
    let lost = welcomed.newly_lost;
    metrics::counter!("edge_lost_total").increment(lost);
    let ranges = welcomed.lost_now.iter().flat_map(|(epoch, ranges)| {
        ranges
            .iter()
            .map(move |SeqRange(first, last)| format!("{first}-{last} of epoch {epoch}"))
    });
    let mut ranges: Vec<String> = ranges.take(TOLD + 1).collect();
    if ranges.len() > TOLD {
        "and more".clone_into(&mut ranges[TOLD]);
    }
    let ranges = ranges.join(", ");
    error!(
        edge.id = edge_id,
        "edge {edge_id} has lost {lost} events that were never sent: {ranges}; weighings of that time may be missing"
    );
}
