//! One indicator: turns its bytes into readings for its scale, and notices when it falls silent.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use tokio::sync::watch;
use tracing::warn;
use weighbridge_protocol::indicators::{Decoder, Garbled};
use weighbridge_supervision::Handle;

use crate::{
    port::pace::Heard,
    scale::{ReadingsTaken, Scale, Silent},
};

/// How often the silence is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The rate is that between so many looks, of which there are so many a minute.
const RATE_LOOKS: usize = 7;
const LOOKS_A_MINUTE: u64 = 120;
/// How long the scale may take to commit what a reading led to.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// An indicator and its decoder.
#[derive(Debug)]
pub struct Indicator {
    station_id: i64,
    decoder: Decoder,
    /// Silence after which the indicator counts as down.
    silence_limit: Duration,
    scale: Handle<Scale>,
    shown: Arc<watch::Sender<Hearing>>,
    heard_at: Instant,
    is_silent: bool,
    /// Readings in all at each of the last looks, for the rate.
    totals: VecDeque<u64>,
}

/// How well an indicator is heard, for the status page.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Hearing {
    /// Why the port cannot be read; none while it is.
    pub port_trouble: Option<String>,
    pub readings: u64,
    /// By those of the last three seconds.
    pub per_minute: u64,
    /// Stretches of bytes that gave no reading, by reason.
    pub garbled: BTreeMap<&'static str, u64>,
    pub silent: bool,
}

/// Bytes came. Sent by the station's [`Port`](crate::port::Port), which reads on when it is answered with what they gave.
#[derive(Debug, Message)]
#[rtype(result = "Heard")]
pub struct BytesHeard {
    /// On the monotonic clock.
    pub at_ms: i64,
    pub bytes: Vec<u8>,
}

/// The port went, or came back. Sent by the station's [`Port`](crate::port::Port).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PortChanged {
    pub trouble: Option<String>,
}

impl Indicator {
    pub fn new(
        station_id: i64,
        decoder: Decoder,
        silence_limit: Duration,
        scale: Handle<Scale>,
        shown: Arc<watch::Sender<Hearing>>,
    ) -> Self {
        Self {
            station_id,
            decoder,
            silence_limit,
            scale,
            shown,
            heard_at: Instant::now(),
            is_silent: false,
            totals: VecDeque::new(),
        }
    }

    fn note(&mut self, heard: &[Result<weighbridge_protocol::reading::Reading, Garbled>]) {
        let readings = heard.iter().filter(|heard| heard.is_ok()).count() as u64;
        if readings > 0 {
            self.heard_at = Instant::now();
            self.is_silent = false;
        }
        self.shown.send_modify(|hearing| {
            hearing.readings += readings;
            hearing.silent = self.is_silent;
            for garbled in heard.iter().filter_map(|heard| heard.as_ref().err()) {
                *hearing.garbled.entry(garbled.why.as_str()).or_default() += 1;
            }
        });
    }

    fn note_rate(&mut self) {
        let total = self.shown.borrow().readings;
        self.totals.push_back(total);
        if self.totals.len() > RATE_LOOKS {
            self.totals.pop_front();
        }
        let gained = total - self.totals.front().copied().unwrap_or(total);
        let looks = (self.totals.len() as u64 - 1).max(1);
        let per_minute = gained * LOOKS_A_MINUTE / looks;
        self.shown
            .send_if_modified(|hearing| std::mem::replace(&mut hearing.per_minute, per_minute) != per_minute);
    }

    fn look_for_silence(&mut self) {
        let silence = self.heard_at.elapsed();
        if self.is_silent || silence < self.silence_limit {
            return;
        }
        warn!(
            station.id = self.station_id,
            silent_s = silence.as_secs(),
            "the indicator of station {} is silent",
            self.station_id
        );
        // Half a frame from before the silence is no beginning of the next one.
        self.decoder.finish(&mut |_| ());
        // A scale that did not hear it is told again at the next look.
        self.is_silent = self.scale.tell(Silent).is_ok();
        self.shown.send_modify(|hearing| hearing.silent = true);
    }
}

impl Actor for Indicator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_EVERY, |indicator, _| {
            indicator.note_rate();
            indicator.look_for_silence();
        });
    }
}

impl Handler<BytesHeard> for Indicator {
    type Result = ResponseFuture<Heard>;

    fn handle(&mut self, BytesHeard { at_ms, bytes }: BytesHeard, _: &mut Context<Self>) -> ResponseFuture<Heard> {
        let mut heard = Vec::new();
        self.decoder.push(&bytes, &mut |decoded| heard.push(decoded));
        self.note(&heard);
        let gave = Heard {
            frames: heard.iter().filter(|heard| heard.is_ok()).count(),
            missing: self.decoder.missing(),
        };
        let (scale, station_id) = (self.scale.clone(), self.station_id);
        Box::pin(async move {
            if heard.is_empty() {
                return gave;
            }
            let readings = heard.into_iter().map(Result::ok).collect();
            if let Err(error) = scale.ask(ReadingsTaken { at_ms, readings }, TAKEN_WITHIN).await {
                warn!(
                    station.id = station_id,
                    "readings of station {station_id} were not taken: {error}"
                );
            }
            gave
        })
    }
}

impl Handler<PortChanged> for Indicator {
    type Result = ();

    fn handle(&mut self, PortChanged { trouble }: PortChanged, _: &mut Context<Self>) {
        if trouble.is_some() {
            self.decoder.finish(&mut |_| ());
        }
        self.shown.send_modify(|hearing| hearing.port_trouble = trouble);
    }
}
