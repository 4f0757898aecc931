//! Finds the actors by what they stand for. Their names are those of the interface: `indicator-3`, `queue-1`, `edge-link-2`.

use tracing::warn;
use weighbridge_supervision::{Handle, Tree};

use super::{
    courier::{Courier, Owed, Route},
    edge_link::{EdgeLink, StationsChanged},
    indicator::{Indicator, StationTouched},
    queue::{LineMoved, Queue},
};
use crate::db::ledger::Changes;

/// Whom to ask about a station, a site or an edge. Clones are the same directory.
#[derive(Clone, Debug)]
pub struct Directory {
    tree: Tree,
}

impl Directory {
    pub const fn new(tree: Tree) -> Self {
        Self { tree }
    }

    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// None for a station that is not in use.
    pub fn indicator(&self, station_id: i64) -> Option<Handle<Indicator>> {
        self.tree.find(&indicator_name(station_id))
    }

    pub fn queue(&self, site_id: i64) -> Option<Handle<Queue>> {
        self.tree.find(&queue_name(site_id))
    }

    /// None while the edge is not connected to this server.
    pub fn edge_link(&self, edge_id: i64) -> Option<Handle<EdgeLink>> {
        self.tree.find(&edge_link_name(edge_id))
    }

    /// Tells a station that it, and these records, are no longer what they were.
    pub fn touch_station(&self, station_id: i64, records: Vec<i64>) {
        if let Some(indicator) = self.indicator(station_id) {
            indicator.listener().announce(StationTouched { records });
        }
    }

    /// Tells an edge, if it is linked to this server, that what it knows of its stations may hold no more.
    pub fn touch_edge(&self, edge_id: i64) {
        if let Some(link) = self.edge_link(edge_id) {
            link.listener().announce(StationsChanged);
        }
    }

    /// Tells the couriers that something may be owed: after a commit that wrote to the outbox.
    pub fn announce_owed(&self) {
        for route in [Route::Erp, Route::Phones, Route::Messages] {
            if let Some(courier) = self.tree.find::<Courier>(route.courier()) {
                courier.listener().announce(Owed);
            }
        }
    }

    /// Tells stations and lines what a transaction has changed, and logs what staff must look at.
    pub fn announce(&self, changes: &Changes) {
        for alarm in &changes.alarms {
            metrics::counter!("station_alarms_total", "code" => alarm.code).increment(1);
            warn!(station.id = alarm.station_id, alarm.code = alarm.code, "{}", alarm.text);
        }
        for (station, records) in &changes.stations {
            self.touch_station(*station, records.clone());
        }
        for queue in changes.sites.iter().filter_map(|site| self.queue(*site)) {
            queue.listener().announce(LineMoved);
        }
        if changes.owes {
            self.announce_owed();
        }
    }
}

pub fn indicator_name(station_id: i64) -> String {
    format!("indicator-{station_id}")
}

pub fn queue_name(site_id: i64) -> String {
    format!("queue-{site_id}")
}

pub fn edge_link_name(edge_id: i64) -> String {
    format!("edge-link-{edge_id}")
}
