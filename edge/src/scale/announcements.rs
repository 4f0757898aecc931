//! What is said of a scale: to the board, to the screens, and to whoever reads stdout.

use std::{io::Write, sync::Arc};

use chrono::{DateTime, FixedOffset};
use tokio::sync::watch;
use tracing::warn;
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{
        EventId,
        messages::{DeckState, LiveReading},
    },
    reading::Reading,
    scale::{self, Scale as CaptureLogic, Unfit},
};

use crate::lines::{Lines, Word};

/// Where a scale's news go. None of these ever waits for who listens.
#[derive(Clone, Debug)]
pub struct Announcements {
    pub lines: Arc<Lines>,
    pub deck: Arc<watch::Sender<Option<Deck>>>,
}

/// A deck as it is now: the live weight, and whether new weighings are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deck {
    pub live: LiveReading,
    pub refusing: bool,
    /// Nothing is weighed, for the indicator shows net.
    pub net: bool,
    /// What of the server's settings is not followed.
    pub unfit: Arc<[Unfit]>,
    /// The bytes of the frame that said so; none while the indicator is silent.
    pub raw: Arc<[u8]>,
}

impl Announcements {
    /// A capture is on disk. The line appears only now, and at once.
    pub(super) fn committed(id: EventId, cycle: CycleId) {
        say("committed", id, cycle);
    }

    /// After an outage the captured truck still stands there.
    pub(super) fn recovered(id: EventId, cycle: CycleId) {
        say("recovered", id, cycle);
    }

    /// The deck after a reading, or with none.
    pub(super) fn deck(
        &self,
        station_id: i64,
        logic: &CaptureLogic,
        reading: Option<&Reading>,
        (refusing, unfit): (bool, &Arc<[Unfit]>),
        at: DateTime<FixedOffset>,
    ) {
        let (state, net) = (logic.deck(), logic.shows_net());
        let word = Some(Word::Net).filter(|_| net && !refusing);
        self.lines
            .say_for_edge(station_id, word.or_else(|| Word::of(state, saved(logic), refusing)));
        let live = LiveReading {
            station_id,
            weight: reading.and_then(|reading| reading.kg),
            unit: "kg".to_owned(),
            stable: reading.and_then(|reading| reading.stable),
            state: if refusing { DeckState::Error } else { state },
            at,
        };
        let raw = reading.map(|reading| reading.raw.as_slice()).unwrap_or_default().into();
        self.deck.send_replace(Some(Deck {
            live,
            refusing,
            net,
            unfit: Arc::clone(unfit),
            raw,
        }));
    }

    /// What of the server's settings is not followed, also of a deck whose indicator says nothing.
    pub(super) fn unfit(&self, unfit: &Arc<[Unfit]>) {
        self.deck.send_if_modified(|deck| match deck {
            Some(deck) if deck.unfit != *unfit => {
                deck.unfit = Arc::clone(unfit);
                true
            }
            _ => false,
        });
    }
}

/// The weight that the board confirms.
fn saved(logic: &CaptureLogic) -> Option<Kilograms> {
    match logic.state().deck {
        scale::Deck::Captured { weight, .. } => Some(weight),
        _ => None,
    }
}

fn say(what: &str, EventId { epoch, seq }: EventId, cycle: CycleId) {
    let mut stdout = std::io::stdout().lock();
    let line = format!("{{\"ev\":\"{what}\",\"epoch\":\"{epoch}\",\"seq\":{seq},\"cycle\":\"{cycle}\"}}\n");
    if let Err(error) = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
        warn!(edge.epoch = %epoch, edge.seq = seq, "event {seq} was {what}, and stdout did not take it: {error}");
    }
}
