//! A whole working day in minutes: every truck's plan comes from the seed, and when the last one has gone, what the server,
//! the ERP and the phones have is compared with what the yard knows to be true.
//!
//! - [`plan`]: who comes when, who misses a call or gives up, and when stations are closed
//! - [`books`]: what must be so when the day is over

pub mod books;
pub mod plan;

use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use self::plan::Plan;
use crate::{screen, site::Site, traffic::Lineup};

const TOLD_EVERY: Duration = Duration::from_secs(10);
/// When the gates open, in hours of the simulated day.
const OPENS_AT: f64 = 6.0;

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
