//! Thousands of restarts leave nothing behind. Measured in a process of its own, which runs this one test.

use std::{env, fs, panic, process::Command, sync::Arc, time::Duration};

use weighbridge_supervision::{AskError, Handle, Mode, Policy, Tree};

use crate::support::{Count, Fate, Panic, SOON, Worker, tireless, tree, until_running};

const ALONE: &str = "WEIGHBRIDGE_TEST_ALONE";

#[test]
fn five_thousand_restarts_leave_neither_memory_nor_threads_nor_files() {
    if env::var_os(ALONE).is_some() {
        actix_rt::System::new().block_on(restart_five_thousand_times());
        return;
    }
    let name = "enduring::five_thousand_restarts_leave_neither_memory_nor_threads_nor_files";
    let mut alone = Command::new(env::current_exe().unwrap());
    let done = alone
        .args(["--exact", name, "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

async fn restart_five_thousand_times() {
    // Five thousand reports of a panic tell nothing and take their time.
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some("as told") {
            report(panic);
        }
    }));
    let policy = Policy {
        first_backoff: Duration::ZERO,
        restarts_a_minute: usize::MAX,
        ..tireless()
    };
    let (tree, fate) = (tree(policy), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    restart(&tree, &worker, 100, 400).await;
    let before = Footprint::take();
    restart(&tree, &worker, 1_000, 4_000).await;
    // An order that comes while it rests after a fall makes one restart of two.
    until_running(&tree, "worker", 5_499).await;
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
    let after = Footprint::take();
    assert_eq!((after.threads, after.files), (before.threads, before.files));
    assert!(
        after.resident_kib <= before.resident_kib + 5 * 1024,
        "{before:?} grew to {after:?}"
    );
}

async fn restart(tree: &Tree, worker: &Handle<Worker>, falls: usize, orders: usize) {
    for _ in 0..falls {
        assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    }
    for _ in 0..orders {
        tree.restart("worker", Mode::Graceful).await.unwrap();
    }
}

#[derive(Debug)]
struct Footprint {
    resident_kib: u64,
    threads: u64,
    files: usize,
}

impl Footprint {
    fn take() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Self {
            resident_kib: number("VmRSS:"),
            threads: number("Threads:"),
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }
}
