//! SF-16: the edge's wall clock jumps while its monotonic clock counts on.
//!
//! A library that is loaded before all others adds what a file says to `CLOCK_REALTIME` alone; other clocks are the
//! machine's own, or timers would hang.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, Utc};

use crate::{
    frame::Case,
    yard::{
        judgement::{Expected, drained, judge_as},
        world::{Spec, World},
    },
};

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *offset;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("WEIGHBRIDGE_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *map = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED) offset = map;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += *offset;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    int result = syscall(SYS_gettimeofday, time, zone);
    if (result == 0 && time && offset) time->tv_sec += *offset;
    return result;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A clock that is set by hand.
struct WallClock {
    library: PathBuf,
    file: PathBuf,
}

impl WallClock {
    /// None where there is no C compiler.
    fn made_in(folder: &Path) -> Option<Self> {
        let (source, library, file) = (folder.join("clock.c"), folder.join("clock.so"), folder.join("clock"));
        fs::write(&source, SHIM).unwrap();
        fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        let mut compiler = Command::new("cc");
        let status = compiler
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&library)
            .arg(&source)
            .status();
        status
            .is_ok_and(|status| status.success())
            .then_some(Self { library, file })
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("WEIGHBRIDGE_TEST_CLOCK", self.file.display().to_string()),
        ]
    }

    /// So many seconds ahead of the machine's clock.
    fn ahead(&self, seconds: i64) {
        let file = File::options().write(true).open(&self.file).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}

/// How far ahead a clock is that says this now.
fn until(moment: &str) -> i64 {
    (moment.parse::<DateTime<Utc>>().unwrap() - Utc::now()).num_seconds()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_jumps_changes_no_order_and_no_date() {
    let mut case = Case::begin("SF-16").await;
    let folder = tempfile::tempdir().unwrap();
    let Some(clock) = WallClock::made_in(folder.path()) else {
        return case.left_out("there is no C compiler (cc)");
    };
    let edge_environment = clock.environment();
    let spec = Spec::of(&case).await;
    let mut world = World::start(Spec {
        edge_environment,
        ..spec
    })
    .await;
    let hour = 3600;
    let midnight_kst = until("2026-11-28T14:59:57Z").rem_euclid(24 * hour);
    let jumps = [
        ("an hour ahead", hour),
        ("an hour behind", -hour),
        ("1970", until("1970-01-01T00:00:10Z")),
        ("2038", until("2038-01-20T00:00:00Z")),
        ("midnight in Korea", midnight_kst),
        ("as it was", 0),
    ];
    for (name, seconds) in jumps.into_iter().skip(case.pick(2, 0)) {
        clock.ahead(seconds);
        world.rounds(case.pick(1, 5)).await;
        let offset = world.edge_status().unwrap()["clock_offset_ms"].as_i64();
        assert!(offset.is_some(), "{name}");
        case.did("jumps", 1);
    }
    for minutes in [5, -5].into_iter().cycle().take(case.pick(0, 20)) {
        clock.ahead(minutes * 60);
        world.rounds(1).await;
        case.did("jumps", 1);
    }
    // A start with a clock that is wrong from its first moment.
    clock.ahead(until("1970-01-01T00:00:10Z"));
    world.edge.kill_and_start();
    world.edge.ready().await;
    world.rounds(1).await;
    clock.ahead(0);
    drained(&world).await;
    let wrong_clock = true;
    judge_as(
        &world,
        &mut case,
        Expected {
            wrong_clock,
            ..Expected::default()
        },
    )
    .await;
    let sql = "SELECT station_id::text, count(*)::text FROM (SELECT station_id, seq, captured_at, \
               lag(captured_at) OVER (PARTITION BY station_id ORDER BY seq) AS before FROM capture WHERE NOT doubtful) AS c \
               WHERE captured_at < before GROUP BY station_id";
    assert!(world.pairs(sql).await.is_empty(), "captures are out of their order");
    assert!(!world.edge.log().contains("panicked"), "{}", world.edge.log_tail());
    world.stop().await;
    case.passed();
}
