//! A whole working day in minutes: every truck's plan comes from the seed, and when the last one has gone, what the server,
//! the ERP and the phones have is compared with what the yard knows to be true.
//!
//! - [`plan`]: who comes when, who misses a call or gives up, and when stations are closed
//! - [`books`]: what must be so when the day is over

pub mod books;
pub mod plan;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};

pub use self::plan::Plan;
use crate::{
    encode::Format,
    run::{Programs, Run, Shows},
    screen,
    site::{Site, SiteSpec},
    traffic::Lineup,
};

/// A day that is about to be played.
#[derive(Clone, Debug)]
pub struct Day {
    pub programs: Programs,
    /// A folder that no day was in before: what another left there would be taken for this one's.
    pub folder: PathBuf,
    pub seed: u64,
    pub trucks: u32,
    /// How long trucks come, in life's pace.
    pub lasts: Duration,
    /// How many times faster than life, 1 to 100.
    pub haste: f64,
}

const STATIONS: [Format; 3] = [Format::Cas22, Format::And18, Format::MtContinuous];
/// Frames a second: life's ten would be the slowest part of a day that goes so fast.
const RATE_HZ: u32 = 50;
/// How long a called truck may take in life's pace, and at least, for machines have a pace of their own.
const CALL_DEADLINE: Duration = Duration::from_mins(5);
const LEAST_DEADLINE: Duration = Duration::from_secs(8);
/// Nobody leaves without the board's word.
const PATIENCE: Duration = Duration::from_secs(30);
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// When the gates open, in hours of the simulated day.
const OPENS_AT: f64 = 6.0;

impl Day {
    pub fn plan(&self) -> Plan {
        Plan::draw(self.seed, self.trucks, self.lasts, STATIONS.len())
    }

    /// The run that plays it.
    pub fn run(&self) -> Run {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let deadline = CALL_DEADLINE.div_f64(self.haste).max(LEAST_DEADLINE);
        Run {
            programs: self.programs.clone(),
            site: SiteSpec {
                folder: self.folder.clone(),
                formats: STATIONS.to_vec(),
                rate_hz: RATE_HZ,
                haste: self.haste,
                seed: self.seed,
                habits: plan::HABITS,
                traffic: self.plan().traffic,
                patience: PATIENCE,
                board: anywhere,
                control: anywhere,
                commands: Vec::new(),
            },
            listen: anywhere,
            settings: vec![(
                "WEIGHBRIDGE__QUEUE__CALL_DEADLINE",
                format!("{}ms", deadline.as_millis()),
            )],
            shows: Shows::Progress,
        }
    }
}

/// Says now and then how far the day is, for as long as it is polled.
pub async fn show(site: &Site, lineup: &Lineup) {
    let began = Instant::now();
    loop {
        sleep(TOLD_EVERY).await;
        let stays = site.yard.truth();
        let weighed = stays.iter().filter(|stay| stay.is_confirmed()).count();
        let minutes = OPENS_AT * 60.0 + began.elapsed().as_secs_f64() * site.yard.haste() / 60.0;
        screen::line(&format!(
            "  {}  {weighed} weighed, {} waiting  {}",
            clock(minutes),
            lineup.waiting(),
            site.yard.states().replace('\n', " | ")
        ));
    }
}

fn clock(minutes: f64) -> String {
    let minutes = Duration::from_secs_f64(minutes * 60.0).as_secs() / 60;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_that_of_the_simulated_day() {
        assert_eq!(clock(360.0), "06:00");
        assert_eq!(clock(13.0 * 60.0 + 7.5), "13:07");
    }
}
