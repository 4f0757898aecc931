//! One indicator on a pty: 20 frames a second, each noted just before its last byte leaves.

use std::time::{Duration, Instant};

use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};
use weighbridge_protocol::Kilograms;
use weighbridge_sim::{
    SimError,
    encode::Format,
    indicator::Shown,
    station::{StationSpec, line::Line, pty::Pty},
};

use super::{Noted, Sent, What};

/// See the file's head. Dropped, it is unplugged.
#[derive(Debug)]
pub(super) struct Indicator {
    station: i64,
    truck: watch::Sender<Option<Kilograms>>,
    work: JoinHandle<()>,
}

pub(super) const BETWEEN_FRAMES: Duration = Duration::from_millis(50);
/// An empty deck shows so many different weights, all of them too light to be a vehicle; they come again after 14 s.
const EMPTY_WEIGHTS: i32 = 280;
/// Ten bits at 9600 baud.
const BYTE_TIME: Duration = Duration::from_micros(1042);

impl Indicator {
    pub(super) fn plug_in(spec: &StationSpec, tell: UnboundedSender<Noted>) -> Result<Self, SimError> {
        let (truck, stands) = watch::channel(None);
        let display = Display {
            station: spec.id,
            format: spec.format,
            line: spec.line,
            pty: Pty::open(&spec.port)?,
            stands,
            tell,
        };
        Ok(Self {
            station: spec.id,
            truck,
            work: tokio::spawn(display.show()),
        })
    }

    pub(super) const fn station(&self) -> i64 {
        self.station
    }

    /// From the next frame on this weight stands on the deck, at rest; none clears it.
    pub(super) fn stand(&self, truck: Option<Kilograms>) {
        self.truck.send_replace(truck);
    }
}

impl Drop for Indicator {
    fn drop(&mut self) {
        self.work.abort();
    }
}

struct Display {
    station: i64,
    format: Format,
    line: Line,
    pty: Pty,
    stands: watch::Receiver<Option<Kilograms>>,
    tell: UnboundedSender<Noted>,
}

impl Display {
    async fn show(mut self) {
        let mut frames = interval(BETWEEN_FRAMES);
        frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut empty, mut of_truck) = (0, 0);
        loop {
            frames.tick().await;
            let stands = *self.stands.borrow();
            let weight = stands.unwrap_or_else(|| Kilograms::from_whole(empty));
            empty = (empty + 1) % EMPTY_WEIGHTS;
            let sent = Sent {
                station: self.station,
                weight,
                of_truck: stands.map(|_| of_truck),
            };
            of_truck = stands.map_or(0, |_| of_truck + 1);
            self.send(sent).await;
        }
    }

    async fn send(&mut self, sent: Sent) {
        let frame = self.format.frame(&Shown {
            weight: sent.weight,
            stable: true,
            overload: false,
            zero: false,
            decimals: 0,
        });
        let Some((last, rest)) = frame.bytes.split_last() else {
            return;
        };
        let taken = self.line.send(&mut self.pty, rest, || false).await;
        sleep(BYTE_TIME).await;
        // Before the edge opens the port nobody is there to hear it.
        if taken {
            let at = Instant::now();
            // The listener may have ended; the indicator then ends too.
            drop(self.tell.send(Noted {
                at,
                what: What::Sent(sent),
            }));
        }
        self.pty.put(&[*last]);
    }
}
