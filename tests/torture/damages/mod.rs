//! SF-12: the edge's file is damaged, cut, deleted or closed to it.
//!
//! - [`kinds`]: what is done to a file that lies still

mod kinds;

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use tokio::time::{Instant, sleep};

use self::kinds::Damage;
use crate::{
    frame::{Case, Size},
    yard::{
        judgement::{Expected, drained, judge_as},
        proxy::{Cut, Proxy},
        world::{Spec, World, built},
    },
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_costs_what_it_says_that_it_costs() {
    let mut case = Case::begin("SF-12").await;
    let spec = Spec::of(&case).await;
    let proxy = Proxy::before(spec.listen, case.chance());
    let front = Some(proxy.address);
    let mut world = World::start(Spec { front, ..spec }).await;
    let mut chance = case.chance();
    for round in 0..case.pick(1, 4) {
        // At random, so that the runs of a day see all of them.
        let mut damages = Damage::ALL.to_vec();
        damages.retain(|_| case.size == Size::T2 || chance.happens(0.4));
        for damage in damages {
            if damage.is_told() {
                // Something is there to be lost.
                proxy.open(false);
                proxy.cut(Cut::Closed);
            }
            world.rounds(1).await;
            if !damage.is_told() {
                drained(&world).await;
            }
            world.edge.kill();
            case.did("kills", 1);
            let done = damage.to(&world.edge_data(), &mut chance);
            case.did(
                if done {
                    "files damaged"
                } else {
                    "damages that found nothing"
                },
                1,
            );
            proxy.open(true);
            start_as_a_service_does(&mut world, &mut case).await;
            drained(&world).await;
            println!(
                "round {round}, {damage:?}: {}",
                world.edge_status().unwrap()["salvaged"]
            );
        }
    }
    closed_to_others(&mut world, &mut case).await;
    world.rounds(1).await;
    let damaged = true;
    judge_as(
        &world,
        &mut case,
        Expected {
            damaged,
            ..Expected::default()
        },
    )
    .await;
    world.stop().await;
    case.passed();
}

/// An edge that may not enter its data directory ends with 74, and names it.
async fn closed_to_others(world: &mut World, case: &mut Case) {
    world.edge.kill();
    let (data, config) = (world.edge_data(), world.folder().join("nobody.toml"));
    fs::copy(&world.site.edge_toml, &config).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o000)).unwrap();
    // Root enters everywhere.
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(built("weighbridge-edge"))
        .args(["run", "--config", config.to_str().unwrap()])
        .output();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    if let Ok(output) = output {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(74), "{words}");
        assert!(words.contains(data.to_str().unwrap()), "{words}");
        case.did("directories closed", 1);
    }
    start_as_a_service_does(world, case).await;
}

/// An edge that ends with 74 is started again, and is well then, or after one more time.
async fn start_as_a_service_does(world: &mut World, case: &mut Case) {
    let welcomes = world.welcomes();
    world.edge.start_again();
    let began = Instant::now();
    let mut ends = 0;
    while world.welcomes() <= welcomes {
        if let Some(status) = world.edge.ended() {
            assert_eq!(status.code(), Some(74), "{}", world.edge.log_tail());
            ends += 1;
            case.did("ends with 74", 1);
            assert!(ends < 5, "it ends again and again:\n{}", world.edge.log_tail());
            world.edge.start_again();
        }
        assert!(began.elapsed() < SOON, "{}", world.edge.log_tail());
        sleep(Duration::from_millis(20)).await;
    }
    case.recovered(began.elapsed());
}
