//! Trucks that come and go as the server calls them: check in, wait, obey, be weighed, leave, come again.
//!
//! - [`itinerary`]: what each truck means to do, and when
//! - [`driver`]: one truck's life
//! - [`step`]: what a driver does next, a pure function of what the line says
//! - [`lineup`]: the line, asked for when the server says that it changed
//! - [`phones`]: the phones of drivers who have one
//! - [`registry`]: the server's ids of trucks and drivers
//! - [`staff`]: what people in the office do so that nobody waits for ever

mod driver;
pub mod itinerary;
mod lineup;
#[cfg(test)]
mod office;
mod phones;
mod registry;
mod staff;
mod step;

use std::{sync::Arc, time::Duration};

use tokio::{sync::broadcast, task::JoinSet};

use self::{driver::Driver, registry::Registry};
pub use self::{itinerary::TrafficSpec, lineup::Lineup, phones::Phones, staff::clear_line};
use crate::{
    SimError,
    server::{
        Server,
        live::{self, News},
    },
    truth::Stay,
    yard::Yard,
};

/// No truck that obeys a call is on the deck sooner.
pub fn least_approach(haste: f64) -> Duration {
    driver::APPROACH.div_f64(haste * 2.0)
}

/// The trucks on the road. Dropping it takes them off.
#[derive(Debug)]
pub struct Traffic {
    trucks: JoinSet<Result<(), SimError>>,
    /// What goes on for as long as there are trucks.
    tasks: JoinSet<Result<(), SimError>>,
    news: broadcast::Sender<News>,
    lineup: Lineup,
}

impl Traffic {
    /// Sends the trucks on their way, one after the other.
    ///
    /// # Errors
    /// Where the server does not answer, or does not let us in.
    pub async fn start(
        yard: Arc<Yard>,
        server: Arc<Server>,
        spec: TrafficSpec,
        phones: Option<Arc<Phones>>,
    ) -> Result<Self, SimError> {
        let registry = Arc::new(Registry::read(&server, phones).await?);
        let (news, _) = broadcast::channel(256);
        let lineup = Lineup::default();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (server, news) = (Arc::clone(&server), news.clone());
            async move {
                live::listen(&server, &news).await;
                Ok(())
            }
        });
        tasks.spawn({
            let (server, lineup, news) = (Arc::clone(&server), lineup.clone(), news.subscribe());
            async move {
                lineup.follow(&server, news).await;
                Ok(())
            }
        });
        tasks.spawn({
            let (server, lineup, yard) = (Arc::clone(&server), lineup.clone(), Arc::clone(&yard));
            async move {
                staff::call_by_hand(&server, &lineup, &yard).await;
                Ok(())
            }
        });
        for closure in spec.closures {
            let (server, yard) = (Arc::clone(&server), Arc::clone(&yard));
            tasks.spawn(async move {
                staff::close_for_a_while(&server, &yard, closure).await;
                std::future::pending().await
            });
        }
        let mut trucks = JoinSet::new();
        let past = yard.truth();
        for (number, itinerary) in (1..).zip(spec.trucks) {
            let truck = yard.truck(number);
            let is_of_it = |stay: &&Stay| stay.is_confirmed() && stay.plate == truck.plate;
            let driver = Driver {
                weighed_before: u32::try_from(past.iter().filter(is_of_it).count()).unwrap_or(0),
                truck,
                itinerary,
                yard: Arc::clone(&yard),
                server: Arc::clone(&server),
                registry: Arc::clone(&registry),
                lineup: lineup.clone(),
                away: spec.away,
            };
            trucks.spawn(driver.drive());
        }
        Ok(Self {
            trucks,
            tasks,
            news,
            lineup,
        })
    }

    /// What the server tells by WebSocket.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// The waiting line as the trucks know it.
    pub fn lineup(&self) -> Lineup {
        self.lineup.clone()
    }

    /// Runs until the last truck has gone, or something breaks that no driver can mend.
    pub async fn run(&mut self) -> Result<(), SimError> {
        let (trucks, tasks) = (&mut self.trucks, &mut self.tasks);
        let has_trucks = !trucks.is_empty();
        tokio::select! {
            ended = all(trucks, "a truck's task"), if has_trucks => ended,
            ended = all(tasks, "a task beside the trucks") => ended,
        }
    }
}

/// Waits for all, or the first that fails.
async fn all(tasks: &mut JoinSet<Result<(), SimError>>, what: &str) -> Result<(), SimError> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| SimError::Internal(format!("{what} broke: {error}")))??;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
