//! What each truck of a day means to do, and when the stations are closed: all times in life's pace, from the opening on.

use std::time::Duration;

/// One truck's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Itinerary {
    /// When it comes first.
    pub comes_after: Duration,
    /// Then it comes no more; none: again and again.
    pub visits: Option<u32>,
    pub conduct: Conduct,
}

/// How a driver behaves on the first pass of his first visit; afterwards everybody obeys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    #[default]
    Obeys,
    /// He misses his first call, and has the office put him back into the line.
    MissesACall,
    /// He checks in, and is gone when he is called.
    NeverComes,
    /// He gives up where he has not been called for so long.
    GivesUp(Duration),
}

/// A station that is closed for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closure {
    /// Which of the yard's stations, from 0.
    pub station: usize,
    pub after: Duration,
    pub lasts: Duration,
}

/// Everything that trucks start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficSpec {
    /// One for each truck, in the order of their numbers.
    pub trucks: Vec<Itinerary>,
    pub closures: Vec<Closure>,
    /// Between two visits of a truck, on average.
    pub away: Duration,
}

/// How far apart an endless day's first trucks come.
const HEADWAY: Duration = Duration::from_secs(6);

impl TrafficSpec {
    /// So many trucks that come again and again, to stations that are never closed.
    pub fn endless(trucks: u32, away: Duration) -> Self {
        let truck = |number| Itinerary {
            comes_after: HEADWAY * number,
            visits: None,
            conduct: Conduct::Obeys,
        };
        Self {
            trucks: (0..trucks).map(truck).collect(),
            closures: Vec::new(),
            away,
        }
    }
}
