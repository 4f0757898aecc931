//! A working day from check-in to the ERP, with nothing broken: what is promised must hold on ordinary days too.

use std::{future::pending, time::Duration};

use weighbridge_sim::{day::Day, run::Programs};

use crate::{folder::Folder, frame::Case, yard::world::built};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_from_check_in_to_the_erp_leaves_nothing_open_and_everything_agrees() {
    let mut case = Case::begin("DAY").await;
    let folder = Folder::new();
    let day = Day {
        programs: Programs {
            server: built("weighbridge"),
            edge: built("weighbridge-edge"),
            sim: built("weighbridge-sim"),
        },
        folder: folder.path().join("day"),
        seed: case.seed,
        trucks: case.pick(12, 500),
        lasts: case.pick(Duration::from_mins(7), Duration::from_hours(8)),
        haste: 60.0,
    };
    println!("{}", day.plan());
    let ended = day.run().until(pending()).await.unwrap();
    let verdict = ended.verdict.unwrap();
    case.judged(&verdict);
    case.did("slips", ended.totals.slips);
    assert!(ended.is_day_over);
    assert!(verdict.is_clean(), "{verdict}");
    assert!(
        ended.totals.slips > 0 && ended.totals.erp == ended.totals.slips,
        "{}",
        ended.totals
    );
    case.passed();
}
