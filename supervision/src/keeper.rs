//! Keeps one permanent child alive: starts it, learns how it ended, and decides when it starts again.

use std::{
    mem,
    ops::ControlFlow,
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tracing::{error, info, warn};

use crate::{
    Policy, State,
    incarnation::{Exit, LifeNews},
    node::{Command, Node},
    orders::Manner,
    policy::{Record, Verdict},
    registry::Registry,
    supervisor::Supervisor,
    survive::panic_text,
};

/// The keeper of one child. It runs on the tree's own arbiter, where no child can hold it up.
pub(crate) struct Keeper {
    node: Arc<Node>,
    registry: Weak<Registry>,
    policy: Arc<Policy>,
    commands: mpsc::UnboundedReceiver<Command>,
    record: Record,
    /// Why the life that begins next, or runs now, was started.
    cause: Cause,
    /// Who waits for the child to be up.
    awaiting_up: Vec<oneshot::Sender<u64>>,
}

/// Why a life was started; it decides whom a leader takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    First,
    Failure,
    Asked,
    /// Its leader restarted; this is not passed on to followers of its own.
    Led,
    /// Its arbiter was replaced; followers on the same arbiter restart for the same reason already.
    Replaced,
}

/// What came of one life.
enum Outcome {
    Again,
    Failed { reason: String, up_since: Option<Instant> },
    Over,
}

/// What the keeper learns while the child lives.
enum News {
    Life(Option<LifeNews>),
    Command(Option<Command>),
}

impl Keeper {
    pub(crate) fn new(
        node: Arc<Node>,
        registry: Weak<Registry>,
        policy: Arc<Policy>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (record, cause, awaiting_up) = (Record::default(), Cause::First, Vec::new());
        Self {
            node,
            registry,
            policy,
            commands,
            record,
            cause,
            awaiting_up,
        }
    }

    /// Keeps the child until the tree is drained or dropped. A panic in here is the failure of `supervisor`, and the
    /// child starts anew.
    pub(crate) async fn keep_under(mut self, supervisor: Arc<Supervisor>) {
        while let Err(panic) = AssertUnwindSafe(self.keep()).catch_unwind().await {
            let name = &self.node.name;
            supervisor.fail(format!("the keeper of {name} panicked: {}", panic_text(&*panic)));
            // The life that the keeper lost sight of is ending, and still reads the old mailbox.
            self.node.child.renew_mailbox();
            self.cause = Cause::Failure;
        }
    }

    async fn keep(&mut self) {
        loop {
            match self.one_life().await {
                Outcome::Again => (),
                Outcome::Failed { reason, up_since } => {
                    let pause = self.judge(reason, up_since);
                    if self.rest(pause).await.is_break() {
                        return;
                    }
                }
                Outcome::Over => return,
            }
        }
    }

    async fn one_life(&mut self) -> Outcome {
        let term = self.node.place.term();
        match self.cause {
            Cause::First => (),
            Cause::Failure => self.node.next_generation(State::Starting),
            Cause::Asked | Cause::Led | Cause::Replaced => self.node.next_generation(State::Restarting),
        }
        let mut life = self.node.child.launch(&term.arbiter);
        let (mut up_since, mut asked) = (None, false);
        loop {
            let news = tokio::select! {
                biased;
                news = life.news.recv() => News::Life(news),
                command = self.commands.recv() => News::Command(command),
            };
            match news {
                // A value that is to end may still come up; those who wait for the next one do not mean it.
                News::Life(Some(LifeNews::Up)) if asked => (),
                News::Life(Some(LifeNews::Up)) => {
                    up_since = Some(Instant::now());
                    self.node.enter(State::Running);
                    self.tell_up();
                }
                News::Life(Some(LifeNews::Ended(exit))) => return self.after(exit, asked, up_since),
                News::Life(None) => {
                    self.node.child.renew_mailbox();
                    return Outcome::Failed {
                        reason: "lost its arbiter".to_owned(),
                        up_since,
                    };
                }
                News::Command(Some(Command::Restart { manner, led_by, up })) => {
                    asked = true;
                    self.node.child.hold_mailbox();
                    self.accept_restart(led_by.as_deref(), up);
                    life.authority.0.give(manner);
                }
                News::Command(Some(Command::Replaced { term: now })) if now == term.number => (),
                News::Command(Some(Command::Replaced { .. })) => return self.after_replacement(asked, up_since),
                News::Command(Some(Command::Drain { manner, ended })) => {
                    life.authority.0.give(manner);
                    while let Some(LifeNews::Up) = life.news.recv().await {}
                    return self.over(Some(ended));
                }
                #[cfg(feature = "chaos")]
                News::Command(Some(Command::Panic)) => panic!("chaos in the keeper"),
                News::Command(None) => return self.over(None),
            }
        }
    }

