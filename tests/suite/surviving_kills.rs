//! Whatever is killed while trucks are weighed, nothing is lost, nothing is there twice, and nothing is altered.
//!
//! Everything is real: processes, ptys, PostgreSQL. `WEIGHBRIDGE_TEST_SEED=n` draws the same trucks and the same kills.

mod front;
mod judgement;
mod process;
mod storm;
mod world;

use std::{
    env,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Mutex, time::sleep};
use weighbridge_sim::chance::Chance;

use self::{
    front::Front,
    judgement::judge,
    storm::Storm,
    world::{Spec, World, free_address},
};

/// One world at a time: two at once would only starve each other.
static TURN: Mutex<()> = Mutex::const_new(());

fn seed() -> u64 {
    let seed = env::var("WEIGHBRIDGE_TEST_SEED")
        .map_or_else(|_| rand::random_range(0..1_000_000), |seed| seed.parse().unwrap());
    println!("WEIGHBRIDGE_TEST_SEED={seed} draws this again");
    seed
}

/// Tells the figures also where the test passes.
fn tell(line: &str) {
    io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing_and_double_nothing() {
    let _turn = TURN.lock().await;
    let seed = seed();
    let listen = free_address().await;
    let mut world = World::start(Spec {
        seed,
        trucks: 14,
        front: None,
        listen,
    })
    .await;
    let strangers = world.let_strangers_in().await;
    let traffic = world.site.let_trucks_in().await.unwrap();
    let storm = Storm::rage(&mut world, Chance::of_seed(seed)).await;
    more_trucks_are_weighed(&world, 5).await;
    drop((traffic, strangers));
    let verdict = judge(&world).await;
    assert!(storm.fell().is_empty(), "{}", storm.fell().join("\n\n"));
    world.stop().await;
    tell(&format!(
        "{storm} | {} stays, {} confirmed, {} recovered, {} gap | lost 0 | dup 0 | altered 0 | phantom 0 | slip gaps 0 | seed {seed}",
        verdict.stays, verdict.confirmed, verdict.recovered, verdict.gaps,
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_never_heard_the_acknowledgement_sends_again_and_nothing_is_there_twice() {
    const LOSSES: usize = 15;
    let _turn = TURN.lock().await;
    let seed = seed();
    let listen = free_address().await;
    let mut front = Front::before(listen, LOSSES).await;
    let mut world = World::start(Spec {
        seed,
        trucks: 0,
        front: Some(front.address),
        listen,
    })
    .await;
    let mut weighing = tokio::spawn(World::weigh_everywhere(Arc::clone(&world.site.yard), 0));
    let (mut lost, mut visits) = (0, 1);
    while lost < LOSSES {
        tokio::select! {
            _ = front.lost.recv() => {
                lost += 1;
                // Every third time the server dies as well, right after it has committed.
                if lost % 3 == 0 {
                    world.server.kill_and_start();
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
    world.server.ready().await;
    let verdict = judge(&world).await;
    world.stop().await;
    tell(&format!("{lost} acknowledgements lost | {verdict} | seed {seed}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_killed_at_any_instant_of_a_cycle_weighs_the_truck_once() {
    const INSTANTS: u32 = 12;
    const APART: Duration = Duration::from_millis(150);
    let _turn = TURN.lock().await;
    let seed = seed();
    let listen = free_address().await;
    let mut world = World::start(Spec {
        seed,
        trucks: 0,
        front: None,
        listen,
    })
    .await;
    for instant in 0..INSTANTS {
        let weighing = tokio::spawn(World::weigh_everywhere(Arc::clone(&world.site.yard), instant));
        sleep(APART * instant).await;
        world.edge.kill_and_start();
        weighing.await.unwrap();
    }
    let verdict = judge(&world).await;
    world.stop().await;
    tell(&format!("{INSTANTS} kills inside cycles | {verdict} | seed {seed}"));
}

/// After the storm the yard works as before: nothing is wedged.
async fn more_trucks_are_weighed(world: &World, count: usize) {
    let mut news = world.site.yard.events();
    let confirmed = async {
        let mut confirmed = 0;
        while confirmed < count {
            if let Ok(weighbridge_sim::yard::YardEvent::Confirmed(_)) = news.recv().await {
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
