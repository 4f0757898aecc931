//! One scale: readings go through the capture logic, what comes out is committed, and only then told.
//!
//! - `duty`: the work itself, a reading at a time, while nothing else is handled
//! - `announcements`: what is said of it: the board's line, the live weight, the lines on stdout

mod announcements;
mod duty;

use actix::{
    Actor, ActorContext, AsyncContext, AtomicResponse, Context, Handler, Message, WrapFuture, fut::ActorFutureExt,
};
use tracing::{error, info};
use weighbridge_protocol::{reading::Reading, scale::CaptureOverrides};

pub use announcements::{Announcements, Deck};
pub use duty::{Station, Uncertain};

use duty::Duty;

/// A scale. While it works through a message its mailbox waits: order is all in weighing.
#[derive(Debug)]
pub struct Scale {
    station: Station,
    /// The work, when it is not being done.
    duty: Option<Duty>,
}

/// What one read of the port gave: readings, and a `None` for each stretch of bytes that was none. Sent by the
/// station's [`Indicator`](crate::indicator::Indicator), and answered when all that it led to is committed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadingsTaken {
    /// On the monotonic clock.
    pub at_ms: i64,
    pub readings: Vec<Option<Reading>>,
}

/// The indicator says nothing. Sent by the station's [`Indicator`](crate::indicator::Indicator).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Silent;

/// The server has answered, with its settings for this station. Sent by the [`Link`](crate::link::Link).
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Welcomed {
    pub capture: CaptureOverrides,
}

/// The link is gone. Sent by the [`Link`](crate::link::Link).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Unlinked;

/// Ends the cycle although something still lies on the deck. Sent by the [`Link`](crate::link::Link) for the staff;
/// answers why it could not be done.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Rearm;

impl Scale {
    pub const fn new(station: Station) -> Self {
        Self { station, duty: None }
    }

    /// Does `work` while nothing else is handled. Where its outcome is uncertain the scale starts anew, from what the
    /// file says.
    fn at_work<T: 'static>(
        &mut self,
        work: impl AsyncFnOnce(&mut Duty) -> Result<T, Uncertain> + 'static,
        otherwise: T,
    ) -> AtomicResponse<Self, T> {
        let station = self.station.clone();
        let duty = self.duty.take();
        let work = async move {
            let mut duty = match duty {
                Some(duty) => duty,
                None => Duty::begin(station).await,
            };
            let done = work(&mut duty).await;
            (duty, done)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(
            |(duty, done), scale: &mut Self, ctx| {
                if let Ok(answer) = done {
                    scale.duty = Some(duty);
                    return answer;
                }
                let station_id = scale.station.id;
                error!(
                    station.id = station_id,
                    "it is uncertain what was committed for station {station_id}: it starts anew"
                );
                ctx.stop();
                otherwise
            },
        )))
    }
}

impl Actor for Scale {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let station = self.station.clone();
        let beginning = Duty::begin(station).into_actor(self).map(|duty, scale: &mut Self, _| {
            info!(station.id = scale.station.id, deck = ?duty.state().deck, "station {} goes on from its file", scale.station.id);
            scale.duty = Some(duty);
        });
        ctx.wait(beginning);
    }
}

impl Handler<ReadingsTaken> for Scale {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, ReadingsTaken { at_ms, readings }: ReadingsTaken, _: &mut Context<Self>) -> Self::Result {
        self.at_work(
            async move |duty: &mut Duty| {
                for reading in &readings {
                    duty.take(at_ms, reading.as_ref()).await?;
                }
                Ok(())
            },
            (),
        )
    }
}

impl Handler<Silent> for Scale {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Silent, _: &mut Context<Self>) -> Self::Result {
        self.at_work(async |duty: &mut Duty| duty.fall_silent().await, ())
    }
}

impl Handler<Welcomed> for Scale {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, Welcomed { capture }: Welcomed, _: &mut Context<Self>) -> Self::Result {
        self.at_work(async move |duty: &mut Duty| duty.welcome(&capture).await, ())
    }
}

impl Handler<Unlinked> for Scale {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Unlinked, _: &mut Context<Self>) -> Self::Result {
        self.at_work(
            async |duty: &mut Duty| {
                duty.unlink();
                Ok(())
            },
            (),
        )
    }
}

impl Handler<Rearm> for Scale {
    type Result = AtomicResponse<Self, Result<(), String>>;

    fn handle(&mut self, _: Rearm, _: &mut Context<Self>) -> Self::Result {
        let otherwise = Err("it is uncertain whether that was written down".to_owned());
        self.at_work(async |duty: &mut Duty| duty.rearm().await, otherwise)
    }
}
