//! What waits for the socket. Answers go first, then the newest live weight of each deck, then one event: a backlog of
//! events makes no weight older than one event takes, and weights that change faster than a slow line carries them hold
//! up no event.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt, Sink, SinkExt,
    future::{pending, select_all},
};
use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite::{self, Message};
use weighbridge_protocol::link::{Event, FromEdge};

use crate::scale::Deck;

/// Everything that is to be sent on one connection. At most a window of events waits here.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    answers: VecDeque<FromEdge>,
    events: VecDeque<Event>,
    /// Before `welcome` the server takes nothing but hello.
    welcomed: bool,
}

/// Whose turn it is on one connection.
#[derive(Debug, Default)]
struct Turns {
    /// The deck that was sent last.
    deck: usize,
    /// How many weights have gone since the last event.
    weights: usize,
}

impl Outbox {
    pub(super) fn answer(&self, message: FromEdge) {
        self.waiting().answers.push_back(message);
        self.more.notify_one();
    }

    /// From now on live weights are sent.
    pub(super) fn welcomed(&self) {
        self.waiting().welcomed = true;
        self.more.notify_one();
    }

    pub(super) fn event(&self, event: Event) {
        self.waiting().events.push_back(event);
        self.more.notify_one();
    }

    /// Writes what waits until the socket fails. `decks` are the live weights, of which only the newest is taken.
    pub(super) async fn empty_into<S>(
        &self,
        mut socket: S,
        mut decks: Vec<watch::Receiver<Option<Deck>>>,
    ) -> tungstenite::Error
    where
        S: Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        let mut turns = Turns::default();
        loop {
            let next = self.next(&mut decks, &mut turns).await;
            let text = match serde_json::to_string(&next) {
                Ok(text) => text,
                Err(error) => return tungstenite::Error::Io(error.into()),
            };
            if let Err(error) = socket.send(Message::text(text)).await {
                return error;
            }
        }
    }

    async fn next(&self, decks: &mut [watch::Receiver<Option<Deck>>], turns: &mut Turns) -> FromEdge {
        loop {
            if let Some(answer) = self.waiting().answers.pop_front() {
                return answer;
            }
            let welcomed = self.waiting().welcomed;
            let is_events_turn = turns.weights >= decks.len() && !self.waiting().events.is_empty();
            if welcomed
                && !is_events_turn
                && let Some(live) = newest(decks, &mut turns.deck)
            {
                turns.weights += 1;
                return live;
            }
            if let Some(event) = self.waiting().events.pop_front() {
                turns.weights = 0;
                return FromEdge::Event(event);
            }
            tokio::select! {
                () = self.more.notified() => (),
                () = any_changed(decks), if welcomed => (),
            }
        }
    }

    /// Nothing is done under the lock that could leave it torn.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest weight of the next deck that has changed; the decks take turns.
fn newest(decks: &mut [watch::Receiver<Option<Deck>>], turn: &mut usize) -> Option<FromEdge> {
    for _ in 0..decks.len() {
        *turn = (*turn + 1) % decks.len();
        let deck = &mut decks[*turn];
        if deck.has_changed().unwrap_or(false)
            && let Some(deck) = &*deck.borrow_and_update()
        {
            return Some(FromEdge::Reading(deck.live.clone()));
        }
    }
    None
}

async fn any_changed(decks: &mut [watch::Receiver<Option<Deck>>]) {
    let changes: Vec<_> = decks.iter().map(|deck| until_changed(deck.clone()).boxed()).collect();
    if changes.is_empty() {
        return pending().await;
    }
    select_all(changes).await;
}

/// A clone keeps what its original has seen.
async fn until_changed(mut deck: watch::Receiver<Option<Deck>>) {
    if deck.changed().await.is_err() {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use weighbridge_protocol::{
        Epoch, Kilograms,
        link::messages::{DeckState, LiveReading},
    };

    use super::*;

    fn deck(kg: i32) -> Deck {
        Deck {
            live: LiveReading {
                station_id: 1,
                weight: Some(Kilograms::from_whole(kg)),
                unit: "kg".to_owned(),
                stable: None,
                state: DeckState::Loaded,
                at: DateTime::default(),
            },
            refusing: false,
            net: false,
            unfit: [].into(),
            raw: Vec::new().into(),
        }
    }

    #[actix_rt::test]
    async fn a_weight_overtakes_events_and_only_the_newest_is_sent() {
        let outbox = Outbox::default();
        let (writer, reader) = watch::channel(None);
        let mut decks = vec![reader];
        let event = Event {
            epoch: Epoch::from_bits(1),
            seq: 1,
            sha256: String::new(),
            body: String::new(),
            receipt: None,
        };
        outbox.event(event.clone());
        writer.send_replace(Some(deck(1)));
        writer.send_replace(Some(deck(2)));
        outbox.welcomed();
        outbox.answer(FromEdge::Done {
            id: 1,
            ok: true,
            error: None,
        });
        let mut turns = Turns::default();
        assert!(matches!(
            outbox.next(&mut decks, &mut turns).await,
            FromEdge::Done { .. }
        ));
        let FromEdge::Reading(live) = outbox.next(&mut decks, &mut turns).await else {
            panic!("the weight comes before the event");
        };
        assert_eq!(live.weight, Some(Kilograms::from_whole(2)));
        assert_eq!(outbox.next(&mut decks, &mut turns).await, FromEdge::Event(event));
    }

    #[actix_rt::test]
    async fn weights_that_change_all_the_time_let_an_event_pass_after_each_deck_had_its_turn() {
        let outbox = Outbox::default();
        let (writers, mut decks): (Vec<_>, Vec<_>) = (0..3).map(|_| watch::channel(None)).unzip();
        outbox.welcomed();
        for seq in 1..=2 {
            outbox.event(Event {
                epoch: Epoch::from_bits(1),
                seq,
                sha256: String::new(),
                body: String::new(),
                receipt: None,
            });
        }
        let mut turns = Turns::default();
        let mut sent = String::new();
        for kg in 0..8 {
            for writer in &writers {
                writer.send_replace(Some(deck(kg)));
            }
            let is_event = matches!(outbox.next(&mut decks, &mut turns).await, FromEdge::Event(_));
            sent.push(if is_event { 'e' } else { 'w' });
        }
        assert_eq!(sent, "wwwewwwe");
    }
}
