//! SF-03 to SF-07: the network fails in every way that it can.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    frame::{Case, Size},
    yard::{
        judgement::judge,
        namespace::{Fault, Namespace},
        proxy::{Cut, Proxy, garble::Garble},
        world::{Spec, World, free_address},
    },
};

/// A silent connection is given up after this, and the next attempt comes within the longest wait.
const SILENCE_NOTICED: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_cut_flaps_hangs_crawls_and_garbles_costs_nothing() {
    let case = Case::begin("SF-03").await;
    let spec = Spec::of(&case).await;
    let proxy = Proxy::without_store(spec.listen, case.chance());
    let front = Some(proxy.address);
    let mut world = World::start(Spec { front, ..spec }).await;
    cuts(&mut world, &proxy, case).await;
    flapping(&mut world, &proxy, Case::begin("SF-04").await).await;
    half_open(&mut world, &proxy, Case::begin("SF-05").await).await;
    slow(&mut world, &proxy, Case::begin("SF-06").await).await;
    garbage(&mut world, &proxy, Case::begin("SF-07").await).await;
    world.stop().await;
}

/// What the proxy does in a few seconds, done by the kernel for minutes; at full size alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_the_kernel_cuts_slows_and_thins_costs_nothing() {
    let mut case = Case::begin("SF-03").await;
    if case.size == Size::T1 {
        return case.left_out("at full size alone; a proxy does the same here");
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(why) => return case.left_out(&why),
    };
    let spec = Spec {
        listen: SocketAddr::from((namespace.server(), free_address().await.port())),
        board: SocketAddr::from((namespace.board(), 0)),
        edge_under: namespace.under(),
        ..Spec::of(&case).await
    };
    let mut world = World::start(spec).await;
    case.made(&format!("by a network namespace: {:?}", namespace.cuts()));
    let mut chance = case.chance();
    let bustle = world.bustle();
    for fault in namespace.cuts().into_iter().cycle().take(15) {
        let (welcomes, losses) = (world.welcomes(), world.losses());
        let lasts = Duration::from_secs_f64(chance.between(0.5, 20.0));
        namespace.make(fault);
        sleep(lasts).await;
        // After a silence a connection sends seldom, and what sends nothing is not reset.
        if fault == Fault::Reset {
            world.lost_since(losses).await;
        }
        namespace.heal(fault);
        case.did("cuts", 1);
        // A connection may outlive a silence of up to twenty seconds: each side looks every five.
        if fault == Fault::Reset {
            case.recovered(world.welcomed_since(welcomes).await);
        }
    }
    bustle.end().await;
    judge(&world, &mut case).await;
    case.passed();
    let mut case = Case::begin("SF-06").await;
    case.made(&format!("by a network namespace: {:?}", namespace.troubles()));
    for trouble in namespace.troubles() {
        namespace.make(trouble);
        let bustle = world.bustle();
        sleep(Duration::from_secs(40)).await;
        bustle.end().await;
        namespace.heal(trouble);
        judge(&world, &mut case).await;
        case.did("seconds of trouble", 40);
    }
    world.stop().await;
    case.passed();
}

/// Weighing goes on during every cut, and the link is back soon after.
async fn cuts(world: &mut World, proxy: &Proxy, mut case: Case) {
    case.made("by a proxy");
    let mut chance = case.chance();
    let bustle = world.bustle();
    let (mut during, longest) = (0, case.pick(1.5, 12.0));
    for number in 0..case.pick(6, 30) {
        let before = (world.welcomes(), told(world));
        let lasts = Duration::from_secs_f64(chance.between(0.5, longest));
        match number % 3 {
            0 => {
                proxy.open(false);
                proxy.cut(Cut::Closed);
            }
            1 => {
                proxy.open(false);
                proxy.cut(Cut::Reset);
            }
            _ => proxy.flow(false),
        }
        sleep(lasts).await;
        during += told(world) - before.1;
        proxy.open(true);
        proxy.flow(true);
        case.did("cuts", 1);
        if number % 3 < 2 {
            case.recovered(world.welcomed_since(before.0).await);
        }
    }
    bustle.end().await;
    case.did("weighed during cuts", during);
    assert!(
        during >= case.pick(3, 60),
        "only {during} trucks were weighed during cuts"
    );
    judge(world, &mut case).await;
    case.passed();
}

