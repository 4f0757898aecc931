//! What must be done whether or not anyone asks: partitions ahead of time, what has outlived its use, and the nightly close.
//!
//! Of several servers one does it, the leader, by a lease in the database. It trusts its lease for a second less than that
//! lasts, counted from before it asked; and whatever it writes checks the term again in its own transaction.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use chrono::{TimeDelta, Utc};
use tracing::{info, warn};
use weighbridge_supervision::{Handle, Listener};

use super::{
    courier::Owed,
    repository::{Queries, Repository},
};
use crate::{
    config::LeaderSettings,
    db::{DbError, day_close::CloseDays, leader_lease::TakeLease, upkeep::Upkeep},
};

const BETWEEN_UPKEEPS: Duration = Duration::from_hours(1);
const BETWEEN_CLOSES: Duration = Duration::from_mins(1);
const MARGIN: Duration = Duration::from_secs(1);

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
    term: Option<i64>,
    due: Due,
}

/// When each chore is next.
#[derive(Clone, Copy, Debug)]
struct Due {
    upkeep: Instant,
    close: Instant,
}

impl Housekeeping {
    pub fn new(chores: Arc<Chores>) -> Self {
        let now = Instant::now();
        Self {
            chores,
            term: None,
            due: Due {
                upkeep: now,
                close: now,
            },
        }
    }

    fn go_round(&mut self, context: &mut Context<Self>) {
        let (chores, due) = (Arc::clone(&self.chores), self.due);
        let round = async move { chores.round(due).await };
        context.spawn(round.into_actor(self).map(|went, keeper, context| {
            match went {
                Ok((term, due)) => {
                    keeper.note(term);
                    keeper.due = due;
                }
                Err(error) => warn!("the scheduled work failed: {error}"),
            }
            context.run_later(keeper.chores.settings.renew, Self::go_round);
        }));
    }

    fn note(&mut self, term: Option<i64>) {
        if term != self.term {
            if let Some(term) = term {
                info!("this server leads, in term {term}");
            } else {
                info!("another server leads");
            }
            metrics::gauge!("leader").set(if term.is_some() { 1.0 } else { 0.0 });
        }
        self.term = term;
    }
}

impl Chores {
    /// Renews the lease, and does what is due while it can be trusted.
    async fn round(&self, mut due: Due) -> Result<(Option<i64>, Due), DbError> {
        let asked_at = Instant::now();
        let lease = self.settings.lease;
        let take = TakeLease {
            holder: self.node.clone(),
            lease,
        };
        let Some(term) = self.repository.run(take).await? else {
            return Ok((None, due));
        };
        let trusted_until = asked_at + lease.saturating_sub(MARGIN.min(lease / 4));
        if due.upkeep <= Instant::now() && Instant::now() < trusted_until {
            let gone = self
                .repository
                .run(Upkeep {
                    now: Utc::now(),
                    term: Some(term),
                })
                .await?;
            if gone > 0 {
                info!("{gone} rows that had outlived their use are gone");
            }
            due.upkeep = Instant::now() + BETWEEN_UPKEEPS;
        }
        if due.close <= Instant::now() && Instant::now() < trusted_until {
            self.close_days(term).await?;
            due.close = Instant::now() + BETWEEN_CLOSES;
        }
        Ok((Some(term), due))
    }

    async fn close_days(&self, term: i64) -> Result<(), DbError> {
        let after_midnight = TimeDelta::from_std(self.settings.close_after_midnight).unwrap_or(TimeDelta::zero());
        let close = CloseDays {
            term,
            now: Utc::now(),
            after_midnight,
        };
        let Some(closed) = self.repository.run(close).await? else {
            warn!("the days were not closed: another server leads by now");
            return Ok(());
        };
        for day in &closed {
            metrics::counter!("days_closed_total").increment(1);
            info!(
                site.id = day.site_id,
                "the {} of site {} is closed", day.day, day.site_id
            );
        }
        if !closed.is_empty() {
            self.owed.announce(Owed);
        }
        Ok(())
    }
}

impl Actor for Housekeeping {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.go_round(context);
    }
}
