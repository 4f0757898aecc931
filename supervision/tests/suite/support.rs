//! An actor that does as it is told, a quick policy, and ways to wait for what happens.

use std::{
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, ResponseFuture,
    Running, WrapFuture,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;
use weighbridge_supervision::{Handle, Policy, Spec, State, Status, Tree};

/// Longer than anything here takes.
pub const SOON: Duration = Duration::from_secs(10);

/// The numbers of the product with everything a good deal quicker.
pub fn quick() -> Policy {
    Policy {
        first_backoff: Duration::from_millis(2),
        longest_backoff: Duration::from_millis(20),
        first_trial: Duration::from_millis(50),
        longest_trial: Duration::from_millis(200),
        forgiven_after: Duration::from_millis(100),
        grace: Duration::from_secs(5),
        up_within: Duration::from_secs(5),
        beat_every: Duration::from_millis(20),
        frozen_after: Duration::from_millis(140),
        bound_silent_after: Duration::from_millis(300),
        ..Policy::default()
    }
}

/// As [`quick`], and never FAILED.
pub fn tireless() -> Policy {
    Policy {
        tolerated_failures: usize::MAX,
        ..quick()
    }
}

/// A tree that nothing is to escalate from.
pub fn tree(policy: Policy) -> Tree {
    Tree::new(policy, |why| panic!("nothing was to escalate, and yet {why}")).unwrap()
}

/// What the test does to its workers' lives from outside.
#[derive(Debug, Default)]
pub struct Fate {
    /// Lives begun.
    pub lives: AtomicUsize,
    /// When each of them began.
    pub began: Mutex<Vec<Instant>>,
    /// Lives ended by the book, through `stopped()`.
    pub stopped: AtomicUsize,
    /// How many of the next lives panic in `started()`.
    pub doomed_starts: AtomicU32,
    /// How many of the next values cannot be made.
    pub doomed_values: AtomicU32,
    /// How many of the next values panic when they are dropped.
    pub doomed_drops: AtomicU32,
    /// How many of the next ends panic in `stopping()`.
    pub doomed_ends: AtomicU32,
}

impl Fate {
    fn befalls(doomed: &AtomicU32) -> bool {
        doomed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }
}

/// Counts, and does as it is told.
pub struct Worker {
    total: u32,
    fate: Arc<Fate>,
}

impl Worker {
    pub fn new(fate: &Arc<Fate>) -> Self {
        assert!(!Fate::befalls(&fate.doomed_values), "no value");
        Self {
            total: 0,
            fate: Arc::clone(fate),
        }
    }

    /// Starts one of this name under `root`, on an arbiter of its own.
    pub fn start(tree: &Tree, name: &'static str, fate: &Arc<Fate>) -> Handle<Self> {
        let fate = Arc::clone(fate);
        tree.start(Spec::new("worker", name).on(name), move || Self::new(&fate))
            .unwrap()
    }
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.fate.lives.fetch_add(1, Ordering::SeqCst);
        self.fate.began.lock().unwrap().push(Instant::now());
        assert!(!Fate::befalls(&self.fate.doomed_starts), "no start");
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        assert!(!Fate::befalls(&self.fate.doomed_ends), "no end");
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.fate.stopped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert!(!Fate::befalls(&self.fate.doomed_drops), "no drop");
        }
    }
}

/// Adds 1 and answers the sum.
#[derive(Message)]
#[rtype(result = "u32")]
pub struct Count;

impl Handler<Count> for Worker {
    type Result = u32;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u32 {
        self.total += 1;
        self.total
    }
}

/// Panics.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Panic;

impl Handler<Panic> for Worker {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        panic!("as told");
    }
}

/// Panics in a future that holds the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PanicLater;

impl Handler<PanicLater> for Worker {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: PanicLater, _: &mut Context<Self>) -> Self::Result {
        Box::pin(
            tokio::task::yield_now()
                .into_actor(self)
                .map(|(), _, _| panic!("later, as told")),
        )
    }
}

/// Panics in a future that does not hold the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PanicAside;

impl Handler<PanicAside> for Worker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: PanicAside, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("aside, as told");
        })
    }
}

/// Panics in a future of the actor's own.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PanicAlone;

impl Handler<PanicAlone> for Worker {
    type Result = ();

    fn handle(&mut self, _: PanicAlone, ctx: &mut Context<Self>) {
        ctx.spawn(
            tokio::task::yield_now()
                .into_actor(self)
                .map(|(), _, _| panic!("alone, as told")),
        );
    }
}

/// Stops the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

impl Handler<Stop> for Worker {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// Blocks the thread until the sender is used or dropped; the first says that it does.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Block(pub tokio::sync::oneshot::Sender<()>, pub mpsc::Receiver<()>);

impl Handler<Block> for Worker {
    type Result = ();

    fn handle(&mut self, Block(entered, until): Block, _: &mut Context<Self>) {
        entered.send(()).unwrap();
        // Used or dropped, both mean to go on.
        let _ = until.recv();
    }
}

/// Counts when the sender is used, without holding up the actor; the first says that it is in hand.
#[derive(Message)]
#[rtype(result = "u32")]
pub struct CountLater(
    pub tokio::sync::oneshot::Sender<()>,
    pub tokio::sync::oneshot::Receiver<()>,
);

impl Handler<CountLater> for Worker {
    type Result = ResponseActFuture<Self, u32>;

    fn handle(&mut self, CountLater(entered, until): CountLater, _: &mut Context<Self>) -> Self::Result {
        entered.send(()).unwrap();
        Box::pin(until.into_actor(self).map(|_, this, _| {
            this.total += 1;
            this.total
        }))
    }
}

/// Waits until a permanent child has a status that `fits`.
pub async fn until(tree: &Tree, name: &str, fits: impl Fn(Status) -> bool) -> Status {
    let mut status: watch::Receiver<Status> = tree.watch(name).unwrap();
    let fitting = tokio::time::timeout(SOON, status.wait_for(|status| fits(*status))).await;
    *fitting
        .unwrap_or_else(|_| panic!("{name} is in vain waited for: {:?}", tree.snapshot()))
        .unwrap()
}

/// Waits until a permanent child runs in this generation or a later one.
pub async fn until_running(tree: &Tree, name: &str, generation: u64) -> Status {
    until(tree, name, |status| {
        status.state == State::Running && status.generation >= generation
    })
    .await
}

/// The value of a metric as Prometheus would read it; 0 while there is none.
pub fn metric(line: &str) -> f64 {
    let text = RECORDER.render();
    let value = text
        .lines()
        .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

/// Has metrics recorded from here on.
pub fn record_metrics() {
    LazyLock::force(&RECORDER);
}

static RECORDER: LazyLock<PrometheusHandle> = LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());
