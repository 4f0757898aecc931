//! The scorecard: every result of a run in a table, and their sum in a line.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Size,
    score::{Score, percentiles},
};
use crate::folder::Folder;
use crate::yard::world::built;

/// A run without one of these is no whole run.
const EXPECTED: [&str; 33] = [
    "SF-01", "SF-02", "SF-03", "SF-04", "SF-05", "SF-06", "SF-07", "SF-08", "SF-09", "SF-10", "SF-11", "SF-12",
    "SF-13", "SF-14", "SF-15", "SF-16", "SF-17", "SF-18", "SF-19", "DAY", "OB-01", "OB-02", "OB-03", "OB-04", "OB-05",
    "OB-06", "OB-07", "OB-08", "OB-09", "OB-10", "PG-01", "PG-02", "PG-03",
];

/// Puts the card of all results in `folder` beside them. Called after each case, so that also a run that is broken off has one.
pub fn write(folder: &Path) {
    fs::write(folder.join("scorecard.txt"), scorecard(&Score::read_all(folder))).unwrap();
}

fn scorecard(scores: &[Score]) -> String {
    let mut card = String::new();
    for score in scores {
        writeln!(card, "{score}").unwrap();
    }
    let run: BTreeSet<&str> = scores.iter().map(|score| score.id.as_str()).collect();
    let missing: Vec<_> = EXPECTED.iter().filter(|id| !run.contains(*id)).copied().collect();
    if !missing.is_empty() {
        writeln!(card, "not run: {}", missing.join(", ")).unwrap();
    }
    writeln!(card, "{}", total(scores)).unwrap();
    writeln!(card, "{}", conditions(scores)).unwrap();
    card
}

fn total(scores: &[Score]) -> String {
    let sum = |of: fn(&Score) -> usize| scores.iter().map(of).sum::<usize>();
    let times = |what| scores.iter().map(|score| score.times(what)).sum::<usize>();
    let failures = scores.iter().filter(|score| !score.passed).count();
    let kills = times("kills");
    let recoveries = scores.iter().flat_map(|score| score.recoveries_ms.clone()).collect();
    let recovery = percentiles(recoveries).map_or_else(
        || "not measured".to_owned(),
        |(p50, p99)| format!("p50 {p50} ms p99 {p99} ms"),
    );
    format!(
        "{kills} kills, {} cuts, {} restarts, {} weighed | lost {} | dup {} | altered {} | phantom {} | slip gaps {} | unfinished {} | \
         recovery {recovery} | mutants {} | cases failed {failures} of {} | bound: {}",
        times("cuts"),
        times("restarts"),
        sum(|score| score.weighed),
        sum(|score| score.lost),
        sum(|score| score.doubled),
        sum(|score| score.altered),
        sum(|score| score.phantoms),
        sum(|score| score.slip_gaps),
        sum(|score| score.unfinished),
        mutants(),
        scores.len(),
        bound(kills, failures),
    )
}

/// By the rule of three: where nothing failed in n kills, 3/n is what the rate stays under with 95 % confidence.
fn bound(kills: usize, failures: usize) -> String {
    if kills == 0 || failures > 0 {
        return "none".to_owned();
    }
    // Hundredths of a percent, rounded up.
    let hundredths = 30_000_usize.div_ceil(kills);
    format!(
        "per-kill failure <{}.{:02} % (95 %)",
        hundredths / 100,
        hundredths % 100
    )
}

/// The last line of what `make mutants` wrote, if it has run.
fn mutants() -> String {
    let report = env::var_os("WEIGHBRIDGE_MUTANTS_REPORT").map(PathBuf::from);
    let report = report.and_then(|path| fs::read_to_string(path).ok());
    let last = report.as_deref().and_then(|text| text.lines().last());
    last.map_or_else(|| "not run (make mutants)".to_owned(), str::to_owned)
}

fn conditions(scores: &[Score]) -> String {
    let seeds: BTreeSet<u64> = scores.iter().map(|score| score.seed).collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let edge: serde_json::Value = serde_json::from_str(&said(
        built("weighbridge-edge").to_str().unwrap(),
        &["--version", "--json"],
    ))
    .unwrap();
    format!(
        "seed {seeds:?}, git {}, kernel {}, SQLite {}, {}",
        env::var("WEIGHBRIDGE_GIT").unwrap_or_else(|_| "unknown".to_owned()),
        kernel.trim(),
        edge["sqlite_version"].as_str().unwrap_or("unknown"),
        postgresql(),
    )
}

fn postgresql() -> String {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = folders
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/postgres")))
        .max();
    let program = newest.map_or_else(|| "postgres".to_owned(), |path| path.display().to_string());
    said(&program, &["--version"]).trim().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn a_thousand_kills_without_a_failure_bound_the_rate_at_three_in_a_thousand() {
    assert_eq!(bound(1000, 0), "per-kill failure <0.30 % (95 %)");
    assert_eq!(bound(1000, 1), "none");
    assert_eq!(percentiles((1..=100).collect()), Some((50, 99)));
    assert_eq!(percentiles(Vec::new()), None);
}

#[test]
fn the_card_says_what_failed_and_what_was_not_run() {
    let folder = Folder::new();
    let mut killed = Score::new("SF-01", "killing::storm", Size::T2, 7);
    killed.did.insert("kills".to_owned(), 1000);
    killed.passed = true;
    killed.write(folder.path());
    write(folder.path());
    let card = || fs::read_to_string(folder.path().join("scorecard.txt")).unwrap();
    assert!(card().contains("SF-01 passed, 1000 kills"), "{}", card());
    assert!(card().contains("bound: per-kill failure <0.30 % (95 %)"), "{}", card());
    assert!(card().contains("not run: SF-02, SF-03"), "{}", card());
    Score::new("SF-02", "killing::acks", Size::T2, 7).write(folder.path());
    write(folder.path());
    assert!(card().contains("SF-02 FAILED"), "{}", card());
    assert!(card().contains("cases failed 1 of 2 | bound: none"), "{}", card());
}
