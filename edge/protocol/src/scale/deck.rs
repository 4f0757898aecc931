//! The transitions of a deck: a vehicle drives on, settles, is recognised, moves, leaves.

use super::{
    absence::Absence,
    capturing::{Scale, Sight, Told},
    cycle_state::Deck,
    events::{ScaleEvent, Settled},
};
use crate::{CycleId, Kilograms, reading::Reading};

/// One reading on its way through the rules, and what came of it.
pub(super) struct Turn<'a> {
    pub(super) t_ms: i64,
    pub(super) reading: &'a Reading,
    pub(super) new_cycle: &'a mut dyn FnMut() -> CycleId,
    pub(super) events: Vec<ScaleEvent>,
}

impl Scale {
    /// What a weight means for the deck.
    pub(super) fn weigh(&mut self, kg: Kilograms, turn: &mut Turn<'_>) {
        let load = kg - self.state.base.unwrap_or_default();
        if load < self.settings.rearm_below_kg {
            return self.light(kg, turn);
        }
        self.is_loaded(turn.t_ms);
        if self.sight == Sight::Fresh {
            self.told.captured_ms = turn.t_ms;
        }
        let heavy = load >= self.settings.min_weight_kg;
        if heavy {
            self.load(Some(kg), turn);
        } else {
            self.forget_arrival();
        }
        self.watch_never_zero(kg, turn);
        if matches!(self.state.deck, Deck::On { .. }) || self.doubtful || self.arriving {
            let on_ms = self.on_ms.unwrap_or(turn.t_ms);
            self.curve.push(turn.t_ms.saturating_sub(on_ms), kg);
        }
        if !heavy || self.moves(turn.reading) {
            self.window.clear();
        } else if let Some(weight) = self.settle(turn.t_ms, kg, self.settings.dwell_ms) {
            self.settled(weight, turn);
        }
    }

    /// More than the scale bears: a vehicle stands there, and nothing is captured.
    pub(super) fn overload(&mut self, kg: Option<Kilograms>, turn: &mut Turn<'_>) {
        self.is_loaded(turn.t_ms);
        self.load(kg, turn);
        self.window.clear();
        if let Deck::On { cycle, .. } | Deck::Captured { cycle, .. } = self.state.deck
            && !std::mem::replace(&mut self.told.overload, true)
        {
            turn.events.push(ScaleEvent::Overload { cycle, weight: kg });
        }
    }

    fn is_loaded(&mut self, t_ms: i64) {
        self.absence = None;
        self.loaded_ms = Some(t_ms);
    }

    /// Something heavy stands on the deck: where nothing stood, a vehicle drives on as soon as a second reading in a row
    /// shows it. What came of the first one counts from there.
    fn load(&mut self, kg: Option<Kilograms>, turn: &mut Turn<'_>) {
        let (gap, replaces) = match self.state.deck {
            Deck::Empty => (!self.state.proven, false),
            // One that was not captured is most likely the same vehicle, and its call must not end for that.
            Deck::Unknown { open } => (true, open.is_some_and(|open| open.captured)),
            Deck::On { .. } | Deck::Captured { .. } => {
                self.on_ms.get_or_insert(turn.t_ms);
                return;
            }
        };
        let Some(on_ms) = self.on_ms.filter(|_| self.arriving) else {
            self.forget_vehicle();
            self.arriving = true;
            self.on_ms = Some(turn.t_ms);
            return;
        };
        if replaces {
            let (window, curve) = (std::mem::take(&mut self.window), std::mem::take(&mut self.curve));
            turn.events.extend(self.leave(kg, true));
            (self.window, self.curve) = (window, curve);
        }
        self.drive_on(on_ms, kg, gap, turn);
    }

    fn drive_on(&mut self, on_mono_ms: i64, weight: Option<Kilograms>, gap: bool, turn: &mut Turn<'_>) {
        let cycle = (turn.new_cycle)();
        self.arriving = false;
        self.on_ms = Some(on_mono_ms);
        self.state.deck = Deck::On { cycle, on_mono_ms, gap };
        turn.events.push(ScaleEvent::VehicleOn { cycle, weight });
    }

    /// The weight has settled: what that means depends on who stands there.
    fn settled(&mut self, weight: Kilograms, turn: &mut Turn<'_>) {
        let reach = self.settings.tolerance_kg * 2;
        let near = |other: Kilograms| other.distance(weight) <= reach;
        match &mut self.state.deck {
            Deck::Captured {
                cycle,
                weight: captured,
                stands_at,
                event,
            } if self.doubtful => {
                if !near(*captured) && !near(*stands_at) {
                    return self.replace(weight, turn);
                }
                turn.events.push(ScaleEvent::Recovered {
                    cycle: *cycle,
                    event: *event,
                    weight: *captured,
                });
                self.doubtful = false;
                self.told.captured_ms = turn.t_ms;
                self.curve.clear();
            }
            Deck::Captured { cycle, stands_at, .. } if !near(*stands_at) => {
                *stands_at = weight;
                turn.events.push(ScaleEvent::Moved { cycle: *cycle, weight });
                self.told.captured_ms = turn.t_ms;
            }
            Deck::On { .. } => self.offer(weight, turn),
            Deck::Captured { .. } | Deck::Unknown { .. } | Deck::Empty => {}
        }
    }

