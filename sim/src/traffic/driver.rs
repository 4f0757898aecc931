//! One truck's life: it comes, is weighed once or twice, and is away for a while.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    itinerary::{Conduct, Itinerary},
    lineup::Lineup,
    registry::Registry,
    staff,
    step::{Done, Step, next},
};
use crate::{
    SimError,
    server::{
        Server,
        queue::{Entry, Status},
    },
    truck::{Habit, Truck},
    truth::Stay,
    yard::{Call, Visit, Yard},
};

/// A truck and the one who drives it.
#[derive(Debug)]
pub(super) struct Driver {
    pub truck: Truck,
    pub itinerary: Itinerary,
    pub yard: Arc<Yard>,
    pub server: Arc<Server>,
    pub registry: Arc<Registry>,
    pub lineup: Lineup,
    pub away: Duration,
    /// How often it was weighed on earlier days: it goes on with the pass that is next.
    pub weighed_before: u32,
}

/// What the server knows of this pass.
#[derive(Clone, Debug)]
struct Place {
    vehicle_id: i64,
    driver_id: i64,
    entry: Entry,
    /// A line that was asked for before does not have it, or not as it is now.
    since: Instant,
}

/// A driver tries again this long after a refusal, or after no answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// In life's pace: from his place in the line to the deck, and loading.
pub(super) const APPROACH: Duration = Duration::from_secs(8);
const LOADING: Duration = Duration::from_mins(2);
/// A stranger who finds no free deck for so long drives on.
const STRANGER_WAITS: Duration = Duration::from_mins(1);

impl Driver {
    /// Comes as often as it means to.
    pub(super) async fn drive(self) -> Result<(), SimError> {
        self.pass_time(self.itinerary.comes_after).await;
        let first = self.weighed_before / self.truck.passes();
        for visit in first..self.itinerary.visits.unwrap_or(u32::MAX) {
            self.visit(visit).await?;
            self.pass_time(self.truck.luck(visit).branch(1).gap(self.away)).await;
        }
        Ok(())
    }

