//! What a case is: its turn, its size, its seed, and the result that it leaves behind.
//!
//! - [`score`]: what was done in a case and what came of it, as a file
//! - [`scorecard`]: the table of all results of a run, written anew after each case

mod score;
mod scorecard;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, MutexGuard};
use weighbridge_sim::{
    chance::Chance,
    truth::{Finding, Verdict},
};

use self::score::Score;

/// One case at a time: two at once would only starve each other.
static TURN: Mutex<()> = Mutex::const_new(());

/// How much of a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few seconds, in every `make test`.
    T1,
    /// What the promise is made of; minutes, by `make torture`.
    T2,
}

/// A case that runs. Where it is dropped before it has [passed](Case::passed), it has failed.
#[derive(Debug)]
pub struct Case {
    pub size: Size,
    pub seed: u64,
    score: Score,
    began: Instant,
    passed: bool,
    _turn: MutexGuard<'static, ()>,
}

impl Case {
    /// Waits for its turn. `id` is the one of the table in `main.rs`.
    pub async fn begin(id: &str) -> Self {
        let turn = TURN.lock().await;
        let (size, seed) = (size(), seed());
        println!("{id} at {size:?}; WEIGHBRIDGE_TEST_SEED={seed} draws this again");
        let test = thread::current().name().unwrap_or("unnamed").to_owned();
        Self {
            size,
            seed,
            score: Score::new(id, &test, size, seed),
            began: Instant::now(),
            passed: false,
            _turn: turn,
        }
    }

    /// What this case draws from.
    pub const fn chance(&self) -> Chance {
        Chance::of_seed(self.seed)
    }

    /// One of two figures, by size.
    pub fn pick<T>(&self, t1: T, t2: T) -> T {
        match self.size {
            Size::T1 => t1,
            Size::T2 => t2,
        }
    }

    /// By which means a fault was made, where there are several: `by a proxy`, `by network namespaces`.
    pub fn made(&mut self, how: &str) {
        how.clone_into(&mut self.score.how);
    }

    /// A fault took place so many times: `kills`, `cuts`, `restarts`, or a word of the case's own.
    pub fn did(&mut self, what: &str, times: usize) {
        *self.score.did.entry(what.to_owned()).or_default() += times;
    }

    /// How long it took until all was well again.
    pub fn recovered(&mut self, took: Duration) {
        self.score.recoveries_ms.push(took.as_millis());
    }

    /// What the judge found.
    pub fn judged(&mut self, verdict: &Verdict) {
        let score = &mut self.score;
        score.weighed += verdict.captures;
        for finding in &verdict.findings {
            match finding {
                Finding::Lost { .. } | Finding::EventMissing { .. } => score.lost += 1,
                Finding::Twice { .. } => score.doubled += 1,
                Finding::Altered { .. } | Finding::WrongNet { .. } | Finding::WrongTruck { .. } => score.altered += 1,
                Finding::Phantom { .. } => score.phantoms += 1,
                Finding::NumbersMissing { .. } => score.slip_gaps += 1,
                Finding::LeftInLine { .. }
                | Finding::Owed { .. }
                | Finding::RecordCount { .. }
                | Finding::LeftToStaff { .. }
                | Finding::AtErp { .. }
                | Finding::Refused { .. } => score.unfinished += 1,
            }
        }
    }

    /// So many weighings were looked at in the database itself.
    pub const fn weighed(&mut self, weighings: usize) {
        self.score.weighed += weighings;
    }

    /// The end of a case that this machine does not allow, and why.
    pub fn left_out(mut self, why: &str) {
        self.made(&format!("left out: {why}"));
        self.passed = true;
    }

    /// The end of a case in which every promise held.
    pub fn passed(mut self) {
        self.passed = true;
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.score.passed = self.passed;
        self.score.took_s = self.began.elapsed().as_secs();
        println!("{}", self.score);
        if let Some(folder) = env::var_os("WEIGHBRIDGE_TORTURE_RESULTS") {
            self.score.write(folder.as_ref());
            scorecard::write(folder.as_ref());
        }
    }
}

fn size() -> Size {
    match env::var("WEIGHBRIDGE_TORTURE").as_deref() {
        Err(_) | Ok("t1") => Size::T1,
        Ok("t2") => Size::T2,
        Ok(other) => panic!("WEIGHBRIDGE_TORTURE is {other:?}, expected t1 or t2"),
    }
}

fn seed() -> u64 {
    env::var("WEIGHBRIDGE_TEST_SEED").map_or_else(|_| rand::random_range(0..1_000_000), |seed| seed.parse().unwrap())
}
