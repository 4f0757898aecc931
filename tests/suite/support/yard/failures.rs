//! Weighing while connections break off and transactions fail: what had no answer is asked again.

use chrono::{DateTime, TimeDelta, Utc};
use weighbridge::{
    db::{
        DbError, GroupedQuery, Query,
        edge_event::{Outcome, StoreEvents},
        wait_queue::{CallNext, Entry},
    },
    domain::edge_time::ClockModel,
};
use weighbridge_protocol::link::Event;

use super::{super::link::clock, Yard};

impl Yard {
    /// From now on its trucks come at this moment, as far as server and edge know.
    pub fn live_at(&mut self, moment: DateTime<Utc>) {
        self.clock = ClockModel::new(&clock(), moment);
    }

    /// The next truck checks in, is called and weighed, and leaves, at this moment; whatever breaks off is asked again.
    /// Answers how often that was.
    pub async fn weigh_through_failures(&mut self, moment: DateTime<Utc>) -> usize {
        self.live_at(moment);
        let called_at = moment - TimeDelta::hours(1);
        let mut broken_off = self.insist(&self.check_in(called_at)).await;
        // Its own truck: the line is everybody's.
        let waiting = format!(
            "SELECT id FROM wait_queue WHERE vehicle_id = {} AND status = 'WAITING'",
            self.vehicle
        );
        let call = CallNext {
            by_itself: false,
            entry_id: Some(self.count(&waiting).await),
            ..self.call_at(called_at)
        };
        broken_off += self.insist(&call).await;
        let events = self.stay(25_000);
        loop {
            match self.try_store(events.clone()).await {
                Ok(Outcome::Taken(_)) => return broken_off,
                Ok(Outcome::Fenced) => panic!("fenced"),
                Err(_) => broken_off += 1,
            }
        }
    }

    async fn try_store(&self, events: Vec<Event>) -> Result<Outcome, DbError> {
        let mut conn = self.pool.get().await?;
        let group = vec![self.query(self.session, events)];
        Ok(StoreEvents::run_all(group, &mut conn).await?.remove(0))
    }

    /// As the actors ask: what was overtaken is asked again.
    pub async fn insist_on<Q: Query + Clone>(&self, query: Q) -> Result<Q::Output, DbError> {
        let mut conn = self.pool.get().await?;
        loop {
            match query.clone().run(&mut conn).await {
                Err(DbError::Overtaken) => {}
                outcome => return outcome,
            }
        }
    }

    /// As `Queue` calls: what was overtaken is asked again.
    pub async fn check_in_and_insist_on_a_call(&self) -> Entry {
        self.run(self.check_in(Utc::now())).await.unwrap();
        self.insist_on(self.call_at(Utc::now())).await.unwrap().unwrap()
    }

    /// Asks until there is an answer, whatever it is: the first time may have had its effect.
    async fn insist<Q: Query + Clone>(&self, query: &Q) -> usize {
        for broken_off in 0.. {
            if let Ok(mut conn) = self.pool.get().await
                && query.clone().run(&mut conn).await.is_ok()
            {
                return broken_off;
            }
        }
        unreachable!("it is asked until it is answered")
    }
}
