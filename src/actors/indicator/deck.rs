//! What a station's readings show of its deck, for the time in which its events do not: the row in which a vehicle drove
//! off may be lost with its edge's file, and the station must not wait for it for ever.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use chrono::Utc;
use tracing::{info, warn};
use weighbridge_protocol::link::messages::DeckState;

use super::Indicator;
use crate::{actors::repository::Queries, db::deck::SeenEmpty};

/// An event is stored long before that, wherever the database answers at all.
const BELIEVED_AFTER: Duration = Duration::from_secs(5);

/// Since when readings show the deck empty, without one between that does not.
#[derive(Debug, Default)]
pub(super) struct DeckSeen {
    empty_since: Option<Instant>,
    correcting: bool,
}

impl DeckSeen {
    pub(super) fn saw(&mut self, state: DeckState, now: Instant) {
        if state == DeckState::Empty {
            self.empty_since.get_or_insert(now);
        } else {
            self.empty_since = None;
        }
    }

    fn is_surely_empty(&self, now: Instant) -> bool {
        self.empty_since
            .is_some_and(|since| now.duration_since(since) >= BELIEVED_AFTER)
    }
}

impl Indicator {
    /// A vehicle that is remembered, or an indicator that counts as silent, while readings show an empty deck: the readings
    /// are believed, once all that the edge kept has arrived.
    pub(super) fn correct_deck(&mut self, context: &mut Context<Self>) {
        let Some(view) = self.state.view.as_ref().filter(|view| !view.shows_empty_deck()) else {
            return;
        };
        let in_sight = self.state.link_up && self.state.indicator_up && self.state.backlog_drained;
        if !in_sight || !self.deck.is_surely_empty(Instant::now()) || std::mem::replace(&mut self.deck.correcting, true)
        {
            return;
        }
        let (station_id, repository, directory) =
            (self.station_id, self.repository.clone(), self.feed.directory().clone());
        let seen = SeenEmpty {
            station_id,
            deck: view.deck(),
            said_by: None,
            now: Utc::now(),
        };
        let correcting = async move { repository.run(seen).await };
        context.spawn(correcting.into_actor(self).map(move |corrected, indicator, _| {
            indicator.deck.correcting = false;
            match corrected {
                Ok(Some(changes)) => {
                    info!(
                        station.id = station_id,
                        "the deck of station {station_id} is empty, though no event told so"
                    );
                    directory.announce(&changes);
                }
                // It was known already; the next look shows it.
                Ok(None) => {}
                Err(error) => warn!(station.id = station_id, "a deck cannot be noted as empty: {error}"),
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deck_is_surely_empty_when_it_was_seen_so_for_five_seconds_and_never_otherwise() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut seen = DeckSeen::default();
        assert!(!seen.is_surely_empty(at(60_000)), "nobody has looked");
        seen.saw(DeckState::Empty, at(0));
        seen.saw(DeckState::Empty, at(4_999));
        assert!(!seen.is_surely_empty(at(4_999)));
        assert!(seen.is_surely_empty(at(5_000)));
        for other in [
            DeckState::Loaded,
            DeckState::Captured,
            DeckState::Overload,
            DeckState::Error,
        ] {
            seen.saw(other, at(5_500));
            assert!(!seen.is_surely_empty(at(60_000)));
            seen.saw(DeckState::Empty, at(6_000));
            assert!(!seen.is_surely_empty(at(10_999)));
            assert!(seen.is_surely_empty(at(11_000)));
        }
    }
}
