//! Starts the actors that stand for stations and sites: at start-up for all there are, later for each that is added.

use std::time::Duration;

use chrono::TimeDelta;
use weighbridge_protocol::Kilograms;
use weighbridge_supervision::{Handle, Listener, Spec, StartError};

use super::{
    directory::{Directory, indicator_name, queue_name},
    indicator::{FeedServices, Indicator, Listeners},
    live::{DriverChanged, QueueChanged, StationChanged, WeighingChanged, WeightChanged},
    queue::{Queue, StationFreed},
    repository::Repository,
};

/// Whom the dashboards' stream hears.
#[derive(Clone, Debug)]
pub struct Screens {
    pub weights: Listener<WeightChanged>,
    pub stations: Listener<StationChanged>,
    pub weighings: Listener<WeighingChanged>,
    pub lines: Listener<QueueChanged>,
    pub drivers: Listener<DriverChanged>,
}

/// What a station's and a site's actors are started with. Clones start the same.
#[derive(Clone, Debug)]
pub struct Stations {
    pub directory: Directory,
    pub repository: Handle<Repository>,
    pub screens: Screens,
    pub call_deadline: TimeDelta,
    /// How often a line is looked at though nothing was announced.
    pub look_every: Duration,
    /// What a weight must exceed a registered tare by.
    pub min_net: Kilograms,
    #[cfg(feature = "chaos")]
    pub poison: super::chaos::Poison,
}

impl Stations {
    /// Starts a site's queue. One that runs already is left alone.
    pub fn start_site(&self, site_id: i64) -> Result<(), StartError> {
        let (this, spec) = (self.clone(), Spec::new("queue", queue_name(site_id)).on("queues"));
        let queue = move || {
            let Self {
                call_deadline,
                look_every,
                repository,
                directory,
                screens,
                ..
            } = this.clone();
            Queue::new(
                site_id,
                (call_deadline, look_every),
                repository,
                directory,
                (screens.lines, screens.drivers),
            )
        };
        once(self.directory.tree().start(spec, queue).map(drop))
    }

    /// Starts a station's indicator. One that runs already is left alone.
    pub fn start_station(&self, station_id: i64, site_id: i64) -> Result<(), StartError> {
        let line = self.line_of(site_id);
        let this = self.clone();
        let indicator = move || {
            let Screens {
                weights,
                stations,
                weighings,
                drivers,
                ..
            } = this.screens.clone();
            let listeners = Listeners {
                weights,
                stations,
                weighings,
                drivers,
                line: line.clone(),
            };
            let feed = FeedServices {
                directory: this.directory.clone(),
                min_net: this.min_net,
            };
            Indicator::new(
                station_id,
                this.repository.clone(),
                listeners,
                feed,
                #[cfg(feature = "chaos")]
                this.poison.clone(),
            )
        };
        let spec = Spec::new("indicator", indicator_name(station_id))
            .under("stations")
            .on("indicators")
            .mailbox(1024);
        once(self.directory.tree().start(spec, indicator).map(drop))
    }

    /// Found at each announcement: a site's queue may be started after its station.
    fn line_of(&self, site_id: i64) -> Listener<StationFreed> {
        let directory = self.directory.clone();
        Listener::new(queue_name(site_id), move |freed| match directory.queue(site_id) {
            Some(queue) => queue.tell(freed),
            None => Err(weighbridge_supervision::TellError::Down),
        })
    }
}

fn once(started: Result<(), StartError>) -> Result<(), StartError> {
    match started {
        Err(StartError::NameTaken(_)) => Ok(()),
        other => other,
    }
}
