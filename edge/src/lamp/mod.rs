//! One lamp, with or without a barrier, on the coils of a Modbus TCP unit. Weighing never waits for it, and whatever fails
//! shows red.
//!
//! - [`rule`]: when it is green
//! - `barrier`: when the barrier moves
//! - [`device`]: the unit's coils and inputs
//! - [`server`]: what the server wants
//!
//! A coil keeps its state when this process is killed: the unit's own watchdog has to switch to red then
//! (`docs/boards-and-lamps.md`), and the next start begins with red.

mod barrier;
pub mod device;
pub mod rule;
pub mod server;

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::{error, info, warn};
use weighbridge_protocol::link::messages::{DeckState, Lamp as LampWord};

use crate::{
    config::Signal,
    link::{LinkState, LinkStatus},
    scale::Deck,
};
use barrier::{Barrier, Move};
use device::{Device, Shows};
use rule::{Colour, Server, Why, decide};
use server::Word;

/// How often inputs are read and the lamp is decided anew, at least.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the coils are read back while nothing changes.
const READ_BACK_EVERY: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A lamp. It takes no messages: it watches.
#[derive(Debug)]
pub struct Lamp {
    signal: Arc<Signal>,
    seen: Seen,
    shown: Arc<watch::Sender<LampState>>,
}

/// What a lamp looks at.
#[derive(Clone, Debug)]
pub struct Seen {
    pub deck: watch::Receiver<Option<Deck>>,
    pub link: watch::Receiver<LinkStatus>,
    pub words: watch::Receiver<BTreeMap<i64, Word>>,
    /// Set when the process is about to end.
    pub ending: watch::Receiver<bool>,
}

/// How a lamp is, for the status page.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LampState {
    pub connected: bool,
    pub wanted: Colour,
    pub why: Why,
    /// What the coils say, read back; none while the unit is away.
    pub shows: Option<Shows>,
    /// How often the coils said something else than was written.
    pub mismatches: u64,
    /// What the barrier's input says; none without one.
    pub occupied: Option<bool>,
    pub opened: u64,
    pub closed: u64,
    pub trouble: Option<String>,
    /// Red was shown for the last time, and nothing more is switched.
    pub ended: bool,
}

impl Lamp {
    pub const fn new(signal: Arc<Signal>, seen: Seen, shown: Arc<watch::Sender<LampState>>) -> Self {
        Self { signal, seen, shown }
    }
}

impl Actor for Lamp {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (signal, shown) = (Arc::clone(&self.signal), Arc::clone(&self.shown));
        let judgement = Judgement::new(signal.station, signal.alone_after, self.seen.clone());
        ctx.spawn(keep_shown(signal, judgement, shown).into_actor(self));
    }
}

