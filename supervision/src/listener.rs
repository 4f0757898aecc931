//! A handle narrowed to one message: whoever wants to know.

use std::{any::type_name, fmt, sync::Arc};

use metrics::counter;

use crate::TellError;

/// Someone who wants to hear of `M`, whoever it is.
pub struct Listener<M> {
    name: Arc<str>,
    tell: Arc<dyn Fn(M) -> Result<(), TellError> + Send + Sync>,
}

impl<M> Listener<M> {
    /// A listener called `name` that hears by `tell`, which must not wait.
    ///
    /// Actors are listened with by [`Handle::listener`](crate::Handle::listener); this is for what is no actor.
    pub fn new(name: impl Into<Arc<str>>, tell: impl Fn(M) -> Result<(), TellError> + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            tell: Arc::new(tell),
        }
    }

    /// Lets the listener know, if it can take it now. Never waits; what is refused is counted in
    /// `actor_announcements_refused_total{actor=…}`.
    pub fn announce(&self, message: M) {
        if (self.tell)(message).is_err() {
            counter!("actor_announcements_refused_total", "actor" => self.name.to_string()).increment(1);
        }
    }
}

impl<M> Clone for Listener<M> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            tell: Arc::clone(&self.tell),
        }
    }
}

impl<M> fmt::Debug for Listener<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.name)
            .field("of", &type_name::<M>())
            .finish_non_exhaustive()
    }
}
