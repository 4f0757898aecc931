//! Temporary children: actors that hold a socket and are not restarted. When one falls its socket closes, and the
//! peer comes back.

use std::{any::Any, fmt, sync::Arc, thread};

use actix::{Actor, AsyncContext, Context};
use parking_lot::Mutex;
use tracing::error;

#[cfg(feature = "chaos")]
use crate::chaos::Stir;
use crate::{
    Handle, Spec, StartError, Tree,
    envelope::{InHand, Letter},
    guest::{Door, Guest, Stay},
    handle::Slot,
    incarnation::{Birth, Exit, live},
    orders::{Manner, Orders},
    pump::{Carry, Pump},
    survive::survive,
};

/// Why a temporary child ends. A WebSocket closes with 1012, unless the table says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It stopped itself: its socket is closed already, or it knows how to close it.
    Stopped,
    /// It panicked, with these words.
    Crashed(String),
    /// An administrator restarts it.
    Restarted,
    /// A newer one has taken its name: an edge that came again, whose older link closes with 4409.
    Superseded,
    /// The process ends.
    Draining,
}

/// A temporary child that runs in a context of its own, as an actix-web WebSocket does.
pub trait Temporary: Actor<Context: AsyncContext<Self>> {
    /// Ends the child: closes its socket accordingly and stops the context. After a crash the value may be torn; nothing
    /// but that is asked of it.
    fn end(&mut self, why: Ending, ctx: &mut Self::Context);
}

/// The stay in the tree of a [`Temporary`] child. The child keeps it; when it is dropped the child leaves the tree.
pub struct Enlisted<A: Actor> {
    handle: Handle<A>,
    stay: Stay,
}

impl Tree {
    /// Starts a temporary child on the arbiter of this thread. When it has ended, for whatever reason, `on_end` is
    /// called on the same thread, to close what the child held.
    ///
    /// A temporary child of the same name gives way to it. [`Spec::on`] and [`Spec::followed_by`] mean nothing here.
    ///
    /// # Panics
    /// No arbiter runs on this thread.
    pub fn start_temporary<A>(
        &self,
        spec: Spec,
        actor: A,
        on_end: impl FnOnce(Ending) + 'static,
    ) -> Result<Handle<A>, StartError>
    where
        A: Actor<Context = Context<A>>,
    {
        let slot = Arc::new(Slot::new(Arc::clone(&spec.name)));
        let mailbox = slot.new_mailbox(spec.capacity);
        let (handle, orders) = (Handle::new(slot), Arc::<Orders>::default());
        let why = Arc::<Mutex<Option<Ending>>>::default();
        let door = Driven {
            handle: handle.clone(),
            orders: Arc::clone(&orders),
            why: Arc::clone(&why),
        };
        let stay = self.admit(spec, Box::new(door))?;
        actix_rt::spawn(async move {
            let exit = live(
                || actor,
                Birth {
                    mailbox,
                    orders,
                    news: None,
                },
            )
            .await;
            let ending = match exit {
                Exit::Panicked(reason) => {
                    let reason = format!("panicked {reason}");
                    stay.guest.note_crash(&reason);
                    Ending::Crashed(reason)
                }
                Exit::Stopped | Exit::Asked => why.lock().take().unwrap_or(Ending::Stopped),
            };
            let name = Arc::clone(&stay.guest.name);
            drop(stay);
            if let Err(panic) = survive(|| on_end(ending)) {
                error!(actor.name = %name, "what follows the end of actor {name} panicked: {panic}");
            }
        });
        Ok(handle)
    }

    /// Takes up a temporary child that runs in another context than actix's own; called in its `started()`. Its
    /// handle works as any other.
    ///
    /// A temporary child of the same name gives way to it. [`Spec::on`] and [`Spec::followed_by`] mean nothing here.
    pub fn enlist<A: Temporary>(&self, spec: Spec, ctx: &mut A::Context) -> Result<Enlisted<A>, StartError> {
        let slot = Arc::new(Slot::new(Arc::clone(&spec.name)));
        let mailbox = slot.new_mailbox(spec.capacity);
        let handle = Handle::new(slot);
        let stay = self.admit(spec, Box::new(Foreign { handle: handle.clone() }))?;
        let guard = Guard(Arc::clone(&stay.guest));
        let carry: Carry<A> = Box::new(move |letter, actor, ctx, in_hand| {
            guard.run(actor, ctx, |actor, ctx| letter.deliver(actor, ctx, in_hand));
        });
        ctx.spawn(Pump::carrying(mailbox, carry));
        Ok(Enlisted { handle, stay })
    }

