//! Whether the edge is linked, as its log says.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::world::World;

const SOON: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl World {
    /// How often the edge was welcomed.
    pub fn welcomes(&self) -> usize {
        self.edge.log().matches("linked as").count()
    }

    /// How often the edge lost its link, or did not get one.
    pub fn losses(&self) -> usize {
        self.edge.log().matches("no link to").count()
    }

    /// Waits until the edge has lost its link more often than `before`.
    pub async fn lost_since(&self, before: usize) {
        let began = Instant::now();
        while self.losses() <= before {
            let log = || self.edge.log_tail();
            assert!(began.elapsed() < SOON, "the edge does not lose its link:\n{}", log());
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the edge has been welcomed more often than `before`, and tells how long that took.
    pub async fn welcomed_since(&self, before: usize) -> Duration {
        let began = Instant::now();
        while self.welcomes() <= before {
            let log = || self.edge.log_tail();
            assert!(began.elapsed() < SOON, "the edge is not linked again:\n{}", log());
            sleep(LOOK_AGAIN).await;
        }
        began.elapsed()
    }
}
