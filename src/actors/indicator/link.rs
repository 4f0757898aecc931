//! Whether the edge that reads a station is there, and has told all that it kept.

use std::time::{Duration, Instant};

use actix::{Context, Handler, Message};

use super::{Indicator, deck::DeckSeen};
use crate::actors::edge_link::TellStation;

/// An edge that is sent away to come again is back within a second. One that falls silent is noticed no sooner either.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// The edge that reads this station came or went. Announced by EdgeLink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum LinkChanged {
    Up,
    Down,
    /// It was sent away to say hello again, and is back before anybody has to know.
    ComesAgain,
}

/// All that the edge kept for us has arrived, or not yet. Announced by EdgeLink.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct BacklogChanged {
    pub drained: bool,
}

impl Indicator {
    /// A value that was made anew knows nothing of a link that stands, and news of it may be lost: its edge tells again.
    pub(super) fn ask_for_the_link(&self) {
        let edge = self.state.view.as_ref().and_then(|view| view.edge_id);
        if let Some(link) = edge.and_then(|edge| self.feed.directory().edge_link(edge)) {
            let station_id = self.station_id;
            link.listener().announce(TellStation { station_id });
        }
    }

    /// Until an edge that comes again has told all that it kept meanwhile, nobody is called without a hand, and no deadline
    /// runs.
    fn set_link(&mut self, link: LinkChanged) {
        let was_awaited = self.awaited_since.take().is_some();
        self.feed.is_heard = false;
        match link {
            LinkChanged::Up => {
                if was_awaited || !self.state.link_up {
                    self.announce_free(true);
                }
                self.state.link_up = true;
            }
            LinkChanged::ComesAgain if self.state.link_up => {
                self.awaited_since = Some(Instant::now());
                (self.state.backlog_drained, self.deck) = (false, DeckSeen::default());
            }
            LinkChanged::ComesAgain | LinkChanged::Down => {
                (self.state.link_up, self.state.backlog_drained) = (false, false);
                (self.heard_at, self.deck) = (None, DeckSeen::default());
            }
        }
        self.show();
        self.check_silence();
    }

    /// An edge that does not come again is away.
    pub(super) fn give_up_waiting(&mut self) {
        if self.awaited_since.is_some_and(|since| since.elapsed() >= BACK_WITHIN) {
            self.set_link(LinkChanged::Down);
        }
    }
}

impl Handler<LinkChanged> for Indicator {
    type Result = ();

    fn handle(&mut self, link: LinkChanged, _: &mut Context<Self>) {
        self.set_link(link);
    }
}

impl Handler<BacklogChanged> for Indicator {
    type Result = ();

    fn handle(&mut self, BacklogChanged { drained }: BacklogChanged, _: &mut Context<Self>) {
        self.state.backlog_drained = drained;
        if drained && self.is_free() {
            self.announce_free(false);
        }
    }
}
