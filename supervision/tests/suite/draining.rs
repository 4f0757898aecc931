//! The tree ends in reverse order, in time.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler};
use tokio::sync::oneshot;
use weighbridge_supervision::{AskError, Policy, Spec, StartError, TellError};

use crate::support::{Block, Count, Fate, SOON, Worker, quick, tree, until_running};

type Names = Arc<Mutex<Vec<&'static str>>>;

/// Writes down when it ends.
struct Witness {
    name: &'static str,
    ended: Names,
    counted: u32,
}

impl Actor for Witness {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        self.ended.lock().unwrap().push(self.name);
    }
}

impl Handler<Count> for Witness {
    type Result = u32;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> u32 {
        self.counted += 1;
        self.counted
    }
}

#[actix::test]
async fn the_youngest_end_first_and_handle_what_waits() {
    let (tree, ended) = (tree(quick()), Names::default());
    let start = |name: &'static str| {
        let ended = Arc::clone(&ended);
        let make = move || Witness {
            name,
            ended: Arc::clone(&ended),
            counted: 0,
        };
        tree.start(Spec::new("witness", name).on(name), make).unwrap()
    };
    let handles = ["repository", "queue", "indicator"].map(start);
    for handle in &handles {
        until_running(&tree, handle.name(), 1).await;
    }
    let asked: Vec<_> = (0..100).map(|_| actix::spawn(ask(handles[2].clone()))).collect();
    while handles[2].ask(Count, SOON).await.unwrap() < 50 {}
    let (late, ()) = tokio::join!(tree.drain(SOON), async {
        for asked in asked {
            assert!(
                matches!(asked.await.unwrap(), Ok(_) | Err(AskError::Down)),
                "answered, or not taken"
            );
        }
    });
    assert_eq!(late, Vec::<String>::new());
    assert_eq!(*ended.lock().unwrap(), ["indicator", "queue", "repository"]);
    assert_eq!(handles[0].tell(Count), Err(TellError::Down));
    let fate = Arc::<Fate>::default();
    let new = tree.start(Spec::new("worker", "new"), move || Worker::new(&fate));
    assert!(matches!(new, Err(StartError::Draining)));
}

async fn ask(handle: weighbridge_supervision::Handle<Witness>) -> Result<u32, AskError> {
    handle.ask(Count, SOON).await
}

#[actix::test]
async fn what_waits_is_handled_before_the_end() {
    let (tree, fate) = (
        tree(Policy {
            frozen_after: SOON,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    let spec = Spec::new("worker", "worker").mailbox(usize::MAX);
    let worker = tree.start(spec, move || Worker::new(&fate)).unwrap();
    let ((entered, has_entered), (release, until_released)) = (oneshot::channel(), mpsc::channel());
    worker.tell(Block(entered, until_released)).unwrap();
    has_entered.await.unwrap();
    for _ in 0..200_000 {
        worker.tell(Count).unwrap();
    }
    let (last, late) = tokio::join!(worker.ask(Count, SOON), async {
        release.send(()).unwrap();
        tree.drain(SOON).await
    });
    assert_eq!((last, late), (Ok(200_001), Vec::new()));
}

#[actix::test]
async fn who_does_not_end_in_time_is_named_and_left_behind() {
    let (tree, fate) = (
        tree(Policy {
            frozen_after: SOON,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    let blocked = Worker::start(&tree, "blocked", &fate);
    let other = Worker::start(&tree, "other", &fate);
    let ((entered, has_entered), (_release, until_released)) = (oneshot::channel(), mpsc::channel());
    blocked.tell(Block(entered, until_released)).unwrap();
    has_entered.await.unwrap();
    until_running(&tree, "other", 1).await;
    let began = Instant::now();
    assert_eq!(tree.drain(Duration::from_millis(100)).await, ["blocked"]);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(other.tell(Count), Err(TellError::Down));
    assert_eq!(blocked.tell(Count), Err(TellError::Down));
}

#[actix::test]
async fn a_tree_that_is_dropped_takes_its_actors_down() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
    drop(tree);
    assert_eq!(worker.ask(Count, SOON).await, Err(AskError::Down));
}
