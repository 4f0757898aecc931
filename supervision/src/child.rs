//! An actor as the supervisor's child: how its value is made, and where its mailbox stands.

use std::sync::{Arc, atomic::Ordering};

use actix::{Actor, Context};
use actix_rt::ArbiterHandle;
use tokio::sync::mpsc;

#[cfg(feature = "chaos")]
use crate::chaos::Stir;
use crate::{
    fence,
    handle::Slot,
    incarnation::{Birth, LifeNews, live},
    node::{Child, Life},
    orders::{Authority, Orders},
};

/// A permanent child that is an `A`.
pub(crate) struct ChildOf<A: Actor> {
    pub(crate) make: Arc<dyn Fn() -> A + Send + Sync>,
    pub(crate) slot: Arc<Slot<A>>,
    pub(crate) capacity: usize,
}

impl<A> Child for ChildOf<A>
where
    A: Actor<Context = Context<A>>,
{
    fn launch(&self, arbiter: &ArbiterHandle) -> Life {
        let mailbox = self
            .slot
            .mailbox
            .load_full()
            .unwrap_or_else(|| self.slot.new_mailbox(self.capacity));
        let orders = Arc::<Orders>::default();
        let authority = Authority(Arc::clone(&orders));
        let (tell, news) = mpsc::unbounded_channel();
        let birth = Birth {
            mailbox,
            orders,
            news: Some(tell.clone()),
        };
        let make = Arc::clone(&self.make);
        // An arbiter that is gone drops this, and with it `tell`: that is the news.
        arbiter.spawn_fn(move || {
            // It was on its way to a thread that was given up, which has woken and still takes its orders.
            if fence::retired() {
                return;
            }
            actix_rt::spawn(async move {
                let exit = live(|| make(), birth).await;
                // The keeper may have moved on.
                let _ = tell.send(LifeNews::Ended(exit));
            });
        });
        Life { authority, news }
    }

    fn renew_mailbox(&self) {
        self.slot.new_mailbox(self.capacity);
    }

    fn hold_mailbox(&self) {
        if let Some(mailbox) = self.slot.mailbox.load_full() {
            mailbox.hold();
        }
    }

    fn close(&self) {
        self.slot.close();
    }

    fn depth(&self) -> usize {
        self.slot.mailbox.load().as_ref().map_or(0, |mailbox| mailbox.depth())
    }

    #[cfg(feature = "chaos")]
    fn stir(&self) -> &dyn Stir {
        &*self.slot
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn busy_with(&self) -> Option<&'static str> {
        let mailbox = self.slot.mailbox.load_full()?;
        if !mailbox.activity.inside.load(Ordering::SeqCst) {
            return None;
        }
        Some(
            mailbox
                .activity
                .message
                .lock()
                .unwrap_or("its start or a future of its own"),
        )
    }
}
