//! Children that hold what they learned from another restart with it.

use std::sync::Arc;

use weighbridge_supervision::{AskError, Mode, Spec, Tree};

use crate::support::{Fate, Panic, SOON, Worker, tireless, tree, until_running};

fn scene() -> Tree {
    let tree = tree(tireless());
    for (name, followers) in [
        ("repository", vec!["queue-*", "live-*"]),
        ("queue-1", vec!["indicator-*"]),
        ("queue-2", vec![]),
        ("live-1", vec![]),
        ("indicator-1", vec![]),
    ] {
        let fate = Arc::<Fate>::default();
        tree.start(Spec::new("worker", name).followed_by(followers), move || {
            Worker::new(&fate)
        })
        .unwrap();
    }
    tree
}

fn generations(tree: &Tree) -> Vec<(String, u64)> {
    let children = tree.snapshot().into_iter().filter(|row| row.kind != "supervisor");
    children.map(|row| (row.name, row.generation)).collect()
}

async fn all_up(tree: &Tree) {
    for (name, _) in generations(tree) {
        until_running(tree, &name, 1).await;
    }
}

fn expected(numbers: [u64; 5]) -> Vec<(String, u64)> {
    let names = ["repository", "queue-1", "queue-2", "live-1", "indicator-1"];
    names.map(str::to_owned).into_iter().zip(numbers).collect()
}

#[actix::test]
async fn a_restart_by_an_administrator_is_done_when_the_followers_are_up_too() {
    let tree = scene();
    all_up(&tree).await;
    assert_eq!(
        generations(&tree),
        expected([1, 1, 1, 1, 1]),
        "nobody follows a first start"
    );
    tree.restart("repository", Mode::Graceful).await.unwrap();
    assert_eq!(
        generations(&tree),
        expected([2, 2, 2, 2, 1]),
        "followers of followers stay"
    );
}

#[actix::test]
async fn followers_restart_when_their_leader_falls() {
    let tree = scene();
    all_up(&tree).await;
    let repository = tree.find::<Worker>("repository").unwrap();
    assert_eq!(repository.ask(Panic, SOON).await, Err(AskError::Crashed));
    for name in ["repository", "queue-1", "queue-2", "live-1"] {
        until_running(&tree, name, 2).await;
    }
    assert_eq!(generations(&tree), expected([2, 2, 2, 2, 1]));
}

#[actix::test]
async fn a_leader_does_not_restart_with_its_follower() {
    let tree = scene();
    all_up(&tree).await;
    tree.restart("live-1", Mode::Graceful).await.unwrap();
    assert_eq!(generations(&tree), expected([1, 1, 1, 2, 1]));
}