    /// All passes of a visit that are not yet done, unless the driver gives up.
    async fn visit(&self, visit: u32) -> Result<(), SimError> {
        if self.truck.habit == Habit::Stranger {
            return self.come_uncalled(visit).await;
        }
        let passes = self.truck.passes();
        for weighing in self.weighed_before.max(visit * passes)..(visit + 1) * passes {
            let pass = weighing % passes;
            if pass > 0 {
                self.pass_time(self.truck.luck(visit).gap(LOADING)).await;
            }
            let conduct = if weighing == 0 {
                self.itinerary.conduct
            } else {
                Conduct::Obeys
            };
            if !self.come(visit, pass, conduct).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// From check-in until the server has let it go; false where it was not weighed and comes no more.
    async fn come(&self, visit: u32, pass: u32, conduct: Conduct) -> Result<bool, SimError> {
        let mut place = self.check_in().await;
        let mut done = Done::default();
        let mut last_stay = None;
        let mut known = Some(place.entry.clone());
        let gives_up_at = match conduct {
            Conduct::GivesUp(after) => Some(Instant::now() + after.div_f64(self.yard.haste())),
            _ => None,
        };
        let mut misses = matches!(conduct, Conduct::MissesACall | Conduct::NeverComes);
        loop {
            match next(known.as_ref(), &done) {
                Step::Wait if gives_up_at.is_some_and(|at| Instant::now() >= at) && !done.weighed => {
                    let gone = self.server.cancel(place.entry.id, "the driver gives up").await;
                    if gone.is_ok() {
                        return Ok(false);
                    }
                    self.ask(gone).await;
                }
                Step::Wait => {}
                Step::Leave => return Ok(true),
                Step::CheckIn => {
                    sleep(TRY_AGAIN).await;
                    place = self.check_in().await;
                    (done, known) = (Done::default(), Some(place.entry.clone()));
                }
                Step::Drive(_) if misses => {
                    done.obeyed.clone_from(&known);
                    misses = false;
                }
                Step::Drive(station) => {
                    if let Some(stay) = self.obey(&place, station, visit, pass).await? {
                        done.obeyed.clone_from(&known);
                        done.weighed |= stay.is_confirmed();
                        last_stay = Some(stay);
                        place.since = Instant::now();
                    }
                }
                Step::AskBack if conduct == Conduct::NeverComes => return Ok(false),
                Step::AskBack => self.ask(self.server.put_back(place.entry.id).await).await,
                Step::AskDecision => {
                    if let (Some(stay), Some(entry)) = (&last_stay, &known) {
                        self.ask(staff::decide(&self.server, stay, entry).await).await;
                    }
                }
            }
            known = self.lineup.entry(place.entry.id, place.since, known.as_ref()).await;
        }
    }

    /// Drives to the deck it was called to, and is weighed unless the call is no longer true when it gets there.
    async fn obey(&self, place: &Place, station: i64, visit: u32, pass: u32) -> Result<Option<Stay>, SimError> {
        if self.yard.port(station).is_err() {
            let reason = format!("station {station} is none of this yard");
            self.ask(self.server.cancel(place.entry.id, &reason).await).await;
            return Ok(None);
        }
        self.pass_time(APPROACH).await;
        let still_called = self.lineup.entries().iter().any(|entry| {
            entry.id == place.entry.id && entry.status == Status::Called && entry.station_id == Some(station)
        });
        if !still_called {
            return Ok(None);
        }
        let call = Call {
            vehicle_id: place.vehicle_id,
            driver_id: place.driver_id,
            queue_id: place.entry.id,
            queue_number: place.entry.queue_number,
        };
        let stay = self
            .yard
            .weigh(Visit::called(&self.truck, station, visit, pass, call))
            .await?;
        Ok(Some(stay))
    }

    /// Tries until the server has taken it in; an entry that stands from before is its place.
    async fn check_in(&self) -> Place {
        let key = Uuid::new_v4();
        loop {
            let refusal = match self.registry.ids(&self.server, &self.truck).await {
                Ok((vehicle_id, driver_id)) => {
                    let place = |entry| Place {
                        vehicle_id,
                        driver_id,
                        entry,
                        since: Instant::now(),
                    };
                    match self.server.check_in(vehicle_id, driver_id, self.direction(), key).await {
                        Ok(entry) => return place(entry),
                        Err(refusal) if refusal.is_refusal("ALREADY_QUEUED") => match self.old_place() {
                            Some(entry) => return place(entry),
                            None => refusal,
                        },
                        Err(refusal) => refusal,
                    }
                }
                Err(refusal) => refusal,
            };
            self.ask(Err(refusal)).await;
        }
    }

    fn old_place(&self) -> Option<Entry> {
        let is_mine = |entry: &Entry| entry.vehicle_plate.as_ref() == Some(&self.truck.plate);
        let is_open = |entry: &Entry| matches!(entry.status, Status::Waiting | Status::Called);
        self.lineup
            .entries()
            .into_iter()
            .find(|entry| is_mine(entry) && is_open(entry))
    }

    const fn direction(&self) -> Option<&'static str> {
        match self.truck.habit {
            Habit::LoadsHere => Some("OUT"),
            Habit::UnloadsHere => Some("IN"),
            Habit::OnePass | Habit::Stranger => None,
        }
    }

    /// Looks for a deck that is free and called for nobody, and drives on.
    async fn come_uncalled(&self, visit: u32) -> Result<(), SimError> {
        let until = Instant::now() + STRANGER_WAITS.div_f64(self.yard.haste());
        while Instant::now() < until {
            let entries = self.lineup.entries();
            let is_called = |station| {
                entries
                    .iter()
                    .any(|entry| entry.status == Status::Called && entry.station_id == Some(station))
            };
            let free = self
                .yard
                .station_ids()
                .find(|station| self.yard.is_free(*station) && !is_called(*station));
            if let Some(station) = free {
                return self
                    .yard
                    .weigh(Visit::stranger(&self.truck, station, visit))
                    .await
                    .map(drop);
            }
            self.pass_time(Duration::from_secs(2)).await;
        }
        Ok(())
    }

    /// What the server refuses, or cannot answer now, is tried again later.
    async fn ask(&self, answer: Result<(), SimError>) {
        if let Err(error) = answer {
            tracing::debug!(
                vehicle.plate = self.truck.plate,
                "{} has to try again: {error}",
                self.truck.plate
            );
            sleep(TRY_AGAIN).await;
        }
    }

    /// Passes time that the yard's haste makes shorter.
    async fn pass_time(&self, in_life: Duration) {
        sleep(in_life.div_f64(self.yard.haste())).await;
    }
}
