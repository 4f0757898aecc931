//! The hooks of the feature `chaos` do what they say, and a supervisor that fails too often escalates.

use std::sync::Arc;

use weighbridge_supervision::{AskError, Escalation, Moment, State, Tree};

use crate::support::{Count, Fate, SOON, Worker, quick, tireless, tree, until, until_running};

#[actix::test]
async fn chaos_panics_at_messages() {
    let (tree, fate) = (tree(tireless()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    until_running(&tree, "worker", 1).await;
    assert!(tree.chaos_panic("worker", Moment::Message, 3));
    let crashed = worker.ask(Count, SOON).await;
    let crashed_again = worker.ask(Count, SOON).await;
    assert_eq!(
        (crashed, crashed_again),
        (Err(AskError::Crashed), Err(AskError::Crashed)),
        "the first hit chaos' own"
    );
    until_running(&tree, "worker", 4).await;
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
    assert!(!tree.chaos_panic("nobody", Moment::Message, 3));
}

#[actix::test]
async fn chaos_panics_at_starts_until_failed() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    until_running(&tree, "worker", 1).await;
    assert!(tree.chaos_panic("worker", Moment::Started, 6));
    assert!(tree.chaos_panic("worker", Moment::Message, 1));
    until(&tree, "worker", |status| status.state == State::Failed).await;
    until_running(&tree, "worker", 8).await;
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn chaos_freezes() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    until_running(&tree, "worker", 1).await;
    assert!(tree.chaos_freeze("worker", 1));
    until_running(&tree, "worker", 2).await;
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn a_supervisor_that_fails_three_times_escalates() {
    let (escalate, mut escalated) = tokio::sync::mpsc::unbounded_channel();
    let tree = Tree::new(quick(), move |why| escalate.send(why).unwrap()).unwrap();
    let fate = Arc::<Fate>::default();
    let worker = Worker::start(&tree, "worker", &fate);
    for generation in 1..=3 {
        until_running(&tree, "worker", generation).await;
        assert!(escalated.try_recv().is_err());
        assert!(tree.chaos_break_keeper("worker"));
    }
    let why = tokio::time::timeout(SOON, escalated.recv()).await.unwrap().unwrap();
    assert!(matches!(
        why,
        Escalation::SupervisorFailed {
            name: "root",
            times: 3,
            ..
        }
    ));
    until_running(&tree, "worker", 4).await;
    assert_eq!(
        worker.ask(Count, SOON).await,
        Ok(1),
        "and its child lives on until the process ends"
    );
}
