//! An actor that blocks its thread is found, and all that lived on the thread start anew on another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use actix::{Actor, Context, Handler, Message};
use actix_rt::Arbiter;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use weighbridge_supervision::{AskError, Escalation, Handle, Listener, Policy, Spec, TellError, Tree, retired};

use crate::support::{Block, Count, Fate, SOON, Worker, metric, quick, record_metrics, tree, until, until_running};

/// Blocks in its handler, and then writes to another actor.
struct Late {
    ledger: Handle<Worker>,
    wrote: Listener<(Result<(), TellError>, bool)>,
}

impl Actor for Late {
    type Context = Context<Self>;
}

/// Blocks until the sender is used, then writes.
#[derive(Message)]
#[rtype(result = "()")]
struct WriteLate(oneshot::Sender<()>, mpsc::Receiver<()>);

impl Handler<WriteLate> for Late {
    type Result = ();

    fn handle(&mut self, WriteLate(entered, until): WriteLate, _: &mut Context<Self>) {
        entered.send(()).unwrap();
        // Used or dropped, both mean to go on.
        let _ = until.recv();
        self.wrote.announce((self.ledger.tell(Count), retired()));
    }
}

/// Writes at once.
#[derive(Message)]
#[rtype(result = "()")]
struct Write;

impl Handler<Write> for Late {
    type Result = ();

    fn handle(&mut self, _: Write, _: &mut Context<Self>) {
        self.wrote.announce((self.ledger.tell(Count), retired()));
    }
}

struct Scene {
    tree: Tree,
    ledger: Handle<Worker>,
    late: Handle<Late>,
    written: mpsc::Receiver<(Result<(), TellError>, bool)>,
}

fn scene() -> Scene {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let ledger = Worker::start(&tree, "ledger", &fate);
    let (write, written) = mpsc::channel();
    let late = tree.start(Spec::new("late", "late").on("yard"), {
        let ledger = ledger.clone();
        move || {
            let write = write.clone();
            let wrote_down = Listener::new("test", move |said| write.send(said).map_err(|_| TellError::Down));
            Late {
                ledger: ledger.clone(),
                wrote: wrote_down,
            }
        }
    });
    Scene {
        late: late.unwrap(),
        tree,
        ledger,
        written,
    }
}

#[actix::test]
async fn a_frozen_actor_is_replaced_and_its_late_write_is_refused() {
    record_metrics();
    let Scene {
        tree,
        ledger,
        late,
        written,
    } = scene();
    let ((entered, has_entered), (release, until_released)) = (oneshot::channel(), mpsc::channel());
    let (stuck, waiting) = tokio::join!(late.ask(WriteLate(entered, until_released), SOON), async {
        has_entered.await.unwrap();
        late.ask(Write, SOON).await
    });
    assert_eq!(stuck, Err(AskError::Crashed), "in hand on the frozen thread");
    assert_eq!(waiting, Err(AskError::Crashed), "left in the old mailbox");
    let status = until_running(&tree, "late", 2).await;
    assert_eq!(status.generation, 2);
    let row = tree.snapshot().into_iter().find(|row| row.name == "late").unwrap();
    assert!(
        row.last_failure
            .unwrap()
            .starts_with("froze during suite::freezing::WriteLate")
    );

    assert_eq!(
        late.ask(Write, SOON).await,
        Ok(()),
        "the new one serves while the old one still sleeps"
    );
    assert_eq!(written.recv().unwrap(), (Ok(()), false));
    let fenced = metric("actor_fenced_total");
    release.send(()).unwrap();
    let late_write = tokio::task::spawn_blocking(move || written.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(late_write, (Err(TellError::Down), true), "woken, and refused");
    assert!(metric("actor_fenced_total") > fenced);
    assert_eq!(ledger.ask(Count, SOON).await, Ok(2), "one write and this");
}

#[actix::test]
async fn all_that_live_on_a_frozen_arbiter_move_and_the_others_stay() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let start = |name: &'static str, arbiter: &'static str| {
        let fate = Arc::clone(&fate);
        tree.start(Spec::new("worker", name).on(arbiter), move || Worker::new(&fate))
            .unwrap()
    };
    let (frozen, neighbour, elsewhere) = (
        start("frozen", "yard"),
        start("neighbour", "yard"),
        start("other", "town"),
    );
    assert_eq!(neighbour.ask(Count, SOON).await, Ok(1));
    assert_eq!(elsewhere.ask(Count, SOON).await, Ok(1));
    let ((entered, _has_entered), (_release, until_released)) = (oneshot::channel(), mpsc::channel());
    assert_eq!(
        frozen.ask(Block(entered, until_released), SOON).await,
        Err(AskError::Crashed)
    );
    until_running(&tree, "frozen", 2).await;
    until_running(&tree, "neighbour", 2).await;
    assert_eq!(neighbour.ask(Count, SOON).await, Ok(1), "a fresh value");
    assert_eq!(elsewhere.ask(Count, SOON).await, Ok(2), "untouched");
    let rows = tree.snapshot();
    let failure = |name: &str| rows.iter().find(|row| row.name == name).unwrap().last_failure.clone();
    assert!(failure("frozen").is_some());
    assert_eq!(failure("neighbour"), None, "another's trouble");
}

