//! A handle always answers, whatever becomes of the actor, and a mailbox is bounded for everyone alike.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::sync::oneshot;
use weighbridge_supervision::{AskError, Handle, Listener, Spec, StartError, TellError, Tree};

use crate::support::{Block, Count, CountLater, Fate, SOON, Worker, metric, quick, record_metrics, tree};

/// A worker with room for this many messages.
fn roomy(tree: &Tree, name: &'static str, capacity: usize) -> Handle<Worker> {
    let fate = Arc::<Fate>::default();
    tree.start(Spec::new("worker", name).on(name).mailbox(capacity), move || {
        Worker::new(&fate)
    })
    .unwrap()
}

/// Blocks the worker until the answered sender is used or dropped. No beat may come of it: see the policy.
async fn block(worker: &Handle<Worker>) -> mpsc::Sender<()> {
    let ((entered, has_entered), (release, until)) = (oneshot::channel(), mpsc::channel());
    worker.tell(Block(entered, until)).unwrap();
    has_entered.await.unwrap();
    release
}

fn patient() -> Tree {
    tree(weighbridge_supervision::Policy {
        frozen_after: SOON,
        ..quick()
    })
}

#[actix::test]
async fn a_full_mailbox_refuses_asks_and_tells_alike_and_tells_its_depth() {
    let tree = patient();
    let worker = roomy(&tree, "full", 3);
    let release = block(&worker).await;
    let asking = actix::spawn({
        let worker = worker.clone();
        async move { worker.ask(Count, SOON).await }
    });
    while worker.depth() < 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(worker.tell(Count), Ok(()));
    assert_eq!(worker.clone().tell(Count), Ok(()));
    assert_eq!(worker.tell(Count), Err(TellError::Full));
    assert_eq!(
        worker.clone().tell(Count),
        Err(TellError::Full),
        "another clone has no slot of its own"
    );
    assert_eq!(worker.ask(Count, SOON).await, Err(AskError::Full));
    assert_eq!(worker.depth(), 3);
    release.send(()).unwrap();
    assert_eq!(asking.await.unwrap(), Ok(1));
    assert_eq!(worker.ask(Count, SOON).await, Ok(4));
    assert_eq!(worker.depth(), 0);
}

#[actix::test]
async fn an_ask_ends_when_its_time_is_over_and_nobody_does_its_work_later() {
    let tree = patient();
    let worker = roomy(&tree, "slow", 8);
    let release = block(&worker).await;
    assert_eq!(
        worker.ask(Count, Duration::from_millis(10)).await,
        Err(AskError::TimedOut)
    );
    release.send(()).unwrap();
    assert_eq!(
        worker.ask(Count, SOON).await,
        Ok(1),
        "the one that was given up is not counted"
    );
}

#[actix::test]
async fn an_answer_that_takes_long_holds_up_nobody() {
    let tree = patient();
    let worker = roomy(&tree, "async", 8);
    let ((entered, has_entered), (release, until)) = (oneshot::channel(), oneshot::channel());
    let later = actix::spawn({
        let worker = worker.clone();
        async move { worker.ask(CountLater(entered, until), SOON).await }
    });
    has_entered.await.unwrap();
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
    release.send(()).unwrap();
    assert_eq!(later.await.unwrap(), Ok(2));
}

#[actix::test]
async fn a_long_queue_lets_a_neighbour_have_its_turn() {
    let tree = patient();
    let fate = Arc::<Fate>::default();
    let start = |name: &'static str| {
        let fate = Arc::clone(&fate);
        tree.start(Spec::new("worker", name).mailbox(1_000_000), move || Worker::new(&fate))
            .unwrap()
    };
    let (busy, neighbour) = (start("busy"), start("neighbour"));
    let release = block(&busy).await;
    for _ in 0..200_000 {
        busy.tell(Count).unwrap();
    }
    release.send(()).unwrap();
    neighbour.ask(Count, SOON).await.unwrap();
    assert!(busy.depth() > 0, "the neighbour was served before the queue was done");
}

#[actix::test]
async fn an_announcement_that_is_refused_is_counted() {
    record_metrics();
    let tree = patient();
    let worker = roomy(&tree, "listening", 2);
    let release = block(&worker).await;
    let listener: Listener<Count> = worker.listener();
    for _ in 0..5 {
        listener.announce(Count);
    }
    assert!(metric(r#"actor_announcements_refused_total{actor="listening"}"#) >= 3.0);
    tree.record_metrics();
    assert!(metric(r#"actor_mailbox_depth{actor="listening"}"#) >= 2.0);
    release.send(()).unwrap();
    while worker.depth() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(worker.ask(Count, SOON).await, Ok(3));
}

#[actix::test]
async fn an_actor_is_found_by_its_name_and_type() {
    let tree = patient();
    let worker = roomy(&tree, "known", 2);
    assert_eq!(
        tree.find::<Worker>("known").map(|found| found.name().to_owned()),
        Some(worker.name().to_owned())
    );
    assert!(tree.find::<Worker>("unknown").is_none());
    assert!(tree.find::<Worker>("root").is_none());
    let fate = Arc::<Fate>::default();
    let again = tree.start(Spec::new("worker", "known"), move || Worker::new(&fate));
    assert!(matches!(again, Err(StartError::NameTaken(name)) if &*name == "known"));
    let fate = Arc::<Fate>::default();
    let orphan = tree.start(Spec::new("worker", "orphan").under("nobody"), move || {
        Worker::new(&fate)
    });
    assert!(matches!(orphan, Err(StartError::NoSuchSupervisor("nobody"))));
}
