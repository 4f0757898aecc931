//! Who is in the tree: every supervisor and every child, by name.

use std::{
    any::Any,
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{StartError, guest::Guest, node::Node, place::Place, supervisor::Supervisor};

/// The tree's memory.
pub(crate) struct Registry {
    pub(crate) root: Arc<Supervisor>,
    entries: RwLock<HashMap<Arc<str>, Entry>>,
    places: RwLock<HashMap<Arc<str>, Arc<Place>>>,
    guest_kinds: Mutex<BTreeSet<&'static str>>,
    draining: AtomicBool,
    order: AtomicU64,
}

/// One name in the tree.
#[derive(Clone)]
pub(crate) enum Entry {
    Supervisor(Arc<Supervisor>),
    Child(Arc<Node>),
    Guest(Arc<Guest>),
}

impl Registry {
    pub(crate) fn new(root: Supervisor) -> Self {
        let root = Arc::new(root);
        let entries = HashMap::from([(Arc::from(root.name), Entry::Supervisor(Arc::clone(&root)))]);
        Self {
            root,
            entries: RwLock::new(entries),
            places: RwLock::default(),
            guest_kinds: Mutex::default(),
            draining: AtomicBool::new(false),
            order: AtomicU64::new(1),
        }
    }

    /// The next number in the order of arrival.
    pub(crate) fn next_order(&self) -> u64 {
        self.order.fetch_add(1, Ordering::SeqCst)
    }

    /// Takes up a supervisor or a permanent child, whose name must be new.
    pub(crate) fn enter(&self, name: &Arc<str>, entry: Entry) -> Result<(), StartError> {
        let mut entries = self.entries.write();
        if self.is_draining() {
            return Err(StartError::Draining);
        }
        if entries.contains_key(name) {
            return Err(StartError::NameTaken(Arc::clone(name)));
        }
        entries.insert(Arc::clone(name), entry);
        Ok(())
    }

    /// Takes up a temporary child; another temporary child of this name gives way and is answered.
    pub(crate) fn admit(&self, guest: &Arc<Guest>) -> Result<Option<Arc<Guest>>, StartError> {
        let mut entries = self.entries.write();
        if self.is_draining() {
            return Err(StartError::Draining);
        }
        match entries.get(&guest.name) {
            Some(Entry::Supervisor(_) | Entry::Child(_)) => return Err(StartError::NameTaken(Arc::clone(&guest.name))),
            Some(Entry::Guest(_)) | None => (),
        }
        self.guest_kinds.lock().insert(guest.kind);
        match entries.insert(Arc::clone(&guest.name), Entry::Guest(Arc::clone(guest))) {
            Some(Entry::Guest(older)) => Ok(Some(older)),
            _ => Ok(None),
        }
    }

    /// Lets a temporary child go, unless its name is another's by now.
    pub(crate) fn dismiss(&self, guest: &Arc<Guest>) {
        let mut entries = self.entries.write();
        if let Some(Entry::Guest(present)) = entries.get(&guest.name)
            && Arc::ptr_eq(present, guest)
        {
            entries.remove(&guest.name);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Entry> {
        self.entries.read().get(name).cloned()
    }

    pub(crate) fn supervisor(&self, name: &'static str) -> Result<Arc<Supervisor>, StartError> {
        match self.entries.read().get(name) {
            Some(Entry::Supervisor(supervisor)) => Ok(Arc::clone(supervisor)),
            _ => Err(StartError::NoSuchSupervisor(name)),
        }
    }

    /// Everyone, in the order of arrival.
    pub(crate) fn all(&self) -> Vec<Entry> {
        let mut all: Vec<Entry> = self.entries.read().values().cloned().collect();
        all.sort_by_key(Entry::order);
        all
    }

    /// All permanent children, in the order of arrival.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        let nodes = self.all().into_iter().filter_map(|entry| match entry {
            Entry::Child(node) => Some(node),
            Entry::Supervisor(_) | Entry::Guest(_) => None,
        });
        nodes.collect()
    }

    /// All temporary children.
    pub(crate) fn guests(&self) -> Vec<Arc<Guest>> {
        let entries = self.entries.read();
        let guests = entries.values().filter_map(|entry| match entry {
            Entry::Guest(guest) => Some(Arc::clone(guest)),
            Entry::Supervisor(_) | Entry::Child(_) => None,
        });
        guests.collect()
    }

    /// The kinds of all temporary children there ever were.
    pub(crate) fn guest_kinds(&self) -> BTreeSet<&'static str> {
        self.guest_kinds.lock().clone()
    }

    /// The children that restart with `leader`.
    pub(crate) fn followers_of(&self, leader: &Node) -> Vec<Arc<Node>> {
        if leader.followers.is_empty() {
            return Vec::new();
        }
        self.nodes()
            .into_iter()
            .filter(|node| leader.is_followed_by(&node.name))
            .collect()
    }

    pub(crate) fn nodes_on(&self, place: &Arc<Place>) -> Vec<Arc<Node>> {
        self.nodes()
            .into_iter()
            .filter(|node| Arc::ptr_eq(&node.place, place))
            .collect()
    }

    pub(crate) fn guests_on(&self, place: &Place) -> Vec<Arc<Guest>> {
        self.guests()
            .into_iter()
            .filter(|guest| guest.place.as_ref() == Some(&place.name))
            .collect()
    }

    /// The place of this name, opened if nobody asked for it before.
    pub(crate) fn place(&self, name: &Arc<str>) -> Result<Arc<Place>, StartError> {
        let mut places = self.places.write();
        if let Some(place) = places.get(name) {
            return Ok(Arc::clone(place));
        }
        let place = Arc::new(Place::open(Arc::clone(name)).map_err(StartError::NoArbiter)?);
        places.insert(Arc::clone(name), Arc::clone(&place));
        Ok(place)
    }

    pub(crate) fn place_named(&self, name: &str) -> Option<Arc<Place>> {
        self.places.read().get(name).cloned()
    }

    pub(crate) fn add_place(&self, place: Place) {
        self.places.write().insert(Arc::clone(&place.name), Arc::new(place));
    }

    pub(crate) fn forget_place(&self, place: &Arc<Place>) {
        let mut places = self.places.write();
        if places
            .get(&place.name)
            .is_some_and(|present| Arc::ptr_eq(present, place))
        {
            places.remove(&place.name);
        }
    }

    pub(crate) fn all_places(&self) -> Vec<Arc<Place>> {
        self.places.read().values().cloned().collect()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// From now on nobody new comes in.
    pub(crate) fn begin_draining(&self) {
        let _entries = self.entries.write();
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Ends every child at once and the arbiters that were made for them.
    pub(crate) fn fell(&self) {
        for node in self.nodes() {
            node.child.close();
        }
        for place in self.all_places().iter().filter(|place| !place.bound) {
            place.term().arbiter.stop();
        }
    }
}

impl Entry {
    fn order(&self) -> u64 {
        match self {
            Self::Supervisor(supervisor) => supervisor.order,
            Self::Child(node) => node.order,
            Self::Guest(guest) => guest.order,
        }
    }

    /// The child's handle, whatever actor it is.
    pub(crate) fn handle(&self) -> Option<&(dyn Any + Send + Sync)> {
        match self {
            Self::Supervisor(_) => None,
            Self::Child(node) => Some(&*node.handle),
            Self::Guest(guest) => Some(guest.door.handle()),
        }
    }
}
