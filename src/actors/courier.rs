//! What is owed to others, on its way: one courier for the ERP (`erp-sync`), one for drivers' phones (`push`), one for
//! messages (`messenger`).
//!
//! No destination can be configured yet: a courier takes its rows, says so on each, and leaves them owed. Nothing is lost,
//! and no attempt is counted.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use chrono::{TimeDelta, Utc};
use tracing::{info, warn};
use weighbridge_supervision::{Handle, Spec, StartError, Tree};

use super::repository::{Queries, Repository};
use crate::db::outbox::{Postpone, Postponed};

const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// Long, for each time rewrites every row that is owed.
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Where a courier goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    Erp,
    Phones,
    Messages,
}

impl Destination {
    const ALL: [Self; 3] = [Self::Erp, Self::Phones, Self::Messages];

    /// The courier's name in the tree.
    const fn courier(self) -> &'static str {
        match self {
            Self::Erp => "erp-sync",
            Self::Phones => "push",
            Self::Messages => "messenger",
        }
    }

    /// How the kinds of its rows begin.
    const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Erp => &["ERP_"],
            Self::Phones => &["PUSH_"],
            Self::Messages => &["SMS_", "KAKAO_", "EMAIL_"],
        }
    }
}

/// See the file's head.
#[derive(Debug)]
pub struct Courier {
    destination: Destination,
    repository: Handle<Repository>,
    /// Said once a start, not every two seconds.
    said: bool,
}

/// Starts all of them, under `delivery`.
pub fn start_all(tree: &Tree, repository: &Handle<Repository>) -> Result<(), StartError> {
    for destination in Destination::ALL {
        let repository = repository.clone();
        let spec = Spec::new(destination.courier(), destination.courier())
            .under("delivery")
            .on("delivery");
        tree.start(spec, move || Courier {
            destination,
            repository: repository.clone(),
            said: false,
        })?;
    }
    Ok(())
}

impl Courier {
    fn look(&mut self, context: &mut Context<Self>) {
        let now = Utc::now();
        let postpone = Postpone {
            kinds: self.destination.kinds().iter().map(|kind| format!("{kind}%")).collect(),
            why: "no destination is configured",
            until: now + ASK_AGAIN_AFTER,
            now,
        };
        let repository = self.repository.clone();
        let looking = async move { repository.run(postpone).await };
        context.spawn(looking.into_actor(self).map(|looked, courier, context| {
            match looked {
                Ok(postponed) => courier.found(postponed),
                Err(error) => warn!("{} cannot look what is owed: {error}", courier.destination.courier()),
            }
            context.run_later(BETWEEN_LOOKS, Self::look);
        }));
    }

    fn found(&mut self, Postponed { owed }: Postponed) {
        let name = self.destination.courier();
        // A gauge is exact far beyond what may ever be owed.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        metrics::gauge!("outbox_owed", "courier" => name).set(owed as f64);
        if owed > 0 && !self.said {
            self.said = true;
            info!("{name}: {owed} messages wait, no destination is configured");
        }
    }
}

impl Actor for Courier {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.look(context);
    }
}
