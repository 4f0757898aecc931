//! The tree of supervisors and their children: starts them, finds them, and ends them.

use std::{any::Any, fmt, io, sync::Arc, time::Duration};

use actix::{Actor, Context};
use actix_rt::{Arbiter, ArbiterHandle, System};
use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tracing::warn;

use crate::{
    Ending, Escalation, Handle, Policy, Spec, StartError, State, Status,
    child::ChildOf,
    escalation::Escalate,
    handle::Slot,
    keeper::Keeper,
    node::{Command, Node},
    orders::Manner,
    place::Place,
    registry::{Entry, Registry},
    supervisor::Supervisor,
    watch::watch_over_arbiters,
};

/// All supervised actors of a process. Clones are the same tree.
#[derive(Clone)]
pub struct Tree {
    trunk: Arc<Trunk>,
}

/// What the tree's clones share. Dropping the last one ends every child.
struct Trunk {
    policy: Arc<Policy>,
    escalate: Arc<Escalate>,
    arbiter: ArbiterHandle,
    system: System,
    registry: Arc<Registry>,
}

impl Tree {
    /// A tree with nothing but its `root`. Keepers and the watch run on an arbiter of the tree's own.
    ///
    /// `escalate` hears, on that arbiter, what supervision cannot mend; it is expected to end the process.
    ///
    /// # Errors
    /// The system refuses a thread.
    ///
    /// # Panics
    /// No actix system runs on this thread.
    pub fn new(policy: Policy, escalate: impl Fn(Escalation) + Send + Sync + 'static) -> io::Result<Self> {
        let arbiter = Arbiter::try_new()?.handle();
        let (policy, escalate, system) = (Arc::new(policy), Arc::new(escalate) as Arc<Escalate>, System::current());
        let root = Supervisor::new("root", None, 0, Arc::clone(&policy), Arc::clone(&escalate));
        let registry = Arc::new(Registry::new(root));
        arbiter.spawn(watch_over_arbiters(
            Arc::downgrade(&registry),
            Arc::clone(&policy),
            Arc::clone(&escalate),
        ));
        Ok(Self {
            trunk: Arc::new(Trunk {
                policy,
                escalate,
                arbiter,
                system,
                registry,
            }),
        })
    }

    /// Adds a supervisor under `root`, for children to stand under.
    pub fn supervisor(&self, name: &'static str) -> Result<(), StartError> {
        let trunk = &self.trunk;
        let order = trunk.registry.next_order();
        let (policy, escalate) = (Arc::clone(&trunk.policy), Arc::clone(&trunk.escalate));
        let supervisor = Arc::new(Supervisor::new(name, Some("root"), order, policy, escalate));
        trunk.registry.enter(&Arc::from(name), Entry::Supervisor(supervisor))
    }

    /// Names an arbiter that holds sockets, and so cannot be replaced: when it is silent too long, the process has to
    /// end. Children may live there by [`Spec::on`]. A name that is bound again means the new arbiter.
    pub fn bind(&self, name: impl Into<Arc<str>>, arbiter: ArbiterHandle) {
        self.trunk.registry.add_place(Place::bound(name.into(), arbiter));
    }

    /// Starts a permanent child. `make` makes its value now and at each restart, on the child's own thread; what has
    /// to be read from elsewhere is read in the actor's `started()`.
    ///
    /// The handle works at once: what is sent before the actor is up waits in its mailbox.
    pub fn start<A>(&self, spec: Spec, make: impl Fn() -> A + Send + Sync + 'static) -> Result<Handle<A>, StartError>
    where
        A: Actor<Context = Context<A>>,
    {
        let trunk = &self.trunk;
        let supervisor = trunk.registry.supervisor(spec.parent)?;
        // Arbiters belong to a system, and not every thread that starts a child knows one.
        if !System::is_registered() {
            System::set_current(trunk.system.clone());
        }
        let place = trunk.registry.place(&spec.place)?;
        let slot = Arc::new(Slot::new(Arc::clone(&spec.name)));
        slot.new_mailbox(spec.capacity);
        let handle = Handle::new(Arc::clone(&slot));
        let (commands, commanded) = mpsc::unbounded_channel();
        let status = Status {
            state: State::Starting,
            generation: 1,
            since: Instant::now(),
        };
        let node = Arc::new(Node {
            name: spec.name,
            kind: spec.kind,
            parent: spec.parent,
            order: trunk.registry.next_order(),
            followers: spec.followers,
            place,
            status: watch::Sender::new(status),
            restarts: 0.into(),
            last_failure: None.into(),
            commands,
            child: Box::new(ChildOf {
                make: Arc::new(make),
                slot,
                capacity: spec.capacity,
            }),
            handle: Box::new(handle.clone()) as Box<dyn Any + Send + Sync>,
            book: Arc::default(),
        });
        trunk.registry.enter(&node.name, Entry::Child(Arc::clone(&node)))?;
        let registry = Arc::downgrade(&trunk.registry);
        let keeper = Keeper::new(node, registry, Arc::clone(&trunk.policy), commanded);
        trunk.arbiter.spawn(keeper.keep_under(supervisor));
        Ok(handle)
    }

    /// The handle of the child of this name, if it is an `A`.
    pub fn find<A: Actor>(&self, name: &str) -> Option<Handle<A>> {
        self.trunk.registry.get(name)?.handle()?.downcast_ref().cloned()
    }

    /// The state and generation of a permanent child, to look at or to wait for.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<Status>> {
        match self.trunk.registry.get(name)? {
            Entry::Child(node) => Some(node.status.subscribe()),
            Entry::Supervisor(_) | Entry::Guest(_) => None,
        }
    }

    /// Ends every child: the temporary ones first and all at once, then the others one by one, the youngest first. Each
    /// handles what its mailbox holds, and takes no more. Answers the names of those that did not end within the time.
    pub async fn drain(&self, within: Duration) -> Vec<String> {
        let trunk = &self.trunk;
        let deadline = Instant::now() + within;
        trunk.registry.begin_draining();
        let farewells = trunk.registry.guests().into_iter().map(|guest| {
            let farewell = guest.farewell();
            guest
                .door
                .ask_to_end(Ending::Draining, Manner::Empty(trunk.policy.grace.min(within)));
            farewell
        });
        // Who stays is among those named in the end.
        let _ = timeout_at(deadline, join_all(farewells)).await;
        let mut late: Vec<String> = trunk
            .registry
            .guests()
            .iter()
            .map(|guest| guest.name.to_string())
            .collect();
        for node in trunk.registry.nodes().into_iter().rev() {
            let (ended, has_ended) = oneshot::channel();
            let left = deadline.saturating_duration_since(Instant::now());
            let manner = Manner::Empty(trunk.policy.grace.min(left));
            node.command(Command::Drain { manner, ended });
            if timeout_at(deadline, has_ended).await.is_err() {
                late.push(node.name.to_string());
            }
        }
        if !late.is_empty() {
            warn!("not all actors ended within {within:?}: {}", late.join(", "));
        }
        trunk.registry.fell();
        late
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.trunk.registry
    }

    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.trunk.policy
    }

    pub(crate) fn arbiter(&self) -> &ArbiterHandle {
        &self.trunk.arbiter
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.registry.fell();
        self.arbiter.stop();
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("actors", &self.trunk.registry.all().len())
            .finish_non_exhaustive()
    }
}
