//! An actor that falls too often is FAILED, says so, and recovers by itself when the cause is gone.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use weighbridge_supervision::{AskError, Policy, Spec, State, TellError};

use crate::support::{Count, Fate, Panic, SOON, Worker, quick, tree, until, until_running};

#[actix::test]
async fn the_sixth_fall_is_failed_and_the_handle_is_down() {
    let (tree, fate) = (
        tree(Policy {
            first_trial: SOON,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    let worker = Worker::start(&tree, "worker", &fate);
    for _ in 0..5 {
        assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    }
    assert_eq!(worker.ask(Count, SOON).await, Ok(1), "five are tolerated");
    assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    until(&tree, "worker", |status| status.state == State::Failed).await;
    assert_eq!(worker.ask(Count, SOON).await, Err(AskError::Down));
    assert_eq!(worker.tell(Count), Err(TellError::Down));
    assert_eq!(tree.failed(), ["worker"]);
}

#[actix::test]
async fn what_waits_for_a_failed_actor_is_answered() {
    let (tree, fate) = (
        tree(Policy {
            first_trial: SOON,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    fate.doomed_starts.store(u32::MAX, Ordering::SeqCst);
    let worker = Worker::start(&tree, "worker", &fate);
    assert_eq!(worker.ask(Count, SOON).await, Err(AskError::Crashed));
    assert_eq!(worker.depth(), 0);
}

#[actix::test]
async fn a_failed_actor_is_tried_again_at_growing_intervals_and_recovers_alone() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    fate.doomed_starts.store(6 + 4, Ordering::SeqCst);
    Worker::start(&tree, "worker", &fate);
    until_running(&tree, "worker", 11).await;
    // How the state changed may be seen late, or in part; when lives began is certain.
    let began = fate.began.lock().unwrap().clone();
    let pauses: Vec<_> = began[5..].windows(2).map(|lives| lives[1] - lives[0]).collect();
    assert_eq!(pauses.len(), 5);
    for (pause, expected_ms) in pauses.iter().zip([50, 100, 200, 200, 200]) {
        let expected = Duration::from_millis(expected_ms);
        // A busy machine adds to a pause; nothing takes from it.
        assert!(
            *pause >= expected.mul_f64(0.75) && *pause < expected + SOON / 10,
            "{pauses:?}"
        );
    }
    assert!(tree.failed().is_empty());
    let worker = tree.find::<Worker>("worker").unwrap();
    assert_eq!(worker.ask(Count, SOON).await, Ok(1), "the same name, the same handle");
}

#[actix::test]
async fn an_actor_on_trial_that_falls_again_is_failed_at_once() {
    let (tree, fate) = (
        tree(Policy {
            forgiven_after: SOON,
            longest_trial: SOON,
            first_trial: SOON / 20,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    fate.doomed_starts.store(6, Ordering::SeqCst);
    let worker = Worker::start(&tree, "worker", &fate);
    until_running(&tree, "worker", 7).await;
    assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    until(&tree, "worker", |status| {
        status.state == State::Failed && status.generation == 7
    })
    .await;
}

#[actix::test]
async fn a_failed_actor_does_not_hold_up_its_neighbour() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let doomed = Arc::<Fate>::default();
    doomed.doomed_starts.store(u32::MAX, Ordering::SeqCst);
    tree.start(Spec::new("worker", "doomed"), move || Worker::new(&doomed))
        .unwrap();
    let neighbour = tree
        .start(Spec::new("worker", "neighbour"), move || Worker::new(&fate))
        .unwrap();
    until(&tree, "doomed", |status| status.state == State::Failed).await;
    assert_eq!(neighbour.ask(Count, SOON).await, Ok(1));
    assert_eq!(tree.failed(), ["doomed"]);
}
