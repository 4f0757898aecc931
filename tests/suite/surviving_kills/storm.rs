//! Kills at random, all of one seed: edge, server and PostgreSQL, at moments from 50 ms to 1.5 s apart.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep};
use weighbridge_sim::chance::Chance;

use super::world::World;

/// What was killed, how often, and how soon it was back.
#[derive(Debug, Default)]
pub struct Storm {
    edge: u32,
    server: u32,
    postgresql: u32,
    /// Ends that nobody asked for: a program that gives up for its service manager to start it again.
    fell: Vec<String>,
    recoveries: Vec<Duration>,
}

const KILLS: u32 = 100;
/// A storm in which too little was weighed proves nothing; it goes on until there is enough, but not for ever.
const CONFIRMED: usize = 40;
const NO_LONGER_THAN: Duration = Duration::from_mins(4);
/// After so many kills everything is awaited, and how long that takes is noted.
const QUIET_AFTER_EACH: u32 = 20;
const QUIET: Duration = Duration::from_secs(4);
const LEAST_GAP_S: f64 = 0.05;
const GREATEST_GAP_S: f64 = 1.5;

impl Storm {
    /// Rages until there were kills and weighings enough.
    pub async fn rage(world: &mut World, mut chance: Chance) -> Self {
        let mut storm = Self::default();
        let began = Instant::now();
        while storm.kills() < KILLS || confirmed(world) < CONFIRMED {
            assert!(
                began.elapsed() < NO_LONGER_THAN,
                "void: {} weighings confirmed during {storm}",
                confirmed(world)
            );
            let gap = LEAST_GAP_S * (GREATEST_GAP_S / LEAST_GAP_S).powf(chance.between(0.0, 1.0));
            sleep(Duration::from_secs_f64(gap)).await;
            storm.pick_up(world);
            storm.kill_one(world, &mut chance);
            if storm.kills().is_multiple_of(QUIET_AFTER_EACH) {
                storm.recover(world).await;
                sleep(QUIET).await;
            }
        }
        storm.recover(world).await;
        storm
    }

    pub const fn kills(&self) -> u32 {
        self.edge + self.server + self.postgresql
    }

    fn kill_one(&mut self, world: &mut World, chance: &mut Chance) {
        let victim = chance.between(0.0, 1.0);
        if victim < 0.5 {
            world.edge.kill_and_start();
            self.edge += 1;
        } else if victim < 0.8 {
            world.server.kill_and_start();
            self.server += 1;
        } else if world.crash_postgresql() {
            self.postgresql += 1;
        }
    }

    fn pick_up(&mut self, world: &mut World) {
        for (name, process) in [("edge", &mut world.edge), ("server", &mut world.server)] {
            if let Some(status) = process.fell() {
                self.fell.push(format!("{name} {status}: {}", process.log_tail()));
            }
        }
    }

    async fn recover(&mut self, world: &mut World) {
        let began = Instant::now();
        self.pick_up(world);
        world.edge.ready().await;
        world.server.ready().await;
        self.recoveries.push(began.elapsed());
    }

    /// What ended by itself, and how.
    pub fn fell(&self) -> &[String] {
        &self.fell
    }
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut recoveries = self.recoveries.clone();
        recoveries.sort_unstable();
        let worst = recoveries.last().copied().unwrap_or_default();
        let median = recoveries.get(recoveries.len() / 2).copied().unwrap_or_default();
        write!(
            f,
            "{} kills (edge {}, server {}, PostgreSQL {}), {} fell | all ready again p50 {median:.1?} max {worst:.1?}",
            self.kills(),
            self.edge,
            self.server,
            self.postgresql,
            self.fell.len(),
        )
    }
}

fn confirmed(world: &World) -> usize {
    world
        .site
        .yard
        .truth()
        .iter()
        .filter(|stay| stay.is_confirmed())
        .count()
}
