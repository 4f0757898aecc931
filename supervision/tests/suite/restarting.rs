//! An actor that falls starts again behind the same handle, with a fresh value and the messages that waited.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix::{Handler, Message};
use weighbridge_supervision::{AskError, Handle, Spec};

use crate::support::{
    Count, Fate, Panic, PanicAlone, PanicAside, PanicLater, SOON, Stop, Worker, tireless, tree, until_running,
};

/// Brings a worker down by `message`, expects this answer, and a fresh worker that was restarted so often.
async fn check<M>(message: M, answer: Result<(), AskError>, restarts: usize)
where
    Worker: Handler<M>,
    M: Message<Result = ()> + Send + 'static,
{
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    assert_eq!(worker.ask::<Count>(Count, SOON).await, Ok(1));
    assert_eq!(worker.ask(message, SOON).await, answer);
    let generation = 1 + restarts as u64;
    until_running(&tree, "worker", generation).await;
    assert_eq!(
        worker.ask::<Count>(Count, SOON).await,
        Ok(if restarts == 0 { 2 } else { 1 })
    );
    assert_eq!(fate.lives.load(Ordering::SeqCst), 1 + restarts);
}

#[actix::test]
async fn a_panic_in_a_handler_crashes_that_message_and_restarts() {
    check(Panic, Err(AskError::Crashed), 1).await;
}

#[actix::test]
async fn a_panic_in_a_future_that_holds_the_actor_crashes_that_message_and_restarts() {
    check(PanicLater, Err(AskError::Crashed), 1).await;
}

#[actix::test]
async fn a_panic_in_a_future_aside_crashes_that_message_alone() {
    check(PanicAside, Err(AskError::Crashed), 0).await;
}

#[actix::test]
async fn a_panic_in_a_future_of_its_own_restarts() {
    check(PanicAlone, Ok(()), 1).await;
}

#[actix::test]
async fn an_actor_that_stops_itself_restarts() {
    check(Stop, Ok(()), 1).await;
}

#[actix::test]
async fn a_panic_while_starting_is_survived() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    fate.doomed_starts.store(2, Ordering::SeqCst);
    fate.doomed_values.store(2, Ordering::SeqCst);
    let worker = Worker::start(&tree, "worker", &fate);
    assert_eq!(
        worker.ask(Count, SOON).await,
        Ok(1),
        "it waited in the mailbox through four falls"
    );
    assert_eq!(until_running(&tree, "worker", 5).await.generation, 5);
}

#[actix::test]
async fn a_panic_while_ending_or_dropped_is_survived() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    fate.doomed_ends.store(1, Ordering::SeqCst);
    assert_eq!(worker.ask(Stop, SOON).await, Ok(()));
    until_running(&tree, "worker", 2).await;
    fate.doomed_drops.store(1, Ordering::SeqCst);
    assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    until_running(&tree, "worker", 3).await;
    fate.doomed_drops.store(1, Ordering::SeqCst);
    assert_eq!(worker.ask(Stop, SOON).await, Ok(()));
    until_running(&tree, "worker", 4).await;
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn a_torn_value_is_not_asked_for_its_last_words() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    until_running(&tree, "worker", 2).await;
    assert_eq!(fate.stopped.load(Ordering::SeqCst), 0);
}

#[actix::test]
async fn the_snapshot_says_what_fell_and_why() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    until_running(&tree, "worker", 2).await;
    let rows = tree.snapshot();
    let row = rows.iter().find(|row| row.name == "worker").unwrap();
    assert_eq!(
        (row.kind, row.parent, row.restarts, row.generation),
        ("worker", Some("root"), 1, 2)
    );
    assert_eq!((row.mailbox_depth, row.mailbox_capacity), (0, 256));
    assert_eq!(
        row.last_failure.as_deref(),
        Some("panicked during suite::support::Panic: as told")
    );
    assert_eq!(rows[0].name, "root");
}

#[actix::test]
async fn a_neighbour_on_the_same_arbiter_feels_nothing() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let start = |name: &'static str| {
        let fate = Arc::clone(&fate);
        tree.start(Spec::new("worker", name).on("shared"), move || Worker::new(&fate))
            .unwrap()
    };
    let (falling, neighbour) = (start("falling"), start("neighbour"));
    for expected in 1..=20 {
        assert_eq!(falling.ask(Panic, SOON).await, Err(AskError::Crashed));
        assert_eq!(neighbour.ask(Count, SOON).await, Ok(expected));
    }
}

#[actix::test]
async fn ten_thousand_calls_from_twenty_callers_are_all_answered_while_it_crashes_thirty_times() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..20)
        .map(|_| actix::spawn(call(worker.clone(), 500, Arc::clone(&answered))))
        .collect();
    for crash in 1..=30 {
        while answered.load(Ordering::SeqCst) < crash * 300 {
            tokio::task::yield_now().await;
        }
        assert_eq!(worker.ask(Panic, SOON).await, Err(AskError::Crashed));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(answered.load(Ordering::SeqCst), 10_000);
    assert_eq!(worker.depth(), 0);
    until_running(&tree, "worker", 31).await;
    assert_eq!(fate.lives.load(Ordering::SeqCst), 31);
}

async fn call(worker: Handle<Worker>, times: usize, answered: Arc<AtomicUsize>) {
    for _ in 0..times {
        worker.ask(Count, SOON).await.unwrap();
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

#[actix::test]
async fn a_message_is_never_handed_over_twice() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    // Whoever needs a poison message again asks again, and sets it aside after the third time.
    for _ in 0..3 {
        let (before, poison, after) = tokio::join!(
            worker.ask(Count, SOON),
            worker.ask(Panic, SOON),
            worker.ask(Count, SOON)
        );
        assert_eq!((before.is_ok(), poison, after), (true, Err(AskError::Crashed), Ok(1)));
    }
    until_running(&tree, "worker", 4).await;
    assert_eq!(
        fate.lives.load(Ordering::SeqCst),
        4,
        "one life a poison message, not more"
    );
}