    /// Another vehicle stands where the captured one stood before the outage.
    fn replace(&mut self, weight: Kilograms, turn: &mut Turn<'_>) {
        let (on_ms, curve) = (self.on_ms.unwrap_or(turn.t_ms), std::mem::take(&mut self.curve));
        turn.events.extend(self.leave(Some(weight), true));
        self.drive_on(on_ms, Some(weight), true, turn);
        self.curve = curve;
        self.offer(weight, turn);
    }

    fn offer(&mut self, weight: Kilograms, turn: &mut Turn<'_>) {
        let Deck::On { cycle, on_mono_ms, gap } = self.state.deck else {
            return;
        };
        self.offered = Some(weight);
        turn.events.push(ScaleEvent::Settled(Settled {
            cycle,
            weight,
            gap,
            on_mono_ms,
            raw: turn.reading.raw.clone(),
            curve: self.curve.points(),
        }));
    }

    /// The deck shows less than a vehicle. It counts as empty when that is certain.
    fn light(&mut self, kg: Kilograms, turn: &mut Turn<'_>) {
        self.forget_arrival();
        let is_bare = kg < self.settings.rearm_below_kg;
        let ends = self.state.deck != Deck::Empty || (is_bare && self.state.base.is_some());
        if ends {
            let unseen = self.sight == Sight::Fresh || self.doubtful || matches!(self.state.deck, Deck::Unknown { .. });
            let since_ms = self.loaded_ms.unwrap_or(turn.t_ms);
            let absence = self.absence.get_or_insert(Absence::new(since_ms, unseen));
            if !absence.lasts(turn.t_ms, self.settings.leave_ms) {
                return self.window.clear();
            }
            let unseen = absence.unseen;
            if self.state.deck != Deck::Empty {
                turn.events.extend(self.leave(Some(kg), unseen));
            }
        }
        if is_bare {
            self.state.base = None;
        }
        self.absence = None;
        if self.is_at_zero() {
            self.adopt_wishes();
            self.watch_zero(kg, turn);
        }
    }

    fn watch_zero(&mut self, kg: Kilograms, turn: &mut Turn<'_>) {
        let Some(band) = self.settings.zero_band_kg else {
            return;
        };
        if self.moves(turn.reading) {
            self.window.clear();
        } else if let Some(weight) = self.settle(turn.t_ms, kg, self.settings.zero_drift_after_ms) {
            let drifted = weight.abs() > band;
            if drifted && !self.told.zero_drift {
                turn.events.push(ScaleEvent::ZeroDrift { weight });
            }
            self.told.zero_drift = drifted;
        }
    }

    fn watch_never_zero(&mut self, kg: Kilograms, turn: &mut Turn<'_>) {
        let Deck::Captured { cycle, .. } = self.state.deck else {
            return;
        };
        let stood_ms = turn.t_ms.saturating_sub(self.told.captured_ms);
        if !self.told.never_zero && stood_ms >= i64::from(self.settings.never_zero_after_ms) {
            self.told.never_zero = true;
            turn.events.push(ScaleEvent::NeverZero { cycle, weight: kg });
        }
    }

    /// Empties the deck. Answers the end of the cycle, if one was open.
    pub(super) fn leave(&mut self, weight: Option<Kilograms>, inferred: bool) -> Option<ScaleEvent> {
        let open = self.state.deck.open_cycle();
        self.state.deck = Deck::Empty;
        self.forget_vehicle();
        open.map(|open| ScaleEvent::VehicleOff {
            cycle: open.cycle,
            captured: open.captured,
            inferred,
            weight,
        })
    }

    /// What one reading showed was nothing.
    fn forget_arrival(&mut self) {
        if std::mem::take(&mut self.arriving) {
            self.on_ms = None;
            self.window.clear();
            self.curve.clear();
        }
    }

    pub(super) fn forget_vehicle(&mut self) {
        self.arriving = false;
        self.absence = None;
        self.doubtful = false;
        self.on_ms = None;
        self.window.clear();
        self.curve.clear();
        self.offered = None;
        self.told = Told {
            zero_drift: self.told.zero_drift,
            ..Told::default()
        };
    }

    /// The median of the window once it spans `dwell_ms`; the window then begins anew.
    fn settle(&mut self, t_ms: i64, kg: Kilograms, dwell_ms: u32) -> Option<Kilograms> {
        let settled = self.window.push(t_ms, kg, self.settings.tolerance_kg, dwell_ms)?;
        self.window.clear();
        Some(settled)
    }

    /// Whether the indicator itself says that the weight moves. No flag says nothing.
    fn moves(&self, reading: &Reading) -> bool {
        self.settings.require_stable_flag && reading.stable == Some(false)
    }

    /// Whether nothing stands on the deck, and nothing lies there either.
    pub(super) fn is_at_zero(&self) -> bool {
        self.state.deck == Deck::Empty && self.state.base.is_none()
    }

    pub(super) fn adopt_wishes(&mut self) {
        if let Some(settings) = self.wished.take() {
            self.settings = settings;
        }
    }
}