    fn admit(&self, spec: Spec, door: Box<dyn Door>) -> Result<Stay, StartError> {
        let registry = self.registry();
        registry.supervisor(spec.parent)?;
        let guest = Arc::new(Guest::new(spec, registry.next_order(), door));
        if let Some(older) = registry.admit(&guest)? {
            older
                .door
                .ask_to_end(Ending::Superseded, Manner::Empty(self.policy().grace));
        }
        Ok(Stay {
            guest,
            registry: Arc::downgrade(registry),
        })
    }
}

impl<A: Actor> Enlisted<A> {
    /// The child's handle, to give to others.
    pub fn handle(&self) -> &Handle<A> {
        &self.handle
    }

    /// Guards what reaches the child by other ways than messages, as a WebSocket's frames do.
    pub fn guard(&self) -> Guard {
        Guard(Arc::clone(&self.stay.guest))
    }
}

/// Lets a [`Temporary`] child end by the book when it panics. Messages that come by its handle are guarded already.
pub struct Guard(Arc<Guest>);

impl Guard {
    /// Runs `work`; a panic in it ends the child with [`Ending::Crashed`].
    pub fn run<A: Temporary>(&self, actor: &mut A, ctx: &mut A::Context, work: impl FnOnce(&mut A, &mut A::Context)) {
        if let Err(panic) = survive(|| work(actor, ctx)) {
            let reason = format!("panicked: {panic}");
            self.0.note_crash(&reason);
            self.0.door.close();
            actor.end(Ending::Crashed(reason), ctx);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0.name).finish()
    }
}

impl<A: Actor> Drop for Enlisted<A> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.stay.guest.note_crash("panicked");
        }
    }
}

impl<A: Actor> fmt::Debug for Enlisted<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enlisted")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

/// A guest whose life this crate drives.
struct Driven<A: Actor> {
    handle: Handle<A>,
    orders: Arc<Orders>,
    why: Arc<Mutex<Option<Ending>>>,
}

impl<A: Actor<Context = Context<A>>> Door for Driven<A> {
    fn ask_to_end(&self, why: Ending, manner: Manner) {
        self.why.lock().get_or_insert(why);
        self.orders.give(manner);
    }

    fn close(&self) {
        self.handle.slot().close();
    }

    fn depth(&self) -> usize {
        self.handle.depth()
    }

    fn handle(&self) -> &(dyn Any + Send + Sync) {
        &self.handle
    }

    #[cfg(feature = "chaos")]
    fn stir(&self) -> &dyn Stir {
        self.handle.slot()
    }
}

/// A guest that lives in a context of its own and ends itself.
struct Foreign<A: Actor> {
    handle: Handle<A>,
}

impl<A: Temporary> Door for Foreign<A> {
    fn ask_to_end(&self, why: Ending, _: Manner) {
        if let Some(mailbox) = self.handle.slot().mailbox.load_full() {
            mailbox.post_last_and_first(Box::new(End(why)));
        }
    }

    fn close(&self) {
        self.handle.slot().close();
    }

    fn depth(&self) -> usize {
        self.handle.depth()
    }

    fn handle(&self) -> &(dyn Any + Send + Sync) {
        &self.handle
    }

    #[cfg(feature = "chaos")]
    fn stir(&self) -> &dyn Stir {
        self.handle.slot()
    }
}

/// The letter that ends a [`Temporary`] child.
struct End(Ending);

impl<A: Temporary> Letter<A> for End {
    fn deliver(self: Box<Self>, actor: &mut A, ctx: &mut A::Context, _: &Arc<InHand>) {
        actor.end(self.0, ctx);
    }

    fn name(&self) -> &'static str {
        "its ending"
    }
}