#[actix::test]
async fn a_thread_that_was_given_up_ends_when_it_wakes() {
    let (tree, fate) = (tree(quick()), Arc::<Fate>::default());
    let worker = Worker::start(&tree, "worker", &fate);
    let ((entered, _has_entered), (release, until_released)) = (oneshot::channel(), mpsc::channel());
    assert_eq!(
        worker.ask(Block(entered, until_released), SOON).await,
        Err(AskError::Crashed)
    );
    until_running(&tree, "worker", 2).await;
    assert_eq!(fate.stopped.load(Ordering::SeqCst), 0);
    drop(release);
    while fate.stopped.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(worker.ask(Count, SOON).await, Ok(1));
    assert_eq!(
        until_running(&tree, "worker", 2).await.generation,
        2,
        "the old one's end restarts nothing"
    );
}

#[actix::test]
async fn an_actor_that_freezes_again_and_again_is_failed() {
    let (tree, fate) = (
        tree(weighbridge_supervision::Policy {
            tolerated_failures: 1,
            ..quick()
        }),
        Arc::<Fate>::default(),
    );
    let worker = Worker::start(&tree, "worker", &fate);
    let mut held = Vec::new();
    for _ in 0..2 {
        let ((entered, _has_entered), (release, until_released)) = (oneshot::channel(), mpsc::channel());
        held.push(release);
        let asked = worker.ask(Block(entered, until_released), SOON).await;
        assert_eq!(asked, Err(AskError::Crashed));
    }
    until(&tree, "worker", |status| {
        status.state == weighbridge_supervision::State::Failed
    })
    .await;
}

#[actix::test]
async fn an_arbiter_that_holds_sockets_is_not_replaced_but_escalates() {
    let (escalate, mut escalated) = tokio::sync::mpsc::unbounded_channel();
    let tree = Tree::new(quick(), move |why| escalate.send(why).unwrap()).unwrap();
    let arbiter = Arbiter::new();
    tree.bind("live-1", arbiter.handle());
    let times = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&times);
    let live = tree.start(Spec::new("live", "live-1-actor").on("live-1"), move || {
        made.fetch_add(1, Ordering::SeqCst);
        Worker::new(&Arc::default())
    });
    let live = live.unwrap();
    assert_eq!(live.ask(Count, SOON).await, Ok(1));
    let ((entered, has_entered), (release, until_released)) = (oneshot::channel(), mpsc::channel());
    live.tell(Block(entered, until_released)).unwrap();
    has_entered.await.unwrap();
    let why = tokio::time::timeout(SOON, escalated.recv()).await.unwrap().unwrap();
    assert!(matches!(&why, Escalation::BoundArbiterSilent { name, silent }
        if &**name == "live-1" && *silent >= Duration::from_millis(300)));
    assert_eq!(times.load(Ordering::SeqCst), 1);
    release.send(()).unwrap();
}

#[actix::test]
async fn the_longest_silence_is_that_of_the_thread_that_stands_still() {
    let tree = tree(Policy {
        bound_silent_after: SOON,
        ..quick()
    });
    let arbiter = Arbiter::new().handle();
    tree.bind("sockets", arbiter.clone());
    tree.bind("others", Arbiter::new().handle());
    let (let_go, hold) = mpsc::channel::<()>();
    let limit = Duration::from_millis(200);
    wait_for(|| tree.longest_silence() < limit / 2).await;
    // Dropped, it means to go on.
    arbiter.spawn_fn(move || assert!(hold.recv().is_err()));
    wait_for(|| tree.longest_silence() > limit).await;
    drop(let_go);
    wait_for(|| tree.longest_silence() < limit / 2).await;
}

async fn wait_for(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON, "in vain waited for");
        sleep(Duration::from_millis(5)).await;
    }
}
