//! An administrator restarts one actor: its callers see a delay and nothing else.

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::oneshot;
use weighbridge_supervision::{AskError, Handle, Mode, Policy, RestartError, State};

use crate::support::{
    Block, Count, CountLater, Fate, Panic, SOON, Worker, metric, quick, record_metrics, tireless, tree, until,
    until_running,
};

#[actix::test]
async fn a_graceful_restart_finishes_the_message_in_hand_and_keeps_the_mailbox() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    let ((entered, has_entered), (release, until_released)) = (oneshot::channel(), oneshot::channel());
    let ask = |worker: &Handle<Worker>| {
        let worker = worker.clone();
        async move { worker.ask(Count, SOON).await }
    };
    let in_hand = worker.ask(CountLater(entered, until_released), SOON);
    let (in_hand, (restarted, waiting)) = tokio::join!(in_hand, async {
        has_entered.await.unwrap();
        tokio::join!(tree.restart("worker", Mode::Graceful), async {
            until(&tree, "worker", |status| status.state == State::Restarting).await;
            let waiting = actix::spawn(ask(&worker));
            while worker.depth() == 0 {
                tokio::task::yield_now().await;
            }
            release.send(()).unwrap();
            waiting.await.unwrap()
        })
    });
    assert_eq!(in_hand, Ok(1), "finished by the old value");
    assert_eq!(waiting, Ok(1), "served by the new one");
    let restarted = restarted.unwrap();
    assert_eq!((restarted.generation_before, restarted.generation_after), (1, 2));
    assert_eq!(
        fate.stopped.load(Ordering::SeqCst),
        1,
        "the old value had its last words"
    );
}

