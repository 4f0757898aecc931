//! What an edge was told of its stations when it said hello. Where that holds no more it is sent to say hello again, which
//! brings it a new welcome: it weighs on meanwhile and loses nothing, as at any cut, and nobody is shown an outage.

use actix::{ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use actix_web_actors::ws::WebsocketContext;
use tracing::{info, warn};
use weighbridge_protocol::link::{
    limits::CLOSE_RESTART,
    messages::{StationSettings, StationUnfit},
};

use super::{EdgeLink, Linked, TellStation};
use crate::{
    actors::{
        indicator::{Indicator, LinkChanged},
        repository::Queries,
    },
    db::edge_epoch::{NoteUnfit, Told, ToldNow},
};

const CHANGED: &str = "the stations of this edge were changed: say hello again";

/// Something of an edge's stations was changed, and what it was told may hold no more. Announced by the handlers of HTTP.
/// What another server or a hand at the database changes is seen with the next ping.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StationsChanged;

impl Handler<StationsChanged> for EdgeLink {
    type Result = ();

    fn handle(&mut self, _: StationsChanged, context: &mut WebsocketContext<Self>) {
        self.look_whether_told(context);
    }
}

pub(super) fn of(stations: &[StationSettings]) -> Told {
    let told = |station: &StationSettings| (station.station_id, station.capture);
    stations.iter().map(told).collect()
}

impl EdgeLink {
    /// Reads what the edge would be told now. If that fails, the next ping reads it again.
    pub(super) fn look_whether_told(&self, context: &mut WebsocketContext<Self>) {
        let (repository, now) = (self.services.repository.clone(), ToldNow { edge_id: self.edge_id });
        let asking = async move { repository.run(now).await };
        context.spawn(asking.into_actor(self).map(|told, link, context| match told {
            Ok(told) => link.greet_anew_unless_told(&told, context),
            Err(error) => warn!(
                edge.id = link.edge_id,
                "what edge {} is to be told cannot be read: {error}", link.edge_id
            ),
        }));
    }

    /// Ends the link where the edge was told something else. A command that it has in hand is answered first.
    pub(super) fn greet_anew_unless_told(&mut self, told: &Told, context: &mut WebsocketContext<Self>) {
        let was_told = self.linked.as_ref().is_none_or(|linked| linked.told == *told);
        if was_told || self.commands.is_waiting() {
            return;
        }
        info!(
            edge.id = self.edge_id,
            "edge {} is told of its stations anew", self.edge_id
        );
        self.comes_again = told.keys().copied().collect();
        self.close(CLOSE_RESTART, CHANGED, context);
    }

    /// Keeps for staff what of their settings the edge's stations do not follow. If that fails, the next pong brings it again.
    pub(super) fn note_unfit(&mut self, unfit: Vec<StationUnfit>, context: &mut WebsocketContext<Self>) {
        let edge_id = self.edge_id;
        let is_news = |linked: &&mut Linked| !linked.noting && linked.unfit.as_ref() != Some(&unfit);
        let Some(linked) = self.linked.as_mut().filter(is_news) else {
            return;
        };
        for StationUnfit { station_id, wishes } in &unfit {
            metrics::counter!("station_alarms_total", "code" => "SETTING_UNFIT").increment(1);
            for wish in wishes {
                warn!(
                    station.id = station_id,
                    alarm.code = "SETTING_UNFIT",
                    "edge {edge_id} does not use a setting for station {station_id}: {wish}"
                );
            }
        }
        // One at a time: what is said meanwhile is said again with the next pong.
        (linked.unfit, linked.noting) = (Some(unfit.clone()), true);
        let (repository, note) = (self.services.repository.clone(), NoteUnfit { edge_id, unfit });
        let noting = async move { repository.run(note).await };
        context.spawn(noting.into_actor(self).map(move |noted, link, _| {
            let Some(linked) = &mut link.linked else { return };
            linked.noting = false;
            if let Err(error) = noted {
                warn!(
                    edge.id = edge_id,
                    "what edge {edge_id} does not use is not noted: {error}"
                );
                linked.unfit = None;
            }
        }));
    }

    #[expect(clippy::needless_pass_by_value, reason = "a message is given away, to several here")]
    pub(super) fn tell_stations<M>(&self, message: M)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        Indicator: Handler<M>,
    {
        for indicator in self.stations().filter_map(|id| self.services.directory.indicator(id)) {
            indicator.listener().announce(message.clone());
        }
    }

    /// A newer link of this edge speaks for those stations that are still its own; one that says hello again does so in a
    /// moment.
    pub(super) fn leave_stations(&self) {
        let directory = &self.services.directory;
        let newer = directory.edge_link(self.edge_id);
        for station_id in self.stations() {
            let goes_on = newer.is_some() || self.comes_again.contains(&station_id);
            let link = if goes_on {
                LinkChanged::ComesAgain
            } else {
                LinkChanged::Down
            };
            if let Some(indicator) = directory.indicator(station_id) {
                indicator.listener().announce(link);
            }
            if let Some(newer) = &newer {
                newer.listener().announce(TellStation { station_id });
            }
        }
    }

    fn stations(&self) -> impl Iterator<Item = i64> {
        self.linked.iter().flat_map(|linked| linked.told.keys().copied())
    }
}
