//! The transitions of a deck: a vehicle drives on, settles, is recognised, moves, leaves.

use super::{
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
        if kg < self.settings.rearm_below_kg {
            self.state.base = None;
        }
        let load = kg - self.state.base.unwrap_or_default();
        if load < self.settings.rearm_below_kg {
            return self.empty(kg, turn);
        }
        if self.sight == Sight::Fresh {
            self.told.captured_ms = turn.t_ms;
        }
        let heavy = load >= self.settings.min_weight_kg;
        if heavy {
            self.load(Some(kg), turn);
        }
        self.watch_never_zero(kg, turn);
        if matches!(self.state.deck, Deck::On { .. }) || self.doubtful {
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
        self.window.clear();
        self.load(kg, turn);
        let open = self.state.deck.open_cycle().filter(|_| !self.told.overload);
        turn.events.extend(open.map(|open| ScaleEvent::Overload {
            cycle: open.cycle,
            weight: kg,
        }));
        self.told.overload = true;
    }

    /// Something heavy stands on the deck: where none stood, a vehicle has driven on.
    fn load(&mut self, kg: Option<Kilograms>, turn: &mut Turn<'_>) {
        let gap = match self.state.deck {
            Deck::Empty => !self.state.proven,
            Deck::Unknown { open } => {
                // One that was not captured is most likely the same vehicle, and its call must not end for that.
                if open.is_some_and(|open| open.captured) {
                    turn.events.extend(self.leave(kg, true));
                }
                true
            }
            Deck::On { .. } | Deck::Captured { .. } => {
                self.on_ms.get_or_insert(turn.t_ms);
                return;
            }
        };
        self.drive_on(turn.t_ms, kg, gap, turn);
    }

    fn drive_on(&mut self, on_mono_ms: i64, weight: Option<Kilograms>, gap: bool, turn: &mut Turn<'_>) {
        let cycle = (turn.new_cycle)();
        self.forget_vehicle();
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

    /// The deck is seen empty.
    fn empty(&mut self, kg: Kilograms, turn: &mut Turn<'_>) {
        let unseen = self.sight == Sight::Fresh || self.doubtful || matches!(self.state.deck, Deck::Unknown { .. });
        if self.state.deck != Deck::Empty {
            turn.events.extend(self.leave(Some(kg), unseen));
        }
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

    pub(super) fn forget_vehicle(&mut self) {
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
