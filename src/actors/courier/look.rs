//! The courier itself: looks what is due, and sends out as much of it as may go.

use std::{sync::Arc, time::Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use tracing::{info, warn};

use super::{Owed, Work, journey::Journey};
use crate::{
    actors::repository::Queries,
    db::{
        DbError,
        outbox::{Backlog, Backlogs, Claim},
    },
};

/// See the folder's head.
#[derive(Debug)]
pub struct Courier {
    work: Arc<Work>,
    /// One look at a time; what is announced meanwhile is looked for right after it.
    looking: bool,
    announced: bool,
    next: Option<SpawnHandle>,
    /// Said once a start, not every two seconds.
    said: bool,
}

/// A message has been settled: there is room for another, and a later one of its aggregate may be due.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct Settled;

impl Courier {
    pub(super) const fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            looking: false,
            announced: false,
            next: None,
            said: false,
        }
    }

    fn look(&mut self, context: &mut Context<Self>) {
        if self.looking {
            self.announced = true;
            return;
        }
        self.looking = true;
        if let Some(next) = self.next.take() {
            context.cancel_future(next);
        }
        let work = Arc::clone(&self.work);
        let address = context.address();
        // A task of its own: what it has taken it sends, also when the courier falls meanwhile.
        let looking = actix_rt::spawn(send_out(work, move || address.do_send(Settled)));
        context.spawn(looking.into_actor(self).map(|looked, courier, context| {
            courier.looking = false;
            if let Ok(Err(error)) = looked {
                warn!("{} cannot look what is due: {error}", courier.work.name());
            }
            if std::mem::take(&mut courier.announced) {
                courier.look(context);
            } else {
                courier.next = Some(context.run_later(courier.work.look_every(), Self::look));
            }
        }));
    }

    /// Tells by gauges how much is owed.
    fn count(&mut self, context: &mut Context<Self>) {
        let repository = self.work.couriers.repository.clone();
        let backlogs = Backlogs {
            destinations: self.work.route.destinations().to_vec(),
        };
        let counting = async move { repository.run(backlogs).await };
        context.spawn(counting.into_actor(self).map(|counted, courier, context| {
            match counted {
                Ok(backlogs) => courier.tell(&backlogs),
                Err(error) => warn!("{} cannot count what is owed: {error}", courier.work.name()),
            }
            context.run_later(courier.work.look_every() * COUNTED_EVERY, Self::count);
        }));
    }

    fn tell(&mut self, backlogs: &[Backlog]) {
        let name = self.work.name();
        for Backlog {
            destination,
            owed,
            dead,
            oldest_seconds,
        } in backlogs
        {
            for (gauge, value) in [
                ("outbox_owed", owed),
                ("outbox_dead", dead),
                ("outbox_oldest_seconds", oldest_seconds),
            ] {
                // A gauge is exact far beyond what may ever be owed.
                #[expect(clippy::cast_precision_loss, reason = "see above")]
                metrics::gauge!(gauge, "courier" => name, "destination" => destination.clone()).set(*value as f64);
            }
        }
        let owed: i64 = backlogs.iter().map(|backlog| backlog.owed).sum();
        if owed > 0 && self.work.carrier.is_none() && !self.said {
            self.said = true;
            info!("{name}: {owed} messages wait, no destination is configured");
        }
    }
}

/// Looks between two counts of what is owed.
const COUNTED_EVERY: u32 = 5;

/// Takes what is due and may go out, for each destination, and sends each on its way.
async fn send_out(work: Arc<Work>, settled: impl Fn() + Clone + 'static) -> Result<(), DbError> {
    let Some(carrier) = work.carrier.clone() else {
        return Ok(());
    };
    for destination in work.route.destinations().iter().copied() {
        let free = work.permits.available_permits();
        let limit = work.breaker(destination, |breaker| breaker.admits(free, Instant::now()));
        if limit == 0 {
            continue;
        }
        let claim = Claim {
            destination,
            owner: work.couriers.owner.clone(),
            lease: work.couriers.settings.lease,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        for due in work.couriers.repository.run(claim).await? {
            let was_probe = work.breaker(destination, |breaker| breaker.sends(Instant::now()));
            let permit = Arc::clone(&work.permits).acquire_owned().await.ok();
            let journey = Journey {
                work: Arc::clone(&work),
                destination,
                was_probe,
            };
            let (carrier, settled) = (Arc::clone(&carrier), settled.clone());
            // A task of its own: it settles also when the courier has fallen meanwhile.
            actix_rt::spawn(async move {
                journey.make(carrier, due).await;
                drop(permit);
                settled();
            });
        }
    }
    Ok(())
}

impl Actor for Courier {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.look(context);
        self.count(context);
    }
}

impl Handler<Owed> for Courier {
    type Result = ();

    fn handle(&mut self, _: Owed, context: &mut Context<Self>) {
        self.look(context);
    }
}

impl Handler<Settled> for Courier {
    type Result = ();

    fn handle(&mut self, _: Settled, context: &mut Context<Self>) {
        self.look(context);
    }
}