/// Up and down all the time, and then up: it drains without anybody's help, and does not storm the server.
async fn flapping(world: &mut World, proxy: &Proxy, mut case: Case) {
    let (times, half) = case.pick((6, Duration::from_millis(400)), (45, Duration::from_secs(2)));
    let bustle = world.bustle();
    let (began, before) = (Instant::now(), proxy.connections());
    for _ in 0..times {
        proxy.open(false);
        proxy.cut(Cut::Reset);
        sleep(half).await;
        proxy.open(true);
        sleep(half).await;
        case.did("cuts", 1);
    }
    let attempts = proxy.connections() - before;
    let most = 2 * usize::try_from(began.elapsed().as_secs() + 1).unwrap();
    assert!(attempts <= most, "{attempts} connections, expected at most {most}");
    bustle.end().await;
    judge(world, &mut case).await;
    case.passed();
}

/// One side believes that the connection stands. What comes of it late is refused, and nothing is there twice.
async fn half_open(world: &mut World, proxy: &Proxy, mut case: Case) {
    let bustle = world.bustle();
    let fenced = proxy.fenced();
    for _ in 0..case.pick(3, 20) {
        let welcomes = world.welcomes();
        proxy.cut(Cut::HalfOpen);
        case.recovered(world.welcomed_since(welcomes).await);
        proxy.deliver_late();
        case.did("cuts", 1);
    }
    let fenced = proxy.fenced() - fenced;
    case.did("stale sessions fenced", fenced);
    assert!(fenced > 0, "no stale session was closed with 4409");
    // Trucks in haste change within a tenth of a second, and what a scale shows while nobody reads may be lost on the line:
    // who stands still does so over quiet decks.
    bustle.end().await;
    let frozen = case.pick(Duration::from_secs(1), Duration::from_mins(1));
    for server_too in [true, false] {
        let welcomes = world.welcomes();
        let process = if server_too { &world.server } else { &world.edge };
        process.freeze();
        sleep(frozen).await;
        process.go_on();
        case.did("freezes", 1);
        if frozen > SILENCE_NOTICED {
            case.recovered(world.welcomed_since(welcomes).await);
        }
        world.rounds(1).await;
    }
    judge(world, &mut case).await;
    case.passed();
}

/// 32 kbit/s, which three indicators fill by themselves: events pass all the same, and the rest when there is room.
async fn slow(world: &mut World, proxy: &Proxy, mut case: Case) {
    case.made("by a proxy");
    let stored = "SELECT 'events', count(*)::text FROM edge_event";
    proxy.limit(4000);
    let bustle = world.bustle();
    // What lay in the kernels is through.
    sleep(Duration::from_secs(case.pick(2, 20))).await;
    let before = world.pairs(stored).await;
    let seconds = case.pick(3, 60);
    sleep(Duration::from_secs(seconds)).await;
    let after = world.pairs(stored).await;
    let count = |rows: &BTreeMap<String, String>| rows["events"].parse::<usize>().unwrap();
    let passed = count(&after) - count(&before);
    case.did("events at 32 kbit/s", passed);
    assert!(passed > 0, "no event passes:\n{}", world.edge.log_tail());
    bustle.end().await;
    proxy.limit(0);
    judge(world, &mut case).await;
    case.passed();
}

/// Bits flip, frames lose their ends, come twice and change places: nothing that was stored is altered.
async fn garbage(world: &mut World, proxy: &Proxy, mut case: Case) {
    let bustle = world.bustle();
    let before = (proxy.garbled(), proxy.connections());
    let kinds = [
        Garble {
            flip: 1.0 / 2000.0,
            ..Garble::default()
        },
        Garble {
            truncate: 0.02,
            ..Garble::default()
        },
        Garble {
            double: 0.1,
            ..Garble::default()
        },
        Garble {
            swap: 0.1,
            ..Garble::default()
        },
    ];
    for garble in kinds {
        let enough = proxy.garbled() + case.pick(3, 40);
        proxy.garble(garble);
        sleep(Duration::from_secs(case.pick(1, 25))).await;
        // On a busy machine less passes in that time.
        let began = Instant::now();
        while proxy.garbled() < enough && began.elapsed() < Duration::from_mins(1) {
            sleep(Duration::from_millis(50)).await;
        }
        case.did("kinds of garbage", 1);
    }
    proxy.garble(Garble::default());
    proxy.cut(Cut::Closed);
    bustle.end().await;
    case.did("frames spoiled", proxy.garbled() - before.0);
    case.did("connections", proxy.connections() - before.1);
    assert!(
        proxy.garbled() - before.0 >= case.pick(10, 150),
        "too little was spoiled"
    );
    judge(world, &mut case).await;
    assert!(!world.server.log().contains("panicked"), "{}", world.server.log_tail());
    case.passed();
}

/// How many trucks the board has told.
fn told(world: &World) -> usize {
    world
        .site
        .yard
        .truth()
        .iter()
        .filter(|stay| stay.is_confirmed())
        .count()
}
