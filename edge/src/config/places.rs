//! No port is read by two stations, neither by one name of it nor by two: every truck would be weighed on both.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, ToSocketAddrs},
};

use super::{HostPort, Station};
use crate::port::{PortAddress, claims::canonical};

/// A device has several names below /dev, and a host's name is the same in capitals.
pub(super) fn each_port_once(stations: &[Station], problems: &mut Vec<String>) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for station in stations {
        let (name, behind) = (station.port.place(), station.port.behind());
        match seen.get(&behind) {
            Some(first) if *first == name => {
                problems.push(format!("station: port {name} is given twice, expected each once"));
            }
            Some(first) => problems.push(same(&name, first)),
            None => drop(seen.insert(behind, name)),
        }
    }
}

/// A host has several names, and addresses: they are looked up, as far as that goes now. The rest shows when the ports are
/// opened.
pub(super) fn each_peer_once(stations: &[Station]) -> Vec<String> {
    let peers: Vec<(&HostPort, String)> = stations
        .iter()
        .filter_map(|station| match &station.port {
            PortAddress::Tcp(at) | PortAddress::ModbusTcp(at) => Some((at, station.port.place())),
            PortAddress::Serial { .. } => None,
        })
        .collect();
    let mut problems = Vec::new();
    let mut seen: BTreeMap<SocketAddr, &String> = BTreeMap::new();
    for (at, name) in &peers {
        if peers.iter().filter(|(other, _)| other.port == at.port).count() < 2 {
            continue;
        }
        let Ok(addresses) = at.to_string().to_socket_addrs() else {
            continue;
        };
        let addresses: BTreeSet<SocketAddr> = addresses.map(canonical).collect();
        problems.extend(
            addresses
                .iter()
                .find_map(|address| seen.get(address))
                .map(|first| same(name, first)),
        );
        for address in addresses {
            seen.entry(address).or_insert(name);
        }
    }
    problems
}

fn same(name: &str, first: &str) -> String {
    format!("station: port {name} is the same device as {first}, expected each once")
}
