//! The watch over the arbiters: finds the silent ones, replaces those that can be replaced, and says so of the others.

use std::sync::{Arc, Weak};

use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::{
    Escalation, Policy,
    escalation::Escalate,
    node::Command,
    place::{Felt, Place},
    registry::Registry,
};

/// Watches until the tree is gone.
pub(crate) async fn watch_over_arbiters(registry: Weak<Registry>, policy: Arc<Policy>, escalate: Arc<Escalate>) {
    let mut ticks = interval(policy.beat_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(registry) = registry.upgrade().filter(|registry| !registry.is_draining()) else {
            return;
        };
        for place in registry.all_places() {
            look_at(&place, &registry, &policy, &*escalate);
        }
    }
}

fn look_at(place: &Arc<Place>, registry: &Registry, policy: &Policy, escalate: &Escalate) {
    let name = &place.name;
    match place.feel(policy.beat_every) {
        Felt::Silence(silent) if place.bound && silent >= policy.bound_silent_after => {
            escalate(Escalation::BoundArbiterSilent {
                name: Arc::clone(name),
                silent,
            });
        }
        Felt::Silence(silent) if !place.bound && silent >= policy.frozen_after => {
            error!(arbiter.name = %name, silent_s = silent.as_secs_f64(), "arbiter {name} is frozen and is replaced");
            replace(place, registry);
        }
        Felt::Silence(_) => (),
        Felt::Gone if place.bound => {
            warn!(arbiter.name = %name, "arbiter {name} has ended and is no longer watched");
            registry.forget_place(place);
        }
        Felt::Gone => {
            error!(arbiter.name = %name, "arbiter {name} has ended and is replaced");
            replace(place, registry);
        }
    }
}

fn replace(place: &Arc<Place>, registry: &Registry) {
    match place.replace() {
        Ok(term) => {
            counter!("arbiter_replacements_total").increment(1);
            for node in registry.nodes_on(place) {
                node.command(Command::Replaced { term });
            }
            for guest in registry.guests_on(place) {
                guest.leave(Some(registry));
            }
        }
        Err(refusal) => {
            let name = &place.name;
            registry
                .root
                .fail(format!("arbiter {name} could not be replaced: {refusal}"));
        }
    }
}
