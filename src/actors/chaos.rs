//! Events that break their Indicator on purpose, for the fault tests. Compiled only with the feature `chaos`.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use weighbridge_protocol::{Epoch, link::EventBody};

/// The plate whose captures panic; it outlives the actor that it breaks.
#[derive(Clone, Debug, Default)]
pub struct Poison(Arc<Mutex<Option<Poisoned>>>);

#[derive(Debug)]
struct Poisoned {
    plate: String,
    times: u32,
    /// What has struck once strikes again, also when the plate is not known yet after a restart.
    struck: BTreeSet<(Epoch, i64)>,
}

impl Poison {
    /// From now on, captures that come while this plate is called panic, `times` in all.
    pub fn set(&self, plate: &str, times: u32) {
        *self.0.lock() = Some(Poisoned {
            plate: plate.to_owned(),
            times,
            struck: BTreeSet::new(),
        });
    }

    /// # Panics
    /// As it was asked to.
    pub fn strike(&self, plate: Option<&str>, events: &[EventBody]) {
        let mut guard = self.0.lock();
        let Some(poison) = guard.as_mut().filter(|poison| poison.times > 0) else {
            return;
        };
        let captures = || {
            events
                .iter()
                .filter(|event| event.kind.name() == "capture")
                .map(|event| (event.epoch, event.seq))
        };
        let again = captures().any(|capture| poison.struck.contains(&capture));
        if again || (plate == Some(poison.plate.as_str()) && captures().next().is_some()) {
            poison.times -= 1;
            poison.struck.extend(captures());
            drop(guard);
            panic!("asked to");
        }
    }
}
