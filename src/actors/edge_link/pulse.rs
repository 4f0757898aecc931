//! Pings: whether the edge is there, what its clock says, whether this connection is still its newest, and whether the
//! database has gone back.

use std::time::{Duration, Instant};

use actix::{ActorContext, ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::WebsocketContext;
use chrono::{DateTime, TimeDelta, Utc};
use tracing::{error, info, warn};
use weighbridge_protocol::link::{
    FromServer,
    limits::{CLOSE_FENCED, CLOSE_RESTART, DEAD_AFTER, PING_EVERY},
    messages::{EdgeClock, Nack},
};

use super::{EdgeLink, LinkServices};
use crate::{
    actors::repository::Queries,
    db::{
        edge_epoch::{Heartbeat, Pulse},
        restored::{MakeRoom, WentBack},
    },
    domain::{
        edge_time::{ClockModel, OFFSET_ALARM},
        intake::pulse::{Standing, compare},
    },
};

/// A pong that says to have been longer under way answers no ping of this connection.
const MOST_DELAY_MS: i64 = 3_600_000;
const RETRY_AFTER: Duration = Duration::from_millis(200);

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

    pub(super) fn ask_for_clock(&self, context: &mut WebsocketContext<Self>) {
        let t = Utc::now().timestamp_millis();
        self.say(&FromServer::Ping { t }, context);
    }

    /// `t` is what the ping said: the time of its sending.
    pub(super) fn pong(&mut self, t: i64, clock: &EdgeClock) {
        let Some(linked) = &mut self.linked else { return };
        let now = Utc::now();
        let under_way = TimeDelta::milliseconds(now.timestamp_millis().saturating_sub(t).clamp(0, MOST_DELAY_MS));
        let before = linked.clock.wall_offset().abs() > OFFSET_ALARM;
        linked.clock = linked.clock.refined(ClockModel::new(clock, now).delayed(under_way));
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
            Standing::Newest => linked.sound_at = Utc::now(),
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
