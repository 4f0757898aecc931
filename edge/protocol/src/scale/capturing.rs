//! One scale: what the caller feeds it, asks it and tells it.

use uuid::Uuid;

use super::{
    absence::Absence,
    curve::Curve,
    cycle_state::{CycleState, Deck, Moment, Outage},
    deck::Turn,
    events::ScaleEvent,
    settings::CaptureSettings,
    window::Window,
};
use crate::{
    CycleId, Kilograms,
    link::{Committed, EventId, EventKind, messages::DeckState},
    reading::{Mode, Reading},
};

/// Decides when a vehicle has been weighed. See the [module](super) for the rules.
///
/// For each reading the caller pushes it, commits the events that came out together with [`Scale::state`] (with
/// [`Scale::committing`] where a settled weight is among them) in one transaction, and after the commit of a settled
/// weight says [`Scale::committed`]. A settled weight that was not committed comes anew after the next dwell.
#[derive(Clone, Debug)]
pub struct Scale {
    pub(super) settings: CaptureSettings,
    /// Settings that wait for zero.
    pub(super) wished: Option<CaptureSettings>,
    pub(super) state: CycleState,
    boot: Uuid,
    /// Whether the server is being talked to.
    linked: bool,
    /// What hides the weight now.
    hidden: Option<Hidden>,
    /// Since the newest gross weight.
    net: Option<Net>,
    pub(super) sight: Sight,
    /// The deck is in `captured` from before an outage, and it is not yet known whether the same vehicle stands there.
    pub(super) doubtful: bool,
    pub(super) window: Window,
    pub(super) curve: Curve,
    /// One reading has shown a vehicle on an empty deck; a second one makes it drive on.
    pub(super) arriving: bool,
    /// The deck seems empty, and it is not certain yet that the vehicle has left.
    pub(super) absence: Option<Absence>,
    /// When something was last seen on the deck; none since the deck was out of sight.
    pub(super) loaded_ms: Option<i64>,
    /// When the vehicle on the deck drove on or was first seen.
    pub(super) on_ms: Option<i64>,
    /// The settled weight that waits for its commit.
    pub(super) offered: Option<Kilograms>,
    /// The newest usable reading.
    pub(super) latest: Option<(i64, Kilograms)>,
    pub(super) told: Told,
}

/// What was told already and is not to be told with each reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) overload: bool,
    pub(super) zero_drift: bool,
    pub(super) never_zero: bool,
    /// When the vehicle was captured or stood still last.
    pub(super) captured_ms: i64,
}

/// Whether this process sees the deck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It has not seen it yet.
    Fresh,
    /// It has seen it, and then came an error or silence.
    Lost,
    Clear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Error,
    /// The indicator shows net.
    Net,
    Overload,
}

/// What the net weights tell while gross ones are missing.
#[derive(Clone, Copy, Debug)]
struct Net {
    /// What lies on the deck when the indicator shows zero; none where nobody saw the tare being taken.
    tare: Option<Kilograms>,
    /// So little lay there meanwhile that the vehicle may have left.
    was_light: bool,
}

/// Indicators that say gross and net in turns show net for no longer.
const NET_STANDS_MS: i64 = 1_000;

/// Why a scale did not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    #[error("the scale gives no weight now, expected one to count from")]
    NoWeight,
}

impl Scale {
    /// A scale with a new file: what is found on its deck is a gap capture. `settings` are
    /// [`checked`](CaptureSettings::checked) ones, `boot` is the clock that the readings' times belong to.
    pub fn new(settings: CaptureSettings, boot: Uuid) -> Self {
        Self::resume(settings, CycleState::default(), boot)
    }

    /// A scale that goes on from what its file says. Whether the outage was short shows at the first reading.
    pub fn resume(settings: CaptureSettings, state: CycleState, boot: Uuid) -> Self {
        let doubtful = matches!(state.deck, Deck::Captured { .. });
        let on_ms = match state.deck {
            Deck::On { on_mono_ms, .. } => Some(on_mono_ms),
            _ => None,
        };
        Self {
            settings,
            wished: None,
            state,
            boot,
            linked: false,
            hidden: None,
            net: None,
            sight: Sight::Fresh,
            doubtful,
            window: Window::default(),
            curve: Curve::default(),
            arriving: false,
            absence: None,
            loaded_ms: None,
            on_ms,
            offered: None,
            latest: None,
            told: Told::default(),
        }
    }

