//! The edge's side of the link against a simple server, under random schedules of all that may go wrong: nothing is
//! lost, nothing has its effect twice, and all comes to rest when the faults end.

#![allow(clippy::expect_used, reason = "a test says by a panic that it cannot go on")]

mod bodies;
mod chance;
mod server;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use weighbridge_protocol::link::Store;

use crate::{bodies::cycle_of, server::Stored, world::World};

type Step = fn(&mut World);

/// How often each step comes, relative to the others.
const NORMAL: [(Step, usize); 11] = [
    (World::capture, 12),
    (World::flow, 5),
    (World::connect, 6),
    (World::pump, 8),
    (World::serve, 10),
    (World::receive, 10),
    (World::notice_cuts, 4),
    (World::ping, 2),
    (World::replicate, 2),
    (World::back_up, 1),
    (World::save_image, 1),
];

const SEEDS_PER_MIX: u64 = 1_150;

fn run(seed: u64, faults: &[(Step, usize)]) -> World {
    let mut world = World::new(seed);
    let steps: Vec<Step> = NORMAL
        .iter()
        .chain(faults)
        .flat_map(|&(step, weight)| std::iter::repeat_n(step, weight))
        .collect();
    for _ in 0..50 + world.chance.below(60) {
        let step = steps[world.chance.below(steps.len())];
        step(&mut world);
    }
    drain(&mut world);
    check_nothing_is_lost_or_doubled(&world);
    world
}

/// The faults end; everything must come to rest within some rounds.
fn drain(world: &mut World) {
    let mut at_rest = 0;
    for _ in 0..60 {
        let before = world.db.version;
        world.notice_cuts();
        for edge in 0..world.edges() {
            world.connect_edge(edge);
            for _ in 0..40 {
                (0..world.edges()).for_each(|edge| world.pump_edge(edge));
                if world.is_quiet() {
                    break;
                }
                world.serve_all();
                (0..world.edges()).for_each(|edge| world.receive_edge(edge));
            }
        }
        world.ping();
        at_rest = if before == world.db.version && world.is_drained() {
            at_rest + 1
        } else {
            0
        };
        // Fenced clones take turns; each must have said hello since the last change.
        if at_rest > 8 {
            return;
        }
    }
    panic!(
        "not drained: {:?}",
        world.files().map(|file| file.store.epochs()).collect::<Vec<_>>()
    );
}

fn check_nothing_is_lost_or_doubled(world: &World) {
    let db = &world.db;
    for file in world.files() {
        for (id, row) in file.store.rows().iter().filter(|(_, row)| row.event.is_intact()) {
            let cycle = cycle_of(&row.event).expect("only captures are sent here");
            assert!(db.cycles.contains(&cycle), "{id} is in a file and not at the server");
            // Of several clones one may have brought what the others hold too, under another name.
            let same = matches!(db.events.get(id), Some(Stored::Kept { sha256, .. }) if *sha256 == row.event.sha256);
            assert!(same || world.forked, "{id} is another event at the server");
        }
    }
    for &cycle in &world.told {
        let known = db.cycles.contains(&cycle);
        assert!(
            known || !world.is_owed_a_weighing(cycle),
            "{cycle} was told and is lost"
        );
    }
    for (&epoch, &have) in &db.have {
        let stored = db
            .events
            .keys()
            .filter(|id| id.epoch == epoch && id.seq <= have)
            .count();
        assert_eq!(
            i64::try_from(stored),
            Ok(have),
            "the watermark of {epoch} passes what is stored"
        );
    }
    let effects = db
        .events
        .values()
        .filter(|stored| matches!(stored, Stored::Kept { has_effect: true, .. }));
    assert_eq!(effects.count(), db.cycles.len(), "a weighing has its effect twice");
    for id in world.owed_losses() {
        assert!(
            db.events.contains_key(id),
            "{id} was lost with a damaged file and nobody counted it"
        );
    }
    if !world.forked {
        assert_eq!(db.conflicts, 0, "a conflict without a fork");
        let kept = db.events.values().filter(|stored| **stored != Stored::Lost).count();
        assert_eq!(kept, db.cycles.len(), "a weighing has two identities without a fork");
    }
}

#[track_caller]
fn check(faults: &[(Step, usize)]) {
    for seed in 0..SEEDS_PER_MIX {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| run(seed, faults))) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

#[test]
fn all_arrives_over_a_link_that_is_cut_and_garbled() {
    check(&[
        (World::cut, 8),
        (World::flip, 6),
        (World::kill_edge, 2),
        (World::die_serving, 4),
    ]);
}

#[test]
fn a_database_that_goes_back_is_filled_again() {
    check(&[
        (World::fail_over, 3),
        (World::restore_database, 2),
        (World::cut, 3),
        (World::prune, 3),
        (World::die_serving, 1),
    ]);
}

#[test]
fn a_restored_image_takes_nothing_of_what_was_sent_before() {
    check(&[
        (World::restore_image, 4),
        (World::save_image, 2),
        (World::cut, 3),
        (World::flip, 2),
    ]);
}

#[test]
fn a_damaged_file_loses_what_it_lost_and_no_more() {
    check(&[
        (World::damage, 3),
        (World::wipe, 1),
        (World::rot, 2),
        (World::cut, 4),
        (World::fail_over, 2),
        (World::flip, 2),
    ]);
}

#[test]
fn a_row_that_was_given_up_is_taken_when_an_image_brings_it_back() {
    check(&[
        (World::damage, 3),
        (World::save_image, 2),
        (World::restore_image, 3),
        (World::cut, 2),
    ]);
}

#[test]
fn a_watermark_may_fall_while_older_epochs_are_sent() {
    check(&[
        (World::damage, 4),
        (World::fail_over, 5),
        (World::replicate, 2),
        (World::ping, 8),
        (World::flip, 3),
    ]);
}

#[test]
fn two_files_with_one_epoch_part_without_a_loss() {
    check(&[
        (World::clone_edge, 2),
        (World::replicate, 2),
        (World::flip, 2),
        (World::cut, 3),
        (World::kill_edge, 1),
        (World::fail_over, 4),
    ]);
}

#[test]
fn retention_spares_what_must_be_sent_again() {
    check(&[
        (World::prune, 6),
        (World::restore_database, 3),
        (World::cut, 2),
        (World::fail_over, 2),
    ]);
}

#[test]
fn all_faults_at_once_are_survived() {
    check(&[
        (World::cut, 2),
        (World::flip, 2),
        (World::kill_edge, 1),
        (World::die_serving, 1),
        (World::fail_over, 1),
        (World::restore_database, 1),
        (World::restore_image, 1),
        (World::damage, 1),
        (World::rot, 1),
        (World::clone_edge, 1),
        (World::prune, 2),
        (World::wipe, 1),
    ]);
}
