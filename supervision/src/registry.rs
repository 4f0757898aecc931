//! Who is in the tree: every supervisor and every child, by name.

use std::{any::Any, collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use crate::{node::Node, place::Place};

/// The tree's memory.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) entries: RwLock<HashMap<Arc<str>, Entry>>,
    pub(crate) places: RwLock<HashMap<Arc<str>, Arc<Place>>>,
}

/// One name in the tree.
pub(crate) enum Entry {
    Child {
        node: Arc<Node>,
        handle: Box<dyn Any + Send + Sync>,
    },
}

impl Registry {
    /// The children that restart with `leader`.
    pub(crate) fn followers_of(&self, leader: &Node) -> Vec<Arc<Node>> {
        if leader.followers.is_empty() {
            return Vec::new();
        }
        let entries = self.entries.read();
        let nodes = entries.values().filter_map(|entry| match entry {
            Entry::Child { node, .. } => Some(node),
        });
        nodes
            .filter(|node| leader.is_followed_by(&node.name))
            .cloned()
            .collect()
    }
}
