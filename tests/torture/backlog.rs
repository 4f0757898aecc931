//! SF-08: an edge that was cut off for long drains what it kept, and weighs meanwhile.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, sleep};
use weighbridge_edge::{
    buffer::{BufferFile, Draft},
    clock::Clock,
};
use weighbridge_protocol::{
    CycleId, Kilograms,
    link::{EventKind, event::Capture},
    scale::{CaptureSettings, Scale},
};

use crate::{
    frame::Case,
    yard::{
        judgement::{Expected, drained, judge_as},
        proxy::{Cut, Proxy},
        world::{Spec, World},
    },
};

const AGO: TimeDelta = TimeDelta::minutes(5);
/// Captures of a transaction, as an edge that was busy.
const AT_ONCE: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_backlog_drains_whole_and_a_new_weighing_does_not_wait_for_it() {
    let mut case = Case::begin("SF-08").await;
    let spec = Spec::of(&case).await;
    let proxy = Proxy::before(spec.listen, case.chance());
    let front = Some(proxy.address);
    let mut world = World::start(Spec { front, ..spec }).await;
    world.rounds(1).await;
    drained(&world).await;
    proxy.open(false);
    proxy.cut(Cut::Closed);
    world.edge.kill();
    let count = case.pick(2000, 100_000);
    fill(&world, count);
    case.did("events waiting", count);
    world.edge.start_again();
    world.edge.ready().await;
    let waiting = world.edge_status().unwrap()["unsent"].as_u64().unwrap();
    assert!(waiting >= u64::try_from(count).unwrap(), "{waiting}");
    let welcomes = world.welcomes();
    proxy.open(true);
    world.welcomed_since(welcomes).await;
    let began = Instant::now();
    world.rounds(1).await;
    let left = world.edge_status().unwrap()["unsent"].as_u64().unwrap();
    case.did("left when a new weighing was told", usize::try_from(left).unwrap());
    while world.edge_status().is_none_or(|status| status["unsent"] != 0) {
        sleep(Duration::from_millis(100)).await;
    }
    let rate = count * 1000 / usize::try_from(began.elapsed().as_millis()).unwrap();
    case.did("events a second", rate);
    // Each was sent once: no more came twice than one row for each connection.
    let (doubled, most) = (world.counter("edge_dup_suppressed_total").await, proxy.connections());
    assert!(doubled <= most, "{doubled} events came twice over {most} connections");
    let put_in = count;
    judge_as(
        &world,
        &mut case,
        Expected {
            put_in,
            ..Expected::default()
        },
    )
    .await;
    world.stop().await;
    case.passed();
}

/// Captures of trucks that were there while nobody was linked.
fn fill(world: &World, count: usize) {
    let clock = Clock::of_this_machine().unwrap();
    let (mut file, _) = BufferFile::open(&world.edge_data(), clock.boot()).unwrap();
    let station_id = world.site.yard.station_ids().next().unwrap();
    let state = file.state(station_id).unwrap();
    let scale = Scale::new(CaptureSettings::default(), clock.boot());
    for first in (0..count).step_by(AT_ONCE) {
        let drafts: Vec<Draft> = (first..count.min(first + AT_ONCE))
            .map(|_| draft(&clock, station_id))
            .collect();
        file.commit(&drafts, station_id, &scale).unwrap();
    }
    file.keep_state(station_id, &state).unwrap();
}

fn draft(clock: &Clock, station_id: i64) -> Draft {
    // Before any truck of this yard.
    let mut at = clock.now();
    at.wall -= AGO;
    at.mono_ms -= AGO.num_milliseconds();
    Draft {
        station_id,
        cycle: Some(CycleId::from_bits(rand::random())),
        at,
        kind: EventKind::Capture(Capture {
            weight: Kilograms::from_whole(18_340),
            gap: true,
            on_mono_ms: at.mono_ms - 1000,
            raw: "0d0a".to_owned(),
            curve: Vec::new(),
            curve_steps: Vec::new(),
        }),
    }
}
