//! What must be done whether or not anyone asks: partitions ahead of time, and what has outlived its use.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use chrono::Utc;
use tracing::{info, warn};
use weighbridge_supervision::Handle;

use super::repository::{Queries, Repository};
use crate::db::upkeep::Upkeep;

const BETWEEN_ROUNDS: Duration = Duration::from_hours(1);
const AFTER_TROUBLE: Duration = Duration::from_mins(1);

/// See the file's head.
#[derive(Debug)]
pub struct Housekeeping {
    repository: Handle<Repository>,
}

impl Housekeeping {
    pub const fn new(repository: Handle<Repository>) -> Self {
        Self { repository }
    }

    fn go_round(&mut self, context: &mut Context<Self>) {
        let repository = self.repository.clone();
        let round = async move { repository.run(Upkeep { now: Utc::now() }).await };
        context.spawn(round.into_actor(self).map(|done, _, context| {
            let again = match done {
                Ok(0) => BETWEEN_ROUNDS,
                Ok(forgotten) => {
                    info!("{forgotten} rows that had outlived their use are gone");
                    BETWEEN_ROUNDS
                }
                Err(error) => {
                    warn!("the upkeep of the database failed: {error}");
                    AFTER_TROUBLE
                }
            };
            context.run_later(again, Self::go_round);
        }));
    }
}

impl Actor for Housekeeping {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.go_round(context);
    }
}
