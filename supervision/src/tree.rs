//! The tree of supervisors and their children: starts them, finds them, and ends them.

use std::{io, sync::Arc};

use actix::{Actor, Context};
use actix_rt::{Arbiter, ArbiterHandle, System};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    Escalation, Handle, Policy, Spec, StartError, State, Status,
    child::ChildOf,
    escalation::Escalate,
    handle::Slot,
    keeper::Keeper,
    node::Node,
    place::Place,
    registry::{Entry, Registry},
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
    /// A tree with nothing but its `root`. Keepers and watches run on an arbiter of its own.
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
        let (policy, system, registry) = (Arc::new(policy), System::current(), Arc::default());
        Ok(Self {
            trunk: Arc::new(Trunk {
                policy,
                escalate: Arc::new(escalate),
                arbiter,
                system,
                registry,
            }),
        })
    }

    /// Starts a permanent child. `make` makes its value now and at each restart, on the child's own thread; what has
    /// to be read from elsewhere is read in the actor's `started()`.
    pub fn start<A>(&self, spec: Spec, make: impl Fn() -> A + Send + Sync + 'static) -> Result<Handle<A>, StartError>
    where
        A: Actor<Context = Context<A>>,
    {
        let place = self.place(&spec.place)?;
        let slot = Arc::new(Slot {
            name: Arc::clone(&spec.name),
            mailbox: None.into(),
        });
        slot.new_mailbox(spec.capacity);
        let handle = Handle::new(Arc::clone(&slot));
        let grace = self.trunk.policy.grace;
        let child = ChildOf {
            make: Arc::new(make),
            slot,
            capacity: spec.capacity,
            grace,
        };
        let (commands, commanded) = mpsc::unbounded_channel();
        let status = Status {
            state: State::Starting,
            generation: 0,
            since: Instant::now(),
        };
        let node = Arc::new(Node {
            name: spec.name,
            kind: spec.kind,
            parent: spec.parent,
            order: 0,
            followers: spec.followers,
            place,
            status: watch::Sender::new(status),
            restarts: 0.into(),
            last_failure: None.into(),
            commands,
            child: Arc::new(child),
        });
        {
            let mut entries = self.trunk.registry.entries.write();
            if entries.contains_key(&node.name) {
                return Err(StartError::NameTaken(Arc::clone(&node.name)));
            }
            let entry = Entry::Child {
                node: Arc::clone(&node),
                handle: Box::new(handle.clone()),
            };
            entries.insert(Arc::clone(&node.name), entry);
        }
        let registry = Arc::downgrade(&self.trunk.registry);
        let mut keeper = Keeper::new(node, registry, Arc::clone(&self.trunk.policy), commanded);
        self.trunk.arbiter.spawn(async move { keeper.keep().await });
        Ok(handle)
    }

    /// The handle of the child of this name, if it is an `A`.
    pub fn find<A: Actor>(&self, name: &str) -> Option<Handle<A>> {
        match self.trunk.registry.entries.read().get(name)? {
            Entry::Child { handle, .. } => handle.downcast_ref().cloned(),
        }
    }

    /// The state and generation of a permanent child, to look at or to wait for.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<Status>> {
        match self.trunk.registry.entries.read().get(name)? {
            Entry::Child { node, .. } => Some(node.status.subscribe()),
        }
    }

    fn place(&self, name: &Arc<str>) -> Result<Arc<Place>, StartError> {
        let mut places = self.trunk.registry.places.write();
        if let Some(place) = places.get(name) {
            return Ok(Arc::clone(place));
        }
        // Arbiters belong to a system, and not every thread that starts a child knows one.
        if !System::is_registered() {
            System::set_current(self.trunk.system.clone());
        }
        let place = Arc::new(Place::open(Arc::clone(name)).map_err(StartError::NoArbiter)?);
        places.insert(Arc::clone(name), Arc::clone(&place));
        Ok(place)
    }
}