    /// Takes a reading that was heard at `t_ms` of the monotonic clock; `new_cycle` draws a random id, and is asked
    /// when a cycle begins.
    pub fn push(&mut self, t_ms: i64, reading: &Reading, mut new_cycle: impl FnMut() -> CycleId) -> Vec<ScaleEvent> {
        let mut turn = Turn {
            t_ms: self.latest.map_or(t_ms, |(before, _)| t_ms.max(before)),
            reading,
            new_cycle: &mut new_cycle,
            events: Vec::new(),
        };
        let most = self.settings.max_weight_kg;
        match reading.kg {
            // A tare is not what lies on the deck.
            _ if reading.mode == Mode::Tare => return turn.events,
            kg if reading.mode == Mode::Net => {
                self.push_net(turn.t_ms, kg);
                return turn.events;
            }
            kg if reading.overload || kg.is_some_and(|kg| most.is_some_and(|most| kg > most)) => {
                self.hidden = Some(Hidden::Overload);
                self.net = None;
                self.look(turn.t_ms);
                self.overload(kg, &mut turn);
            }
            Some(kg) => {
                self.hidden = None;
                self.net = None;
                self.look(turn.t_ms);
                self.weigh(kg, &mut turn);
                self.latest = Some((turn.t_ms, kg));
            }
            None => {
                self.push_error(t_ms);
                return turn.events;
            }
        }
        self.sight = Sight::Clear;
        turn.events
    }

    /// Takes note of bytes that were no reading, or of an indicator that reports a fault. While that stands nothing is
    /// captured; a window with a hole of more than half a dwell begins anew.
    pub fn push_error(&mut self, t_ms: i64) {
        self.lose_sight(Hidden::Error);
        self.leave_hole(t_ms);
    }

    /// Takes note that the indicator shows net, which is not what lies on the deck. It is an error that stands until a
    /// gross weight comes, and neither begins a cycle nor ends one. As long as the net weights, counted from the gross one
    /// before them, say that the vehicle stands there, the deck is not out of sight.
    fn push_net(&mut self, t_ms: i64, kg: Option<Kilograms>) {
        self.leave_hole(t_ms);
        let seen = self.latest.filter(|_| self.sight == Sight::Clear);
        let net = self.net.get_or_insert(Net {
            tare: seen.zip(kg).map(|((_, gross), kg)| gross - kg),
            was_light: false,
        });
        let load = net.tare.zip(kg).map(|(tare, kg)| tare + kg);
        net.was_light |= load.is_some_and(|load| load < self.settings.rearm_below_kg);
        if load.is_some() && !net.was_light && self.state.deck.open_cycle().is_some() {
            self.state.last_reading = Some(Moment {
                boot: self.boot,
                mono_ms: t_ms,
            });
        }
        let gross_ms = self.latest.map_or(i64::MIN, |(gross_ms, _)| gross_ms);
        if t_ms.saturating_sub(gross_ms) >= NET_STANDS_MS {
            self.lose_sight(Hidden::Net);
        }
    }

    /// A window with a hole of more than half a dwell begins anew.
    fn leave_hole(&mut self, t_ms: i64) {
        let seen_ms = self.latest.map_or(i64::MIN, |(seen_ms, _)| seen_ms);
        if t_ms.saturating_sub(seen_ms) > i64::from(self.settings.dwell_ms / 2) {
            self.window.clear();
        }
    }

    /// Takes note that the indicator says nothing. Only the caller knows how often it should.
    pub fn silent(&mut self) {
        self.lose_sight(Hidden::Error);
        self.window.clear();
    }

    /// The settled weight that was told last is committed, as `event`: from now on the deck waits for zero.
    pub fn committed(&mut self, event: EventId) {
        self.state = self.committing(event);
        self.offered = None;
        self.told.captured_ms = self.latest.map_or(0, |(t_ms, _)| t_ms);
    }

