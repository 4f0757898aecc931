//! A hundred thousand seeds, and the proof that they would find what breaks.

#![allow(clippy::print_stdout, reason = "figures and failing seeds are what this prints")]

use std::{env, thread};

use weighbridge_simulation::{
    breaks::{Break, HEALED, MUTANTS, RULES},
    run::{self, Failure},
    world::Stats,
};

/// `WEIGHBRIDGE_TEST_SEEDS` runs more, or fewer.
const SEEDS: u64 = 100_000;
const THREADS: u64 = 2;
/// Each rule that others heal is left out of so many.
const HEALED_SEEDS: u64 = 3_000;

/// All seeds below `seeds`, or the one that `WEIGHBRIDGE_TEST_SEED` names, told step by step.
fn run_all(seeds: u64) -> (Stats, Vec<Failure>) {
    let share = |thread: u64| {
        let (mut stats, mut failures) = (Stats::default(), Vec::new());
        for seed in (thread..seeds).step_by(usize::try_from(THREADS).unwrap_or(1)) {
            match run::seed(seed, &[]) {
                Ok(more) => stats.add(more),
                Err(failure) if failures.len() < 3 => failures.push(*failure),
                Err(_) => {}
            }
        }
        (stats, failures)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || share(thread))).collect();
        let (mut stats, mut failures) = (Stats::default(), Vec::new());
        for (more, failed) in threads.into_iter().filter_map(|thread| thread.join().ok()) {
            stats.add(more);
            failures.extend(failed);
        }
        (stats, failures)
    })
}

fn tell(failures: Vec<Failure>) {
    let count = failures.len();
    for mut failure in failures {
        run::shrink(&mut failure, &[]);
        println!("{failure}");
    }
    assert_eq!(count, 0, "seeds fail");
}

#[test]
fn nothing_is_lost_doubled_or_wedged_whatever_goes_wrong() {
    if let Some(seed) = env::var("WEIGHBRIDGE_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        return tell(run::seed(seed, &[]).err().into_iter().map(|failure| *failure).collect());
    }
    let seeds = env::var("WEIGHBRIDGE_TEST_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(SEEDS);
    let (stats, failures) = run_all(seeds);
    println!("{stats:?}");
    tell(failures);
    assert_eq!(stats.runs, seeds, "a thread ended early");
    for (what, count) in [
        ("told", stats.told),
        ("completed", stats.completed),
        ("completed in two passes", stats.two_passes),
        ("unassigned", stats.unassigned),
        ("gaps", stats.gaps),
        ("duplicates", stats.duplicates),
        ("conflicts", stats.conflicts),
        ("fenced", stats.fenced),
        ("lost", stats.lost),
        ("restored", stats.restored),
        ("moved", stats.moved),
        ("fed", stats.fed),
    ] {
        assert!(
            count > seeds / 100,
            "too little happened to prove anything: {what} {count}"
        );
    }
}

/// Whether one of these seeds fails, and how.
fn is_found(broken: &[Break], seeds: u64) -> bool {
    let found = run::first_broken(0..seeds, broken);
    println!("{broken:?}: {found:?}");
    found.is_some()
}

#[test]
fn each_planted_bug_is_found() {
    for mutant in MUTANTS {
        assert!(is_found(&[mutant], 30_000), "{mutant:?} is not found");
    }
}

#[test]
fn each_rule_is_missed_when_it_is_left_out() {
    for rules in RULES {
        assert!(is_found(rules, SEEDS), "{rules:?} is not missed");
    }
}

/// A rule that begins to be missed here is healed no longer, and belongs to [`RULES`].
#[test]
fn what_a_rule_lets_through_is_healed_by_others_where_that_is_said() {
    for (rule, why) in HEALED {
        assert!(!is_found(&[rule], HEALED_SEEDS), "{rule:?} is missed now, though {why}");
    }
}