    /// What follows the end of a life on an arbiter that lives on.
    fn after(&mut self, exit: Exit, asked: bool, up_since: Option<Instant>) -> Outcome {
        match exit {
            Exit::Panicked(reason) if asked => {
                self.node.note_failure(format!("panicked {reason}"));
                Outcome::Again
            }
            Exit::Asked | Exit::Stopped if asked => Outcome::Again,
            Exit::Panicked(reason) => Outcome::Failed {
                reason: format!("panicked {reason}"),
                up_since,
            },
            Exit::Asked | Exit::Stopped => Outcome::Failed {
                reason: "stopped itself".to_owned(),
                up_since,
            },
        }
    }

    /// What follows when the arbiter was taken from under the child. Only who froze it has failed.
    fn after_replacement(&mut self, asked: bool, up_since: Option<Instant>) -> Outcome {
        let froze_during = self.node.child.busy_with();
        self.node.child.renew_mailbox();
        if !asked {
            self.cause = Cause::Replaced;
        }
        match froze_during {
            Some(during) if !asked => Outcome::Failed {
                reason: format!("froze during {during}"),
                up_since,
            },
            _ => Outcome::Again,
        }
    }

    /// Enters the failure into the child's record, and tells how long to rest.
    fn judge(&mut self, reason: String, up_since: Option<Instant>) -> Duration {
        let name = &self.node.name;
        let jitter = rand::random_range(-0.2..=0.2);
        let pause = match self.record.judge(Instant::now(), up_since, jitter, &self.policy) {
            Verdict::Restart(pause) => {
                warn!(actor.name = %name, "actor {name} {reason}; it starts again in {pause:.0?}");
                self.node.enter(State::Backoff);
                pause
            }
            Verdict::Fail(pause) => {
                error!(actor.name = %name, "actor {name} {reason}, too often; it is tried again in {pause:.0?}");
                self.node.child.close();
                self.node.enter(State::Failed);
                pause
            }
        };
        self.node.note_failure(reason);
        if self.cause != Cause::Replaced {
            self.cause = Cause::Failure;
        }
        pause
    }

    /// Waits, unless someone asks for the child earlier; breaks when it is not to start again.
    async fn rest(&mut self, pause: Duration) -> ControlFlow<()> {
        let over = sleep(pause);
        tokio::pin!(over);
        loop {
            let command = tokio::select! {
                biased;
                command = self.commands.recv() => command,
                () = &mut over => return ControlFlow::Continue(()),
            };
            match command {
                Some(Command::Restart { led_by, up, .. }) => {
                    self.accept_restart(led_by.as_deref(), up);
                    return ControlFlow::Continue(());
                }
                Some(Command::Replaced { .. }) => (),
                #[cfg(feature = "chaos")]
                Some(Command::Panic) => panic!("chaos in the keeper"),
                Some(Command::Drain { ended, .. }) => {
                    self.over(Some(ended));
                    return ControlFlow::Break(());
                }
                None => {
                    self.over(None);
                    return ControlFlow::Break(());
                }
            }
        }
    }

    fn accept_restart(&mut self, led_by: Option<&str>, up: oneshot::Sender<u64>) {
        let name = &self.node.name;
        let because = led_by.map_or_else(
            || "because it was asked to".to_owned(),
            |leader| format!("with {leader}"),
        );
        info!(actor.name = %name, "actor {name} restarts {because}");
        self.cause = if led_by.is_some() { Cause::Led } else { Cause::Asked };
        self.awaiting_up.push(up);
        self.node.enter(State::Restarting);
    }

    /// Restarts the child's followers, then tells those who waited that all is up.
    fn tell_up(&mut self) {
        let (cause, generation) = (self.cause, self.node.status().generation);
        let awaiting_up = mem::take(&mut self.awaiting_up);
        let followers = match (cause, self.registry.upgrade()) {
            (Cause::First | Cause::Led, _) | (_, None) => Vec::new(),
            (Cause::Failure | Cause::Asked | Cause::Replaced, Some(registry)) => registry.followers_of(&self.node),
        };
        let (leader, grace, up_within) = (Arc::clone(&self.node), self.policy.grace, self.policy.up_within);
        actix_rt::spawn(async move {
            let stays = |follower: &Arc<Node>| cause == Cause::Replaced && follower.shares_place_with(&leader);
            let restarts = followers.iter().filter(|follower| !stays(follower)).map(|follower| {
                let (up, is_up) = oneshot::channel();
                let led_by = Some(Arc::clone(&leader.name));
                follower.command(Command::Restart {
                    manner: Manner::Finish(grace),
                    led_by,
                    up,
                });
                is_up
            });
            // A follower that does not come up is in its own keeper's care; the leader is up all the same.
            let _ = timeout(up_within, join_all(restarts)).await;
            for up in awaiting_up {
                // Whoever asked may have stopped waiting.
                let _ = up.send(generation);
            }
        });
    }

    fn over(&mut self, ended: Option<oneshot::Sender<()>>) -> Outcome {
        self.node.child.close();
        if let Some(ended) = ended {
            // Whoever drains may have run out of time.
            let _ = ended.send(());
        }
        Outcome::Over
    }
}
