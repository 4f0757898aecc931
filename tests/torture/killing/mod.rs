//! SF-01, SF-02, SF-17: edge, server and PostgreSQL die at any moment, and answers are lost.

mod storm;

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use weighbridge_sim::yard::YardEvent;

use self::storm::{Force, Storm};
use crate::{
    frame::Case,
    yard::{
        judgement::judge,
        proxy::Proxy,
        world::{Spec, World},
    },
};

/// Slow enough that a kill finds trucks in every part of their stay.
const HASTE: f64 = 20.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_kills_loses_nothing_and_doubles_nothing() {
    let mut case = Case::begin("SF-01").await;
    let spec = Spec {
        trucks: 14,
        haste: HASTE,
        ..Spec::of(&case).await
    };
    let mut world = World::start(spec).await;
    let strangers = world.let_strangers_in().await;
    let traffic = world.site.let_trucks_in().await.unwrap();
    let force = Force {
        kills: case.pick(100, 1000),
        confirmed: case.pick(40, 300),
        no_longer_than: Duration::from_mins(case.pick(4, 25)),
    };
    let storm = Storm::rage(&mut world, force, case.chance()).await;
    case.did("kills", storm.kills());
    storm.recoveries().iter().for_each(|took| case.recovered(*took));
    more_trucks_are_weighed(&world, 5).await;
    drop((traffic, strangers));
    judge(&world, &mut case).await;
    assert!(storm.fell().is_empty(), "{}", storm.fell().join("\n\n"));
    world.stop().await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_never_heard_the_acknowledgement_sends_again_and_nothing_is_there_twice() {
    let mut case = Case::begin("SF-02").await;
    let losses = case.pick(15, 200);
    let spec = Spec::of(&case).await;
    let mut proxy = Proxy::before(spec.listen, case.chance());
    let front = Some(proxy.address);
    let mut world = World::start(Spec { front, ..spec }).await;
    proxy.lose_acks(losses);
    let mut weighing = tokio::spawn(World::weigh_everywhere(Arc::clone(&world.site.yard), 0));
    let (mut lost, mut visits, mut doubled) = (0, 1, 0);
    while lost < losses {
        tokio::select! {
            _ = proxy.lost.recv() => {
                lost += 1;
                // Every third time the server dies as well, right after it has committed.
                if lost % 3 == 0 {
                    doubled += world.counter("edge_dup_suppressed_total").await;
                    world.server.kill_and_start();
                    world.server.ready().await;
                    case.did("kills", 1);
                }
            }
            weighed = &mut weighing => {
                weighed.unwrap();
                weighing = tokio::spawn(World::weigh_everywhere(Arc::clone(&world.site.yard), visits));
                visits += 1;
            }
        }
    }
    weighing.await.unwrap();
    case.did("acknowledgements lost", lost);
    judge(&world, &mut case).await;
    doubled += world.counter("edge_dup_suppressed_total").await;
    case.did("duplicates suppressed", doubled);
    assert!(
        doubled >= lost / 2,
        "only {doubled} duplicates came of {lost} lost acknowledgements"
    );
    world.stop().await;
    case.passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_killed_at_any_instant_of_a_cycle_weighs_the_truck_once() {
    let mut case = Case::begin("SF-17").await;
    let (instants, apart, rounds) = case.pick((10, Duration::from_millis(180), 1), (20, Duration::from_millis(90), 4));
    let haste = HASTE;
    let spec = Spec::of(&case).await;
    let mut world = World::start(Spec { haste, ..spec }).await;
    let kills = usize::try_from(instants * rounds).unwrap();
    for (visit, instant) in (0..).zip((0..instants).cycle().take(kills)) {
        let weighing = tokio::spawn(World::weigh_everywhere(Arc::clone(&world.site.yard), visit));
        sleep(apart * instant).await;
        world.edge.kill_and_start();
        case.did("kills", 1);
        weighing.await.unwrap();
    }
    judge(&world, &mut case).await;
    world.stop().await;
    case.passed();
}

/// After the storm the yard works as before: nothing is wedged.
async fn more_trucks_are_weighed(world: &World, count: usize) {
    let mut news = world.site.yard.events();
    let confirmed = async {
        let mut confirmed = 0;
        while confirmed < count {
            if let Ok(YardEvent::Confirmed(_)) = news.recv().await {
                confirmed += 1;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_mins(2), confirmed).await;
    assert!(
        in_time.is_ok(),
        "no truck is weighed after the storm:\n{}\n{}\n{}",
        world.site.yard.states(),
        world.edge.log_tail(),
        world.server.log_tail()
    );
}
