//! What is owed to others, on its way: one courier for the ERP (`erp-sync`), one for drivers' phones (`push`), one for
//! messages (`messenger`). Each takes due rows of the outbox under a lease, has its [`Carrier`] deliver them, and settles
//! them.
//!
//! - [`look`]: the actor: what is due, and how much of it may go out now
//! - [`journey`]: one message on its way, and what becomes of it
//!
//! Without a carrier (nothing is configured) a courier leaves its rows owed, and says so once. What is due is looked up
//! every two seconds; [`Owed`] only makes it sooner. A courier that falls or is restarted loses nothing: what is on its
//! way is settled by its own task, and what a process that died had taken comes back when its lease ends.

mod journey;
mod look;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use actix::Message;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use weighbridge_supervision::{Handle, Spec, StartError, Tree};

use super::repository::Repository;
use crate::{
    config::DeliverySettings,
    db::outbox::Due,
    domain::delivery::{Outcome, Patience, breaker::Breaker},
};

pub use look::Courier;

/// Takes one message to its destination.
///
/// The same message may come again, on this server or another, also after it arrived: its receiver must know it by
/// `idempotency_key`. A delivery that takes longer than `delivery.send_timeout` is broken off, and one that panics is
/// tried again twice.
pub trait Carrier: Send + Sync + 'static {
    /// Sends the message, and says how that ended. No error is left out: what is no success is a `Retry`, `Dead` or
    /// `NoLongerTrue`.
    fn deliver(&self, due: Due) -> BoxFuture<'_, Outcome>;
}

/// Something was committed that is owed. Announced by whoever wrote it; may be lost.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Owed;

/// Where a courier goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Erp,
    Phones,
    Messages,
}

impl Route {
    /// The courier's name in the tree.
    pub const fn courier(self) -> &'static str {
        match self {
            Self::Erp => "erp-sync",
            Self::Phones => "push",
            Self::Messages => "messenger",
        }
    }

    /// What its rows name as their destination. Each is left alone by itself when it is down.
    pub const fn destinations(self) -> &'static [&'static str] {
        match self {
            Self::Erp => &["ERP"],
            Self::Phones => &["PUSH"],
            Self::Messages => &["SMS", "KAKAO", "EMAIL"],
        }
    }
}

/// What couriers are started with.
#[derive(Clone, Debug)]
pub struct Couriers {
    pub repository: Handle<Repository>,
    pub settings: DeliverySettings,
    /// This process, for people who look at a row under lease.
    pub owner: String,
}

impl Couriers {
    /// Starts the courier of a route, under `delivery`.
    pub fn start(&self, tree: &Tree, route: Route, carrier: Option<Arc<dyn Carrier>>) -> Result<(), StartError> {
        let spec = Spec::new(route.courier(), route.courier())
            .under("delivery")
            .on("delivery");
        let work = Arc::new(Work::new(self.clone(), route, carrier));
        tree.start(spec, move || Courier::new(Arc::clone(&work))).map(drop)
    }
}

/// What every value of a courier shares, and the messages on their way with it.
struct Work {
    couriers: Couriers,
    route: Route,
    carrier: Option<Arc<dyn Carrier>>,
    patience: Patience,
    /// Those that may be on their way at once.
    permits: Arc<Semaphore>,
    breakers: Mutex<BTreeMap<&'static str, Breaker>>,
}

impl Work {
    fn new(couriers: Couriers, route: Route, carrier: Option<Arc<dyn Carrier>>) -> Self {
        let settings = &couriers.settings;
        let breaker = |name: &&'static str| (*name, Breaker::new(settings.breaker_rest));
        Self {
            route,
            carrier,
            patience: Patience {
                first_pause: settings.first_pause,
                longest_pause: settings.longest_pause,
                attempts: settings.attempts,
                lifetime: settings.lifetime,
            },
            permits: Arc::new(Semaphore::new(settings.parallel)),
            breakers: Mutex::new(route.destinations().iter().map(breaker).collect()),
            couriers,
        }
    }

    /// Works on the breaker of a destination.
    fn breaker<T>(&self, destination: &'static str, work: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.breakers.lock();
        let rest = self.couriers.settings.breaker_rest;
        let breaker = breakers.entry(destination).or_insert_with(|| Breaker::new(rest));
        let done = work(breaker);
        let open = if breaker.is_open() { 1.0 } else { 0.0 };
        metrics::gauge!("outbox_breaker_open", "destination" => destination).set(open);
        done
    }

    const fn name(&self) -> &'static str {
        self.route.courier()
    }

    const fn look_every(&self) -> Duration {
        self.couriers.settings.look_every
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("route", &self.route)
            .field("configured", &self.carrier.is_some())
            .field("free", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}
