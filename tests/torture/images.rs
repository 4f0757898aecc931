//! SF-13 and SF-15: files come back that should not: an older image of the edge's disk, and a clone of the edge.

use std::{fs, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    frame::{Case, Size},
    yard::{
        judgement::{Expected, drained, judge_as},
        proxy::Proxy,
        twin::{Twin, copy},
        world::{Spec, World},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_whose_file_is_an_older_image_goes_on_under_a_new_epoch() {
    let mut case = Case::begin("SF-13").await;
    let spec = Spec::of(&case).await;
    let proxy = Proxy::before(spec.listen, case.chance());
    let front = Some(proxy.address);
    let mut world = World::start(Spec { front, ..spec }).await;
    let image = world.folder().join("image");
    for linked in [true, false].into_iter().cycle().take(case.pick(2, 10)) {
        world.rounds(1).await;
        drained(&world).await;
        world.edge.kill();
        copy(&world.edge_data(), &image);
        world.edge.start_again();
        world.edge.ready().await;
        world.rounds(case.pick(1, 11)).await;
        drained(&world).await;
        let epoch = world.edge_status().unwrap()["epoch"].clone();

        world.edge.kill();
        fs::remove_dir_all(world.edge_data()).unwrap();
        copy(&image, &world.edge_data());
        // Without a link the file gives out identities a second time before anybody can tell it.
        proxy.open(linked);
        let welcomes = world.welcomes();
        world.edge.start_again();
        world.edge.ready().await;
        if !linked {
            world.rounds(1).await;
            assert_eq!(world.edge_status().unwrap()["epoch"], epoch);
            proxy.open(true);
        }
        case.recovered(world.welcomed_since(welcomes).await);
        world.rounds(1).await;
        drained(&world).await;
        assert_ne!(world.edge_status().unwrap()["epoch"], epoch, "a new epoch is open");
        case.did("images restored", 1);
        case.did("kills", 2);
    }
    let log = world.edge.log();
    assert!(log.contains("the file is an older image"), "{log}");
    assert!(log.contains("two files share an epoch"), "{log}");
    let forked = true;
    judge_as(
        &world,
        &mut case,
        Expected {
            forked,
            ..Expected::default()
        },
    )
    .await;
    world.stop().await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_edges_with_one_file_the_newest_is_linked_and_both_lose_nothing() {
    let mut case = Case::begin("SF-15").await;
    let mut world = World::start(Spec::of(&case).await).await;
    world.rounds(1).await;
    drained(&world).await;
    let mut twin = Twin::of(&world).await;
    case.did("clones", 1);
    for visit in 0..case.pick(1, 5) {
        World::weigh_everywhere(Arc::clone(&twin.yard), visit).await;
    }
    assert_eq!(
        world.edge_status().unwrap()["link"],
        "fenced",
        "{}",
        world.edge.log_tail()
    );
    // The same identities as the twin's.
    world.rounds(case.pick(1, 5)).await;
    if case.size == Size::T2 {
        both_run_for(&world, &twin, Duration::from_mins(2)).await;
    }
    twin.edge.stop().await;
    let began = Instant::now();
    world.edge.kill_and_start();
    case.did("kills", 1);
    world.edge.ready().await;
    drained(&world).await;
    case.recovered(began.elapsed());
    world.expect_also(twin.truth());
    let forked = true;
    judge_as(
        &world,
        &mut case,
        Expected {
            forked,
            ..Expected::default()
        },
    )
    .await;
    world.stop().await;
    case.passed();
}

/// Neither storms: each was fenced or linked at most once in half a minute less a third.
async fn both_run_for(world: &World, twin: &Twin, span: Duration) {
    let before = (world.welcomes(), twin.edge.log().matches("linked as").count());
    sleep(span).await;
    let most = usize::try_from(span.as_secs() / 20 + 1).unwrap();
    let links = [
        world.welcomes() - before.0,
        twin.edge.log().matches("linked as").count() - before.1,
    ];
    assert!(
        links.iter().all(|links| *links <= most),
        "{links:?}, expected at most {most} each"
    );
}
