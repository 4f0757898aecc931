//! All the Lives of this process as one: usually there is one, and more by setting where one thread cannot write enough.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Handler, Message};
use actix_rt::{Arbiter, ArbiterHandle};
use chrono_tz::Tz;
use futures_util::future::join_all;
use tracing::warn;
use weighbridge_supervision::{AskError, Handle, Listener, Spec, StartError, Tree};

use super::{CloseAll, Estate, Live, Revoke, Source, seats::Seats};
use crate::config::LiveSettings;

/// Room for a burst of a thousand stations while a sending to thousands of sockets is under way.
const MAILBOX: usize = 4096;
const LONGEST_REVOCATION: Duration = Duration::from_secs(2);
const LONGEST_STOP: Duration = Duration::from_secs(4);

/// See the file's head. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Lives {
    stages: Arc<[Stage]>,
    next: Arc<AtomicUsize>,
}

/// Where one Live and its sessions are.
#[derive(Clone, Debug)]
pub struct Stage {
    pub live: Handle<Live>,
    pub seats: Arc<Seats>,
    pub arbiter: ArbiterHandle,
}

impl Lives {
    /// Starts `live-1`, … each on an arbiter of its own. Such an arbiter holds sockets, so it is bound: silent too long, it
    /// ends the process.
    ///
    /// `source` is where they look their topics up; `zone` the one in which frames give their time.
    pub fn start(tree: &Tree, source: &Arc<dyn Source>, zone: Tz, settings: &LiveSettings) -> Result<Self, StartError> {
        let start = |number| start(tree, number, source, zone, settings.tick);
        let stages: Result<Arc<[Stage]>, StartError> = (1..=settings.count).map(start).collect();
        Ok(Self {
            stages: stages?,
            next: Arc::default(),
        })
    }

    /// To whom a change is announced.
    pub fn listener<M>(&self) -> Listener<M>
    where
        Live: Handler<M>,
        M: Message<Result = ()> + Clone + Send + 'static,
    {
        let stages = Arc::clone(&self.stages);
        Listener::new("live", move |message: M| {
            // One that is full does not keep the news from the others.
            let told = stages.iter().map(|stage| stage.live.tell(message.clone()));
            told.fold(Ok(()), Result::and)
        })
    }

    /// Closes the sockets concerned, and answers how many there were. A socket that this misses, because a Live is down, is
    /// closed when the Live next looks, within some seconds.
    pub async fn revoke(&self, whose: Revoke) -> usize {
        let asked = join_all(
            self.stages
                .iter()
                .map(|stage| stage.live.ask(whose, LONGEST_REVOCATION)),
        )
        .await;
        asked.into_iter().map(|answer| answer.unwrap_or_else(missed)).sum()
    }

    /// Says goodbye on every socket, as the first step of a stop.
    pub async fn close_all(&self) {
        for answer in join_all(self.stages.iter().map(|stage| stage.live.ask(CloseAll, LONGEST_STOP))).await {
            if let Err(error) = answer {
                warn!("live sockets were not closed in order: {error}");
            }
        }
    }

    /// Where the next socket goes.
    pub fn next_stage(&self) -> &Stage {
        &self.stages[self.next.fetch_add(1, Ordering::Relaxed) % self.stages.len()]
    }
}

fn missed(error: AskError) -> usize {
    warn!("live sockets stay open until the next look, although their session was revoked: {error}");
    0
}

fn start(tree: &Tree, number: usize, source: &Arc<dyn Source>, zone: Tz, tick: Duration) -> Result<Stage, StartError> {
    let name = format!("live-{number}");
    let arbiter = Arbiter::try_new().map_err(StartError::NoArbiter)?.handle();
    tree.bind(name.as_str(), arbiter.clone());
    let (estate, source) = (Estate::default(), Arc::clone(source));
    let seats = Arc::clone(&estate.seats);
    let spec = Spec::new("live", name.as_str()).on(name.as_str()).mailbox(MAILBOX);
    let live = tree.start(spec, move || Live::new(estate.clone(), Arc::clone(&source), zone, tick))?;
    Ok(Stage { live, seats, arbiter })
}
