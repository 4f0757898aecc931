//! What must be done whether or not anyone asks: partitions ahead of time, what has outlived its use, and the nightly close.
//!
//! A chore that fails keeps no other from being done; it is counted by `chores_failed_total`. Of several servers one does it, the leader, by a lease in the database. It trusts its lease for a second less than that
//! lasts, counted from before it asked; and whatever it writes checks the term again in its own transaction.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use chrono::{TimeDelta, Utc};
use tracing::{error, info, warn};
use weighbridge_supervision::{Handle, Listener};

use super::{
    courier::Owed,
    repository::{Queries, Repository},
};
use crate::{
    config::LeaderSettings,
    db::{
        DbError,
        day_close::{CloseDays, Closing},
        leader_lease::TakeLease,
        upkeep::{COMING_MONTHS, Forget},
    },
};

const MARGIN: Duration = Duration::from_secs(1);
/// What failed is tried again after this, or when it is due next, whichever is sooner.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// What Housekeeping is started with.
#[derive(Clone, Debug)]
pub struct Chores {
    pub repository: Handle<Repository>,
    pub settings: LeaderSettings,
    /// This process among those that share the database.
    pub node: String,
    /// Hears that a close is owed.
    pub owed: Listener<Owed>,
}

/// See the file's head.
#[derive(Debug)]
pub struct Housekeeping {
    chores: Arc<Chores>,
    /// None: not known yet.
    leads: Option<Leads>,
    due: Due,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// In this term.
    Here(i64),
    Elsewhere,
    /// The database does not answer, so no lease can be trusted.
    Unknown,
}

/// What is to be done. Each is done by itself: one that fails keeps no other from being done.
#[derive(Clone, Copy, Debug)]
enum Chore {
    /// Partitions for the months to come.
    Months,
    /// Rows that have outlived their use.
    Forgetting,
    /// Closes of days.
    Closing,
}

/// Whether a chore is done until it is due again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Done,
    /// The next round goes on with it.
    GoesOn,
}

/// When each chore is next.
type Due = [(Chore, Instant); 3];

impl Chore {
    /// In metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Months => "months",
            Self::Forgetting => "forgetting",
            Self::Closing => "closing",
        }
    }

    const fn every(self) -> Duration {
        match self {
            Self::Months | Self::Forgetting => Duration::from_hours(1),
            Self::Closing => Duration::from_mins(1),
        }
    }
}

impl Housekeeping {
    pub fn new(chores: Arc<Chores>) -> Self {
        let now = Instant::now();
        Self {
            chores,
            leads: None,
            due: [Chore::Months, Chore::Forgetting, Chore::Closing].map(|chore| (chore, now)),
        }
    }

    fn go_round(&mut self, context: &mut Context<Self>) {
        let (chores, due, leads) = (Arc::clone(&self.chores), self.due, self.leads);
        let round = async move { chores.round(due, leads).await };
        context.spawn(round.into_actor(self).map(|went, keeper, context| {
            match went {
                Ok((leads, due)) => {
                    keeper.note(leads);
                    keeper.due = due;
                }
                Err(error) => {
                    warn!("who leads cannot be asked: {error}");
                    keeper.note(Leads::Unknown);
                }
            }
            context.run_later(keeper.chores.settings.renew, Self::go_round);
        }));
    }

    fn note(&mut self, leads: Leads) {
        if self.leads != Some(leads) {
            match leads {
                Leads::Here(term) => info!("this server leads, in term {term}"),
                Leads::Elsewhere => info!("another server leads"),
                Leads::Unknown => info!("this server does not lead until the database answers"),
            }
            metrics::gauge!("leader").set(if matches!(leads, Leads::Here(_)) { 1.0 } else { 0.0 });
        }
        self.leads = Some(leads);
    }
}

impl Chores {
    /// Renews the lease, and does what is due while it can be trusted. In a new term everything is.
    async fn round(&self, mut due: Due, before: Option<Leads>) -> Result<(Leads, Due), DbError> {
        let asked_at = Instant::now();
        let lease = self.settings.lease;
        let take = TakeLease {
            holder: self.node.clone(),
            lease,
        };
        let Some(term) = self.repository.run(take).await? else {
            return Ok((Leads::Elsewhere, due));
        };
        let trusted_until = asked_at + lease.saturating_sub(MARGIN.min(lease / 4));
        let is_new = before != Some(Leads::Here(term));
        for (chore, at) in &mut due {
            let now = Instant::now();
            if (*at > now && !is_new) || now >= trusted_until {
                continue;
            }
            let pause = match self.work(*chore, term).await {
                Ok(Work::Done) => chore.every(),
                Ok(Work::GoesOn) => Duration::ZERO,
                // The database was away, and may be back when the lease is renewed.
                Err(error) if error.is_passing() => {
                    warn!("the chore {} is put off: {error}", chore.name());
                    Duration::ZERO
                }
                Err(error) => {
                    failed(*chore, &error.to_string());
                    chore.every().min(AFTER_FAILURE)
                }
            };
            *at = Instant::now() + pause;
        }
        Ok((Leads::Here(term), due))
    }

    async fn work(&self, chore: Chore, term: i64) -> Result<Work, DbError> {
        match chore {
            Chore::Months => self.repository.run(COMING_MONTHS).await.map(|_| Work::Done),
            Chore::Forgetting => {
                let gone = self.repository.run(Forget { now: Utc::now(), term }).await?;
                if gone > 0 {
                    info!("{gone} rows that had outlived their use are gone");
                }
                Ok(Work::Done)
            }
            Chore::Closing => self.close_days(term).await,
        }
    }

    async fn close_days(&self, term: i64) -> Result<Work, DbError> {
        let after_midnight = TimeDelta::from_std(self.settings.close_after_midnight).unwrap_or(TimeDelta::zero());
        let close = CloseDays {
            term,
            now: Utc::now(),
            after_midnight,
        };
        let Some(closing) = self.repository.run(close).await? else {
            warn!("the days were not closed: another server leads by now");
            return Ok(Work::Done);
        };
        let Closing {
            closed,
            failed: open,
            goes_on,
        } = closing;
        for day in &closed {
            metrics::counter!("days_closed_total").increment(1);
            info!(
                site.id = day.site_id,
                "the {} of site {} is closed", day.day, day.site_id
            );
        }
        for (site_id, error) in &open {
            failed(Chore::Closing, &format!("site {site_id}: {error}"));
        }
        if !closed.is_empty() {
            self.owed.announce(Owed);
        }
        Ok(if goes_on { Work::GoesOn } else { Work::Done })
    }
}

/// A person is asked for: what failed in the database fails again until somebody mends it.
fn failed(chore: Chore, why: &str) {
    metrics::counter!("chores_failed_total", "chore" => chore.name()).increment(1);
    error!("the chore {} failed, it is tried again: {why}", chore.name());
}

impl Actor for Housekeeping {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.go_round(context);
    }
}
