//! One station: a deck, an indicator on it, and a serial port that the edge can open.

pub mod deck;
pub mod line;
pub mod pty;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};
use weighbridge_protocol::Kilograms;

use self::{deck::Deck, line::Line, pty::Pty};
use crate::{
    SimError,
    chance::Chance,
    curve::{Axle, Curve},
    encode::Format,
    fault::{Fault, Faults},
    indicator::{Calibration, Indicator, Shown},
    load::physical,
};

/// What a station is made of.
#[derive(Clone, Debug)]
pub struct StationSpec {
    /// The server's id of it.
    pub id: i64,
    pub format: Format,
    pub calibration: Calibration,
    /// Frames a second, or readings a second where the format answers when asked. 1 to 1000.
    pub rate_hz: u32,
    pub line: Line,
    /// The port's name.
    pub port: PathBuf,
}

/// A running station. Dropping it unplugs it.
#[derive(Debug)]
pub struct Station {
    spec: StationSpec,
    deck: Arc<Deck>,
    faults: watch::Sender<Faults>,
    shown: watch::Receiver<Shown>,
    sent: watch::Receiver<Option<Sent>>,
    work: JoinHandle<()>,
}

/// A frame that a reader took from its first to its last byte.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub shown: Shown,
    /// When the last byte left.
    pub at: Instant,
}

/// How many times the load is taken for one frame: what sways faster than the frames come is averaged.
const SAMPLES_PER_FRAME: u32 = 4;

impl Station {
    /// Plugs it in, over an empty deck.
    ///
    /// # Errors
    /// Where the port cannot be made.
    pub fn start(spec: StationSpec, chance: Chance) -> Result<Self, SimError> {
        let pty = Pty::open(&spec.port)?;
        let deck = Arc::new(Deck::new(chance.branch(1)));
        let faults = watch::Sender::new(Faults::default());
        let mut indicator = Indicator::new(spec.calibration);
        let (show, shown) = watch::channel(indicator.sample(0.0));
        let (tell_sent, sent) = watch::channel(None);
        let bench = Bench {
            pty: Some(pty),
            deck: Arc::clone(&deck),
            indicator,
            faults: faults.subscribe(),
            show,
            tell_sent,
            chance: chance.branch(2),
            asked: Vec::new(),
            spec: spec.clone(),
        };
        let work = tokio::spawn(bench.work());
        Ok(Self {
            spec,
            deck,
            faults,
            shown,
            sent,
            work,
        })
    }

    pub const fn spec(&self) -> &StationSpec {
        &self.spec
    }

    pub fn deck(&self) -> &Deck {
        &self.deck
    }

    /// Lays a weight on the deck by hand; zero sweeps it.
    pub fn lay(&self, weight: Kilograms) {
        self.deck.lay(physical(weight));
    }

    /// An ordinary truck of this weight drives on, and stands until it drives off.
    ///
    /// # Errors
    /// Where another is still there.
    pub fn drive_on(&self, weight: Kilograms, haste: f64, chance: Chance) -> Result<(), SimError> {
        let axle = |behind_front, share| Axle {
            behind_front,
            load: physical(weight) * share,
        };
        let axles = vec![axle(0.0, 0.28), axle(4.9, 0.38), axle(6.2, 0.34)];
        self.deck.drive_on(Curve::new(axles, haste, chance)).map(drop)
    }

    pub fn drive_off(&self) {
        self.deck.drive_off();
    }

    /// What the display shows, frame by frame.
    pub fn shown(&self) -> watch::Receiver<Shown> {
        self.shown.clone()
    }

    /// The newest frame that left whole.
    pub fn sent(&self) -> watch::Receiver<Option<Sent>> {
        self.sent.clone()
    }

    pub fn faults(&self) -> Faults {
        *self.faults.borrow()
    }

    /// From the next byte on.
    pub fn change(&self, fault: Fault) {
        self.faults.send_modify(|faults| faults.change(fault));
    }

    /// Unplugs it and waits until the port's name is gone.
    pub async fn stop(mut self) {
        self.work.abort();
        if let Err(error) = (&mut self.work).await
            && error.is_panic()
        {
            tracing::error!(station.id = self.spec.id, "indicator {} broke: {error}", self.spec.id);
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// The indicator at work: what one station's task owns.
struct Bench {
    spec: StationSpec,
    pty: Option<Pty>,
    deck: Arc<Deck>,
    indicator: Indicator,
    faults: watch::Receiver<Faults>,
    show: watch::Sender<Shown>,
    tell_sent: watch::Sender<Option<Sent>>,
    chance: Chance,
    /// What came over the line and is no whole request yet.
    asked: Vec<u8>,
}

impl Bench {
    async fn work(mut self) {
        let frame_time = Duration::from_secs(1) / self.spec.rate_hz.clamp(1, 1000);
        let mut frames = interval(frame_time);
        frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let now = frames.tick().await;
            self.replug();
            let shown = self.indicator.sample(self.mean_load(now, frame_time));
            self.show.send_replace(shown);
            if self.is_to_send() {
                self.send(shown).await;
            }
        }
    }

    /// Pulls or puts in the plug as the faults will have it.
    fn replug(&mut self) {
        let unplugged = self.faults.borrow().unplugged;
        if unplugged {
            self.pty = None;
        } else if self.pty.is_none() {
            self.pty = Pty::open(&self.spec.port)
                .inspect_err(|error| tracing::error!(station.id = self.spec.id, "cannot plug in again: {error}"))
                .ok();
        }
    }

    fn mean_load(&self, now: Instant, frame_time: Duration) -> f64 {
        let sample = |back: u32| self.deck.load(now - frame_time * back / SAMPLES_PER_FRAME);
        (0..SAMPLES_PER_FRAME).map(sample).sum::<f64>() / f64::from(SAMPLES_PER_FRAME)
    }

    /// A stream always; a format that answers only when asked, where it was.
    fn is_to_send(&mut self) -> bool {
        let Some(pty) = &mut self.pty else { return false };
        let heard = pty.take();
        let Some(request) = self.spec.format.request() else {
            return true;
        };
        self.asked.extend(heard);
        let asked = self.asked.windows(request.len()).any(|bytes| bytes == request);
        if asked || self.asked.len() > 256 {
            self.asked.clear();
        }
        asked
    }

    async fn send(&mut self, shown: Shown) {
        let faults = *self.faults.borrow();
        let bytes = faults.spoil(self.spec.format.frame(&shown), &mut self.chance);
        let Some(pty) = &mut self.pty else { return };
        let taken = self
            .spec
            .line
            .send(pty, &bytes, || self.faults.borrow().unplugged)
            .await;
        if taken && !bytes.is_empty() {
            self.tell_sent.send_replace(Some(Sent {
                shown,
                at: Instant::now(),
            }));
        }
    }
}

#[cfg(test)]
mod tests;
