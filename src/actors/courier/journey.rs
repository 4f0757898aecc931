//! One message on its way: delivered within its time, and settled under the lease that it was taken with.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use tracing::{debug, error, warn};

use super::{Carrier, Work};
use crate::{
    actors::repository::Queries,
    db::outbox::{Due, Settle},
    domain::delivery::{Outcome, Settlement},
};

/// Between two attempts to settle where the database is away.
const SETTLE_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How one message travels.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) work: Arc<Work>,
    pub(super) destination: &'static str,
    /// It goes to a destination that counts as down, to see whether it is.
    pub(super) was_probe: bool,
}

impl Journey {
    pub(super) async fn make(&self, carrier: Arc<dyn Carrier>, due: Due) {
        let taken_at = Instant::now();
        let (id, lease_term, tried) = (due.id, due.lease_term, due.tried);
        let about = format!("{} {} of {}", due.kind, due.id, due.aggregate_key);
        let outcome = self.delivered(carrier, due).await;
        let answered = !matches!(outcome, Outcome::Retry { .. });
        let was_probe = self.was_probe;
        self.work.breaker(self.destination, |breaker| {
            breaker.saw(answered, was_probe, Instant::now());
        });
        let settlement = self.work.patience.settle(outcome, tried, !was_probe, rand::random());
        self.settle(
            Settle {
                id,
                lease_term,
                settlement,
            },
            &about,
            taken_at,
        )
        .await;
    }

    async fn delivered(&self, carrier: Arc<dyn Carrier>, due: Due) -> Outcome {
        let limit = self.work.couriers.settings.send_timeout;
        // In a task of its own, so that a panic is one message's trouble.
        let mut delivering = actix_rt::spawn(async move { carrier.deliver(due).await });
        match timeout(limit, &mut delivering).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(ended)) => Outcome::Panicked { why: words(ended) },
            Err(_) => {
                delivering.abort();
                let why = format!("no answer within {} s", limit.as_secs_f64());
                Outcome::Retry { why, after: None }
            }
        }
    }

    /// Goes on while the lease lasts: what is known only here would be sent a second time.
    async fn settle(&self, settle: Settle, about: &str, taken_at: Instant) {
        loop {
            match self.work.couriers.repository.run(settle.clone()).await {
                Ok(true) => return self.tell(&settle.settlement, about),
                Ok(false) => {
                    self.count("outbox_fenced_total");
                    warn!("{about}: sent too late, its lease had gone to another");
                    return;
                }
                Err(error) if error.is_passing() && taken_at.elapsed() < self.work.couriers.settings.lease => {
                    sleep(SETTLE_AGAIN_AFTER).await;
                }
                Err(error) => {
                    error!("{about} cannot be settled, and is sent again when its lease ends: {error}");
                    return;
                }
            }
        }
    }

    fn tell(&self, settlement: &Settlement, about: &str) {
        match settlement {
            Settlement::Sent { .. } => {
                self.count("outbox_sent_total");
                debug!("{about} is sent");
            }
            Settlement::Later { why, wait, .. } => {
                self.count("outbox_retries_total");
                warn!("{about} is tried again in {} ms: {why}", wait.as_millis());
            }
            Settlement::Dead { why, .. } => {
                self.count("outbox_dead_total");
                error!("{about} is dead, have it retried or discarded: {why}");
            }
            Settlement::Discarded { why } => {
                self.count("outbox_discarded_total");
                debug!("{about} is not sent any more: {why}");
            }
        }
    }

    fn count(&self, counter: &'static str) {
        metrics::counter!(counter, "destination" => self.destination).increment(1);
    }
}

fn words(ended: tokio::task::JoinError) -> String {
    let Ok(panic) = ended.try_into_panic() else {
        return "its task was broken off".to_owned();
    };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