async fn keep_shown(signal: Arc<Signal>, mut judgement: Judgement, shown: Arc<watch::Sender<LampState>>) {
    let id = &signal.id;
    let mut pause = FIRST_PAUSE;
    let mut said = None;
    loop {
        let switched = match Device::connect(&signal).await {
            Ok(device) => {
                (pause, said) = (FIRST_PAUSE, None);
                Switching::of(&signal, device, &shown).go_on(&mut judgement).await
            }
            Err(error) => Err(error),
        };
        let end = match switched {
            Ok(()) => {
                shown.send_modify(|state| state.ended = true);
                return;
            }
            Err(error) => error.to_string(),
        };
        shown.send_modify(|state| {
            (state.connected, state.shows, state.occupied) = (false, None, None);
            state.trouble = Some(end.clone());
        });
        if said.as_ref() != Some(&end) {
            error!(lamp.id = id, lamp.address = %signal.address, "lamp {id} cannot be switched: {end}; what it shows is not known");
            said = Some(end);
        }
        if judgement.is_ending() {
            shown.send_modify(|state| state.ended = true);
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A connection to the unit, and what was switched on it.
struct Switching<'a> {
    signal: &'a Signal,
    device: Device<'a>,
    shown: &'a watch::Sender<LampState>,
    barrier: Barrier,
    /// The coil that is on, and until when.
    pulse: Option<(u16, Instant)>,
}

impl<'a> Switching<'a> {
    fn of(signal: &'a Signal, device: Device<'a>, shown: &'a watch::Sender<LampState>) -> Self {
        Self {
            signal,
            device,
            shown,
            barrier: Barrier::default(),
            pulse: None,
        }
    }

    /// Red first, whatever is wanted; then what is wanted, until the unit goes (an error) or the process ends.
    async fn go_on(mut self, judgement: &mut Judgement) -> io::Result<()> {
        let shows = self.device.show(Colour::Red).await?;
        // A process that was killed in the middle of a pulse has left its coil on.
        for coil in self
            .signal
            .barrier
            .iter()
            .flat_map(|barrier| [Some(barrier.open), barrier.close])
            .flatten()
        {
            self.device.switch(coil, false).await?;
        }
        info!(lamp.id = self.signal.id, "lamp {} is connected", self.signal.id);
        self.shown
            .send_modify(|state| (state.connected, state.trouble) = (true, None));
        self.note(Colour::Red, shows);
        let (mut written, mut read_at) = (Colour::Red, Instant::now());
        loop {
            let (wanted, why) = judgement.decide();
            self.shown
                .send_modify(|state| (state.wanted, state.why) = (wanted, why));
            let is_due = read_at.elapsed() >= READ_BACK_EVERY;
            if wanted != written {
                let shows = self.device.show(wanted).await?;
                self.note(wanted, shows);
                (written, read_at) = (wanted, Instant::now());
            } else if is_due {
                let shows = self.device.read_back().await?;
                self.note(wanted, shows);
                if !shows.is(wanted) {
                    self.device.show(wanted).await?;
                }
                read_at = Instant::now();
            }
            self.serve_barrier(wanted).await?;
            if why == Why::Ending {
                return self.end_pulse().await;
            }
            judgement.until_something_changes().await;
        }
    }

    /// What the coils say, against what was written.
    fn note(&self, written: Colour, shows: Shows) {
        let id = &self.signal.id;
        let trouble = (!shows.is(written)).then(|| format!("it was switched to {written:?} and shows {shows:?}"));
        self.shown.send_modify(|state| {
            state.shows = Some(shows);
            state.mismatches += u64::from(trouble.is_some());
            if let Some(trouble) = &trouble {
                error!(
                    lamp.id = id,
                    "lamp {id}: {trouble}; look at the unit's wiring and at who else switches it"
                );
            }
            state.trouble = trouble;
        });
    }

    async fn serve_barrier(&mut self, colour: Colour) -> io::Result<()> {
        let Some(barrier) = self.signal.barrier else {
            return Ok(());
        };
        let occupied = match barrier.occupied {
            Some(input) => Some(self.device.input(input).await?),
            None => None,
        };
        self.shown
            .send_if_modified(|state| std::mem::replace(&mut state.occupied, occupied) != occupied);
        if self.pulse.is_some_and(|(_, until)| Instant::now() >= until) {
            self.end_pulse().await?;
        }
        let id = &self.signal.id;
        let coil = match self.barrier.step(Instant::now(), colour, occupied, barrier.pulse) {
            None => return Ok(()),
            Some(Move::Close) => barrier.close,
            Some(Move::Open) => Some(barrier.open),
            Some(Move::Reopen) => {
                warn!(
                    lamp.id = id,
                    "the barrier of lamp {id} opens again: something came into its way"
                );
                Some(barrier.open)
            }
        };
        // Open and close are never on together.
        self.end_pulse().await?;
        let Some(coil) = coil else { return Ok(()) };
        self.device.switch(coil, true).await?;
        self.pulse = Some((coil, Instant::now() + barrier.pulse));
        self.shown.send_modify(|state| {
            state.opened += u64::from(coil == barrier.open);
            state.closed += u64::from(coil != barrier.open);
        });
        Ok(())
    }

    async fn end_pulse(&mut self) -> io::Result<()> {
        match self.pulse.take() {
            Some((coil, _)) => self.device.switch(coil, false).await,
            None => Ok(()),
        }
    }
}

/// What is known of a station, and since when.
#[derive(Debug)]
struct Judgement {
    station_id: i64,
    alone_after: Duration,
    seen: Seen,
    /// Since when the server has been away; none while it is linked.
    away_since: Option<Instant>,
    was_captured: bool,
    /// The call that the last weighing has used up.
    spent: Option<u64>,
}

impl Judgement {
    fn new(station_id: i64, alone_after: Duration, seen: Seen) -> Self {
        Self {
            station_id,
            alone_after,
            seen,
            away_since: Some(Instant::now()),
            was_captured: false,
            spent: None,
        }
    }

    fn decide(&mut self) -> (Colour, Why) {
        if self.is_ending() {
            return (Colour::Red, Why::Ending);
        }
        let (deck, refusing) = match &*self.seen.deck.borrow_and_update() {
            Some(deck) => (Some(deck.live.state), deck.refusing),
            None => (None, false),
        };
        let word = self.seen.words.borrow_and_update().get(&self.station_id).copied();
        let is_captured = deck == Some(DeckState::Captured);
        if is_captured && !self.was_captured {
            self.spent = word.map(|word| word.number);
        }
        self.was_captured = is_captured;
        let is_linked = match self.seen.link.borrow_and_update().state {
            LinkState::Linked => true,
            // Sent away to come again: what the server said last holds until that fails.
            LinkState::Connecting => word.is_some(),
            _ => false,
        };
        self.away_since = if is_linked {
            None
        } else {
            self.away_since.or_else(|| Some(Instant::now()))
        };
        let server = match (self.away_since, word) {
            (Some(since), _) if since.elapsed() < self.alone_after => Server::Silent,
            (Some(_), _) | (None, None) => Server::Away,
            (None, Some(word)) if word.lamp == LampWord::Green && self.spent != Some(word.number) => Server::Calls,
            (None, Some(_)) => Server::CallsNobody,
        };
        decide(deck, refusing, server)
    }

    fn is_ending(&self) -> bool {
        *self.seen.ending.borrow()
    }

    /// A change, or the time for the next look at the inputs. Whoever is watched and gone is not waited for.
    async fn until_something_changes(&mut self) {
        let Seen {
            deck,
            link,
            words,
            ending,
        } = &mut self.seen;
        let changed = async {
            tokio::select! {
                Ok(()) = deck.changed() => (),
                Ok(()) = link.changed() => (),
                Ok(()) = words.changed() => (),
                Ok(()) = ending.changed() => (),
                else => std::future::pending().await,
            }
        };
        // Readings come many times a second: one look a tick is enough for them.
        if timeout(LOOK_EVERY, changed).await.is_ok() {
            sleep(LOOK_EVERY / 10).await;
        }
    }
}
