//! SF-18: serial lines are unplugged, come back as another device, and carry noise.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use weighbridge_sim::fault::Fault;

use crate::{
    frame::Case,
    yard::{
        judgement::judge,
        world::{Spec, World},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_pulled_noisy_or_wrong_weighs_nothing_false_and_comes_back() {
    let mut case = Case::begin("SF-18").await;
    let mut world = World::start(Spec::of(&case).await).await;
    let stations: Vec<i64> = world.site.yard.station_ids().collect();
    let resident = resident_kib(world.edge.pid());
    for _ in 0..case.pick(1, 5) {
        let bustle = world.bustle();
        for fault in [Fault::Garbage(0.3), Fault::Flip(0.002), Fault::Garbage(1.0)] {
            // A weight of which one digit is another may look whole where a format has no checksum.
            let with_checksum = stations.len() - 1;
            let flips = matches!(fault, Fault::Flip(_));
            for station in stations.iter().skip(if flips { with_checksum } else { 0 }) {
                world.site.yard.fault(*station, fault).unwrap();
            }
            sleep(Duration::from_secs(case.pick(1, 5))).await;
            for station in &stations {
                world.site.yard.fault(*station, Fault::Heal).unwrap();
            }
            case.did("noises", 1);
        }
        bustle.end().await;
        for station in &stations {
            world.site.yard.fault(*station, Fault::Unplug).unwrap();
        }
        sleep(Duration::from_millis(300)).await;
        for station in &stations {
            // Another pty under the same name, as udev gives an adapter.
            world.site.yard.fault(*station, Fault::Plug).unwrap();
        }
        case.did("cables pulled", stations.len());
        let began = Instant::now();
        world.rounds(1).await;
        case.recovered(began.elapsed());
    }
    let grown = resident_kib(world.edge.pid()).saturating_sub(resident);
    assert!(grown < 16 * 1024, "the edge has grown by {grown} KiB");
    judge(&world, &mut case).await;
    assert!(!world.edge.log().contains("panicked"), "{}", world.edge.log_tail());
    world.stop().await;
    case.passed();
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