    /// The state to write in the transaction that commits the settled weight that was told last as `event`.
    pub fn committing(&self, event: EventId) -> CycleState {
        let mut state = self.state.clone();
        if let (Deck::On { cycle, .. }, Some(weight)) = (&self.state.deck, self.offered) {
            state.deck = Deck::Captured {
                cycle: *cycle,
                weight,
                stands_at: weight,
                event,
            };
        }
        state
    }

    /// The state to write in the transaction that commits these events, which came of the last push.
    pub fn state_with(&self, written: &[Committed]) -> CycleState {
        let capture = written
            .iter()
            .find(|committed| matches!(committed.kind, EventKind::Capture(_)));
        capture.map_or_else(|| self.state.clone(), |capture| self.committing(capture.id))
    }

    /// These events are on the disk. Answers the captures among them, which may be told from now on.
    pub fn written(&mut self, written: &[Committed]) -> Vec<(EventId, CycleId)> {
        let mut told = Vec::new();
        for event in written {
            if let (EventKind::Capture(_), Some(cycle)) = (&event.kind, event.cycle) {
                self.committed(event.id);
                told.push((event.id, cycle));
            }
        }
        told
    }

    /// What must be on disk: with the events of each push, and at least every five seconds.
    pub const fn state(&self) -> &CycleState {
        &self.state
    }

    /// The server has answered `welcome`: cycles that begin from now on are ordinary ones.
    pub fn welcomed(&mut self) {
        self.linked = true;
        self.state.proven = true;
    }

    /// The link is gone.
    pub fn unlinked(&mut self) {
        self.linked = false;
    }

    /// The deck as others see it. `Error` also before the first reading.
    pub fn deck(&self) -> DeckState {
        match (self.hidden, &self.state.deck) {
            (Some(Hidden::Overload), _) => DeckState::Overload,
            (Some(Hidden::Error | Hidden::Net), _) => DeckState::Error,
            (None, _) if self.sight == Sight::Fresh => DeckState::Error,
            (None, Deck::Empty) => DeckState::Empty,
            (None, Deck::Captured { .. }) if !self.doubtful => DeckState::Captured,
            (None, Deck::On { .. } | Deck::Captured { .. }) if self.window.is_settling() => DeckState::Settling,
            (None, _) => DeckState::Loaded,
        }
    }

    /// Whether the error that stands is an indicator that shows net.
    pub fn shows_net(&self) -> bool {
        self.hidden == Some(Hidden::Net)
    }

    pub const fn settings(&self) -> &CaptureSettings {
        &self.settings
    }

    /// New settings, [`checked`](CaptureSettings::checked) ones; they take effect when the deck is at zero.
    pub fn set(&mut self, settings: CaptureSettings) {
        self.wished = Some(settings);
        if self.is_at_zero() && self.sight != Sight::Fresh {
            self.adopt_wishes();
        }
    }

    /// Ends the cycle although something still lies on the deck. From now until the deck is seen empty the thresholds
    /// count from the weight that lies there; weights are told as they are.
    ///
    /// # Errors
    /// [`ScaleError::NoWeight`] while the scale gives no weight.
    pub fn rearm(&mut self) -> Result<Vec<ScaleEvent>, ScaleError> {
        let (None, Some((_, lying))) = (self.hidden, self.latest) else {
            return Err(ScaleError::NoWeight);
        };
        let events = self.leave(Some(lying), true).into_iter().collect();
        self.state.base = Some(lying).filter(|&base| base >= self.settings.rearm_below_kg);
        Ok(events)
    }

    /// Looks at how long the deck was out of sight. After a long outage nothing is known of it but the open cycle.
    fn look(&mut self, t_ms: i64) {
        let now = Moment {
            boot: self.boot,
            mono_ms: t_ms,
        };
        let outage = Outage::between(self.state.last_reading, now, self.settings.gap_same_ms);
        if self.sight != Sight::Clear && outage == Outage::Long {
            let open = self.state.deck.open_cycle();
            self.state.deck = Deck::Unknown { open };
            self.state.base = None;
            self.state.proven = self.linked;
            self.forget_vehicle();
        }
        self.state.last_reading = Some(now);
    }

    fn lose_sight(&mut self, hidden: Hidden) {
        (self.absence, self.loaded_ms) = (None, None);
        self.hidden = Some(hidden);
        if self.sight == Sight::Clear {
            self.sight = Sight::Lost;
        }
    }
}
