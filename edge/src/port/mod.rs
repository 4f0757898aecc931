//! The port of an indicator: a serial device or a TCP serial server, opened, read, and opened again when it goes.
//!
//! - [`address`]: where it is plugged in
//! - [`ask`]: requests to an indicator that speaks only when asked
//! - [`claims`]: which station reads what
//! - `modbus_tcp`: Modbus TCP made to look like RTU
//! - [`open`]: opening it, and what stands in the way
//! - [`pace`]: when a serial line is worth a look
//! - [`serial`]: a serial port that is read at its pace

pub mod address;
pub mod ask;
pub mod claims;
mod modbus_tcp;
pub mod open;
pub mod pace;
mod serial;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};
use weighbridge_protocol::indicators::Poll;
use weighbridge_supervision::Handle;

use crate::{
    clock::Clock,
    indicator::{BytesHeard, Indicator, PortChanged},
};
pub use address::{NotAPort, PortAddress};
pub use claims::Claims;
pub use open::{PortError, Wire};
use open::{Reader, Writer};

/// A port that went is tried again after this, and then more and more rarely
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// down to this: an adapter that is plugged in again is back within two seconds.
const LONGEST_PAUSE: Duration = Duration::from_millis(1500);
/// How long the indicator may take to decode and commit what was heard before the next bytes are read.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// One port. It speaks to its [`Indicator`] and takes no messages.
#[derive(Debug)]
pub struct Port {
    plug: Plug,
}

/// What a port needs.
#[derive(Clone, Debug)]
pub struct Plug {
    pub station_id: i64,
    pub address: PortAddress,
    /// What to send to an indicator that speaks only when asked.
    pub poll: Option<Poll>,
    pub clock: Clock,
    pub indicator: Handle<Indicator>,
    /// What the stations of this edge read.
    pub claims: Claims,
    /// Counts the ports that have been tried, for whoever waits for READY.
    pub tried: Arc<watch::Sender<usize>>,
}

impl Port {
    pub const fn new(plug: Plug) -> Self {
        Self { plug }
    }
}

impl Actor for Port {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(self.plug.clone().serve().into_actor(self));
    }
}

impl Plug {
    /// Opens, reads and opens again, for ever.
    async fn serve(self) {
        let mut pause = FIRST_PAUSE;
        let mut said = None;
        let mut is_first = true;
        loop {
            let opened = open::open_to_weigh(&self.address, &self.claims, self.station_id).await;
            if std::mem::take(&mut is_first) {
                self.tried.send_modify(|tried| *tried += 1);
            }
            let end = match opened {
                Ok((reader, writer, _claim)) => {
                    let (heard, end) = self.listen(reader, writer, &mut said).await;
                    if heard {
                        pause = FIRST_PAUSE;
                    }
                    end
                }
                Err(error) => error,
            };
            if said.as_ref() != Some(&end) {
                warn!(station.id = self.station_id, port = %self.address, "port of station {}: {end}", self.station_id);
                self.tell(PortChanged {
                    trouble: Some(end.to_string()),
                });
                said = Some(end);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads until the port goes. Says whether anything was heard, and why it ended.
    async fn listen(&self, mut reader: Reader, mut writer: Writer, said: &mut Option<PortError>) -> (bool, PortError) {
        let mut bytes = [0; 4096];
        let mut heard = false;
        let asking = ask::again_and_again(self.poll.as_ref(), &mut writer);
        tokio::pin!(asking);
        loop {
            let read = tokio::select! {
                read = reader.read(&mut bytes) => read,
                error = &mut asking => Err(error),
            };
            let count = match read {
                Ok(0) => return (heard, PortError::Gone(self.address.place())),
                Ok(count) => count,
                Err(error) => return (heard, self.broken(&error)),
            };
            if !std::mem::replace(&mut heard, true) {
                info!(station.id = self.station_id, port = %self.address, "port of station {} is open", self.station_id);
                self.tell(PortChanged { trouble: None });
                *said = None;
            }
            let message = BytesHeard {
                at_ms: self.clock.mono_ms(),
                bytes: bytes[..count].to_vec(),
            };
            let at = Instant::now();
            match self.indicator.ask(message, TAKEN_WITHIN).await {
                Ok(heard) => reader.heard(at, heard),
                Err(error) => warn!(
                    station.id = self.station_id,
                    bytes = count,
                    "{count} bytes of station {} were not taken: {error}",
                    self.station_id
                ),
            }
        }
    }

    /// An adapter that was pulled out answers EIO.
    fn broken(&self, error: &std::io::Error) -> PortError {
        match error.raw_os_error().map(nix::Error::from_raw) {
            Some(nix::Error::EIO | nix::Error::ENXIO | nix::Error::ENODEV) => PortError::Gone(self.address.place()),
            _ => PortError::Other {
                place: self.address.place(),
                reason: error.to_string(),
            },
        }
    }

    fn tell(&self, change: PortChanged) {
        if let Err(error) = self.indicator.tell(change) {
            warn!(
                station.id = self.station_id,
                "station {} was not told of its port: {error}", self.station_id
            );
        }
    }
}
