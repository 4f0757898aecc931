//! Breaks actors on purpose, for the fault tests. Compiled only with the feature `chaos`, never in a release.

use std::{sync::Arc, thread, time::Duration};

use actix::Actor;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    Tree,
    envelope::{InHand, Letter},
    handle::Slot,
    node::Command,
    registry::Entry,
};

/// When an actor is to panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// When it is handed its next message.
    Message,
    /// At the end of its next start.
    Started,
}

/// What is to happen to one actor.
#[derive(Debug, Default)]
pub(crate) struct Mischief(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    panics_at_messages: u32,
    panics_at_starts: u32,
    freeze: Option<Duration>,
}

impl Mischief {
    /// Called by an actor's pump when the actor is through its start.
    pub(crate) fn at_start(&self) {
        assert!(!take_one(&mut self.0.lock().panics_at_starts), "chaos at the start");
    }

    /// Called by an actor's pump before each message.
    pub(crate) fn at_message(&self) {
        let freeze = self.0.lock().freeze.take();
        if let Some(freeze) = freeze {
            thread::sleep(freeze);
        }
        assert!(!take_one(&mut self.0.lock().panics_at_messages), "chaos at a message");
    }
}

fn take_one(left: &mut u32) -> bool {
    let taken = *left > 0;
    *left = left.saturating_sub(1);
    taken
}

impl Tree {
    /// Lets the child of this name panic `times` times; tells whether there is such a child.
    pub fn chaos_panic(&self, name: &str, on: Moment, times: u32) -> bool {
        self.plan(name, |plan| match on {
            Moment::Message => plan.panics_at_messages = times,
            Moment::Started => plan.panics_at_starts = times,
        })
    }

    /// Lets the child of this name block its thread for so long; tells whether there is such a child.
    pub fn chaos_freeze(&self, name: &str, seconds: u64) -> bool {
        self.plan(name, |plan| plan.freeze = Some(Duration::from_secs(seconds)))
    }

    /// Lets the keeper of the permanent child of this name panic; tells whether there is such a child.
    pub fn chaos_break_keeper(&self, name: &str) -> bool {
        let Some(Entry::Child(node)) = self.registry().get(name) else {
            return false;
        };
        node.command(Command::Panic);
        true
    }

    fn plan(&self, name: &str, change: impl FnOnce(&mut Plan)) -> bool {
        let entry = self.registry().get(name);
        let stirred: &dyn Stir = match &entry {
            Some(Entry::Child(node)) => node.child.stir(),
            Some(Entry::Guest(guest)) => guest.door.stir(),
            Some(Entry::Supervisor(_)) | None => return false,
        };
        change(&mut stirred.mischief().0.lock());
        stirred.stir();
        true
    }
}

/// An actor's mailbox, as far as chaos deals with it.
pub(crate) trait Stir {
    fn mischief(&self) -> &Mischief;
    /// Hands the actor a message that does nothing, so that something is handed to an actor nobody writes to.
    fn stir(&self);
}

impl<A: Actor> Stir for Slot<A> {
    fn mischief(&self) -> &Mischief {
        &self.mischief
    }

    fn stir(&self) {
        if let Some(mailbox) = self.mailbox.load_full() {
            // A full mailbox has messages enough, and a closed one no actor.
            let _ = mailbox.post(Box::new(Nothing));
        }
    }
}

struct Nothing;

impl<A: Actor> Letter<A> for Nothing {
    fn deliver(self: Box<Self>, _: &mut A, _: &mut A::Context, _: &Arc<InHand>) {}

    fn name(&self) -> &'static str {
        "chaos"
    }
}
