//! Kills at random, all of one seed: edge, server and PostgreSQL, at moments from 50 ms to 1.5 s apart.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep};
use weighbridge_sim::chance::Chance;

use crate::yard::world::World;

/// What was killed, how often, and how soon it was back.
#[derive(Debug, Default)]
pub struct Storm {
    edge: usize,
    server: usize,
    postgresql: usize,
    /// Ends that nobody asked for: a program that gives up for its service manager to start it again.
    fell: Vec<String>,
    recoveries: Vec<Duration>,
}

/// How fierce a storm is.
#[derive(Clone, Copy, Debug)]
pub struct Force {
    pub kills: usize,
    /// A storm in which too little was weighed proves nothing; it goes on until there is enough, but not for ever.
    pub confirmed: usize,
    pub no_longer_than: Duration,
}

/// After so many kills everything is awaited, and how long that takes is noted.
const QUIET_AFTER_EACH: usize = 20;
const QUIET: Duration = Duration::from_secs(4);
const LEAST_GAP_S: f64 = 0.05;
const GREATEST_GAP_S: f64 = 1.5;

impl Storm {
    /// Rages until there were kills and weighings enough.
    pub async fn rage(world: &mut World, force: Force, mut chance: Chance) -> Self {
        let mut storm = Self::default();
        let began = Instant::now();
        while storm.kills() < force.kills || confirmed(world) < force.confirmed {
            assert!(
                began.elapsed() < force.no_longer_than,
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

    pub const fn kills(&self) -> usize {
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

    /// How long each recovery took.
    pub fn recoveries(&self) -> &[Duration] {
        &self.recoveries
    }

    /// What ended by itself, and how.
    pub fn fell(&self) -> &[String] {
        &self.fell
    }
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills (edge {}, server {}, PostgreSQL {}), {} fell",
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