#[actix::test]
async fn a_message_in_hand_that_does_not_end_is_cut_off_after_the_grace() {
    let (tree, fate) = (
        tree(Policy {
            grace: Duration::from_millis(30),
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    let worker = Worker::start(&tree, "worker", &fate);
    let ((entered, has_entered), (_release, until_released)) = (oneshot::channel(), oneshot::channel());
    let (in_hand, restarted) = tokio::join!(worker.ask(CountLater(entered, until_released), SOON), async {
        has_entered.await.unwrap();
        tree.restart("worker", Mode::Graceful).await.unwrap()
    });
    assert_eq!(in_hand, Err(AskError::Crashed));
    assert!(restarted.took >= Duration::from_millis(30));
}

#[actix::test]
async fn a_kill_does_not_wait_for_the_message_in_hand() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    let ((entered, has_entered), (_release, until_released)) = (oneshot::channel(), oneshot::channel());
    let (in_hand, restarted) = tokio::join!(worker.ask(CountLater(entered, until_released), SOON), async {
        has_entered.await.unwrap();
        tree.restart("worker", Mode::Kill).await.unwrap()
    });
    assert_eq!(in_hand, Err(AskError::Crashed));
    assert_eq!(restarted.generation_after, 2);
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn of_twenty_restarts_at_once_one_is_done_and_nineteen_name_it() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    let ((entered, has_entered), (release, until_released)) = (oneshot::channel(), oneshot::channel());
    worker.tell(CountLater(entered, until_released)).unwrap();
    has_entered.await.unwrap();
    let mut restarts: FuturesUnordered<_> = (0..20).map(|_| tree.restart("worker", Mode::Graceful)).collect();
    let mut refused = Vec::new();
    for _ in 0..19 {
        refused.push(restarts.next().await.unwrap().unwrap_err());
    }
    release.send(()).unwrap();
    let done = restarts.next().await.unwrap().unwrap();
    let expected = RestartError::AlreadyRestarting {
        restart_id: done.restart_id,
    };
    assert!(refused.iter().all(|refused| *refused == expected), "{refused:?}");
    assert_eq!(until_running(&tree, "worker", 2).await.generation, 2);
    assert_eq!(
        tree.restart("worker", Mode::Graceful).await.unwrap().generation_after,
        3,
        "over means over"
    );
}

#[actix::test]
async fn ten_restarts_a_minute_are_enough() {
    record_metrics();
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let spec = weighbridge_supervision::Spec::new("often-restarted", "worker");
    tree.start(spec, move || Worker::new(&fate)).unwrap();
    for _ in 0..10 {
        tree.restart("worker", Mode::Graceful).await.unwrap();
    }
    let refused = tree.restart("worker", Mode::Graceful).await.unwrap_err();
    assert!(matches!(refused, RestartError::RateLimited { retry_after }
        if retry_after > Duration::from_secs(50) && retry_after <= Duration::from_mins(1)));
    assert_eq!(
        until_running(&tree, "worker", 11).await.generation,
        11,
        "and none of them made it FAILED"
    );
    assert!((metric(r#"actor_restarts_total{kind="often-restarted"}"#) - 10.0).abs() < 0.5);
}

#[actix::test]
async fn who_is_unknown_or_a_supervisor_is_not_restarted() {
    let tree = tree(quick());
    tree.supervisor("stations").unwrap();
    let restart = |name: &'static str| tree.restart(name, Mode::Graceful);
    assert_eq!(
        restart("nobody").await.unwrap_err(),
        RestartError::NotFound("nobody".to_owned())
    );
    assert_eq!(
        restart("stations").await.unwrap_err(),
        RestartError::Forbidden("stations".to_owned())
    );
    assert_eq!(
        restart("root").await.unwrap_err(),
        RestartError::Forbidden("root".to_owned())
    );
}

#[actix::test]
async fn a_restart_before_the_first_value_is_up_waits_for_the_second() {
    for _ in 0..20 {
        let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
        Worker::start(&tree, "worker", &fate);
        let restarted = tree.restart("worker", Mode::Graceful).await.unwrap();
        assert_eq!((restarted.generation_before, restarted.generation_after), (1, 2));
    }
}

#[actix::test]
async fn a_failed_actor_comes_back_by_an_administrator() {
    let (tree, fate) = (
        tree(Policy {
            first_trial: SOON,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    fate.doomed_starts.store(6, Ordering::SeqCst);
    let worker = Worker::start(&tree, "worker", &fate);
    until(&tree, "worker", |status| status.state == State::Failed).await;
    assert_eq!(
        tree.restart("worker", Mode::Graceful).await.unwrap().generation_after,
        7
    );
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn a_restart_that_does_not_come_up_says_so() {
    let policy = Policy {
        up_within: Duration::from_secs(1),
        first_backoff: SOON,
        longest_backoff: SOON,
        ..quick()
    };
    let (tree, fate) = (tree(policy), Arc::<Fate>::default());
    Worker::start(&tree, "worker", &fate);
    until_running(&tree, "worker", 1).await;
    fate.doomed_starts.store(1, Ordering::SeqCst);
    let refused = tree.restart("worker", Mode::Graceful).await.unwrap_err();
    assert!(matches!(refused, RestartError::NotUp { within, .. } if within == Duration::from_secs(1)));
    assert_eq!(
        tree.restart("worker", Mode::Graceful).await.unwrap().generation_after,
        3,
        "another may be tried"
    );
}

#[actix::test]
async fn a_frozen_actor_is_restarted_too_as_soon_as_it_is_found() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    let ((entered, has_entered), (_release, until_released)) = (oneshot::channel(), mpsc::channel());
    worker.tell(Block(entered, until_released)).unwrap();
    has_entered.await.unwrap();
    assert_eq!(tree.restart("worker", Mode::Kill).await.unwrap().generation_after, 2);
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn restarts_by_administrators_are_no_failures() {
    let (tree, fate) = (
        tree(Policy {
            tolerated_failures: 1,
            restarts_a_minute: 100,
            ..tireless()
        }),
        Arc::default(),
    );
    let worker = Worker::start(&tree, "worker", &fate);
    for _ in 0..20 {
        tree.restart("worker", Mode::Graceful).await.unwrap();
    }
    assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    until_running(&tree, "worker", 22).await;
}
