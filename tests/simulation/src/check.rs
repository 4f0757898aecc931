//! What must hold when all is at rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use weighbridge_protocol::{
    CycleId,
    link::{EventId, EventKind},
};

use crate::{
    database::KeptEvent,
    domain::{
        intake::seqs::Seqs,
        weighing::{
            Fate,
            ledger::{Record, RecordStatus, Station, StationStatus},
        },
    },
    world::{Stats, World},
};

type Check = fn(&World) -> Result<(), String>;

/// Checks everything; the first violation is kept.
pub fn all(world: &mut World) {
    let checks: [Check; 11] = [
        watermarks, told, once, records, slips, printed, messages, counted, moved, forks, decks,
    ];
    for check in checks {
        if let Err(violation) = check(world) {
            return world.fail(&violation);
        }
    }
}

fn kept(world: &World) -> impl Iterator<Item = (&EventId, &Rc<KeptEvent>)> {
    world.db.events.iter()
}

/// The stored captures: their cycles, and whether they had an effect.
fn stored_captures(world: &World) -> Vec<(CycleId, &Fate)> {
    kept(world)
        .filter_map(|(_, kept)| {
            let body = kept.body.as_ref()?;
            let cycle = body.cycle.filter(|_| matches!(body.kind, EventKind::Capture(_)))?;
            Some((cycle, &kept.fate))
        })
        .collect()
}

fn has_clones(world: &World) -> bool {
    let keys: BTreeSet<i64> = world.edges.iter().map(|edge| edge.station).collect();
    keys.len() < world.edges.len()
}

fn watermarks(world: &World) -> Result<(), String> {
    for (epoch, row) in world.db.epochs.iter() {
        if let Some(seq) = (1..=row.have).find(|seq| !world.db.has(*epoch, *seq)) {
            return Err(format!(
                "watermark: {epoch} is stored up to {}, and {seq} is not there",
                row.have
            ));
        }
    }
    for (id, _) in kept(world) {
        if world.db.is_lost(id.epoch, id.seq) {
            return Err(format!("watermark: {id} is stored, and said to be lost"));
        }
        let have = world.db.epochs.get(&id.epoch).map_or(0, |row| row.have);
        if id.seq > have {
            return Err(format!("watermark: {id} is stored above {have}"));
        }
    }
    Ok(())
}

/// What a driver was told is at the server, unaltered, unless a fault took it from every file.
fn told(world: &World) -> Result<(), String> {
    let alive: BTreeSet<CycleId> = world
        .edges
        .iter()
        .flat_map(|edge| edge.file.captures().into_keys())
        .collect();
    let rejected: BTreeSet<CycleId> = stored_captures(world)
        .into_iter()
        .filter(|(_, fate)| matches!(fate, Fate::Rejected(_)))
        .map(|(cycle, _)| cycle)
        .collect();
    for cycle in &world.truth.told {
        let truth = world.truth.cycles.get(cycle);
        match world.db.captures.get(cycle) {
            None if world.truth.vanished.contains(cycle) && !alive.contains(cycle) => {}
            None if rejected.contains(cycle) => {}
            None => return Err(format!("lost: {cycle} was told, and is not at the server")),
            Some(row) if truth.is_some_and(|truth| truth.weight == row.weight) => {}
            Some(row) => return Err(format!("altered: {cycle} is stored with {}", row.weight)),
        }
    }
    Ok(())
}

/// A cycle has its effect once; a truck that one edge captured twice was captured as a gap all but once.
fn once(world: &World) -> Result<(), String> {
    let mut effects: BTreeMap<CycleId, usize> = BTreeMap::new();
    for (cycle, fate) in stored_captures(world) {
        *effects.entry(cycle).or_default() += usize::from(*fate == Fate::Stored);
    }
    if let Some((cycle, times)) = effects.iter().find(|(_, times)| **times > 1) {
        return Err(format!("twice: {cycle} is stored with effect {times} times"));
    }
    let mut plain: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for cycle in &world.truth.told {
        if let Some(truth) = world.truth.cycles.get(cycle).filter(|truth| !truth.gap) {
            *plain.entry((truth.edge, truth.stay)).or_default() += 1;
        }
    }
    match plain.iter().find(|(_, times)| **times > 1) {
        Some(((_, stay), times)) if !has_clones(world) => {
            Err(format!("double: stay {stay} has {times} captures that look ordinary"))
        }
        _ => Ok(()),
    }
}

/// Each pass of a record is a stay of its own vehicle, with the weight that was captured, and no stay counts twice.
fn records(world: &World) -> Result<(), String> {
    let stay_of: BTreeMap<i64, (usize, CycleId)> = world
        .db
        .captures
        .iter()
        .filter_map(|(cycle, row)| Some((row.id, (world.truth.cycles.get(cycle)?.stay, *cycle))))
        .collect();
    let mut used = BTreeMap::new();
    for (id, record) in world.db.records.iter() {
        for pass in [record.first, record.second].into_iter().flatten() {
            let Some((stay, cycle)) = pass.capture_id.and_then(|capture| stay_of.get(&capture)) else {
                return Err(format!("phantom: record {id} holds a weight that nobody captured"));
            };
            let vehicle = world.yard.vehicles[*stay];
            if vehicle != record.vehicle_id {
                return Err(format!(
                    "wrong-truck: record {id} of vehicle {} holds the weight of vehicle {vehicle}",
                    record.vehicle_id
                ));
            }
            if let Some(other) = used.insert(*stay, *id) {
                return Err(format!("twice: stay {stay} counts for records {other} and {id}"));
            }
            let weight = world.truth.cycles.get(cycle).map(|truth| truth.weight);
            if weight != Some(pass.weight) {
                return Err(format!("altered: record {id} holds {} kg", pass.weight));
            }
        }
        completed(world, *id, record)?;
    }
    Ok(())
}

fn completed(world: &World, id: i64, record: &Record) -> Result<(), String> {
    if record.status != RecordStatus::Completed {
        return Ok(());
    }
    let Some(weights) = record.weights else {
        return Err(format!("weights: record {id} is complete without any"));
    };
    let tare = match (record.first, record.second) {
        (Some(first), Some(second)) => first.weight.min(second.weight),
        _ => world
            .db
            .vehicles
            .get(&record.vehicle_id)
            .and_then(|vehicle| vehicle.tare)
            .unwrap_or_default(),
    };
    if weights.net != weights.gross - weights.tare || weights.tare != tare || weights.net.is_negative() {
        return Err(format!("weights: record {id} has {weights:?}"));
    }
    let slip = record.slip.as_ref();
    let owner = slip.and_then(|slip| world.db.slips.get(&(slip.day(), slip.number())));
    if owner != Some(&Some(id)) {
        return Err(format!("slip: {slip:?} of record {id} belongs to {owner:?}"));
    }
    Ok(())
}

fn slips(world: &World) -> Result<(), String> {
    for (day, last) in world.db.counters.iter() {
        if let Some(number) = (1..=*last).find(|number| !world.db.slips.contains_key(&(*day, *number))) {
            return Err(format!("slip: number {number} of {day} is an unexplained gap"));
        }
    }
    Ok(())
}

/// A slip that an edge holds the receipt of keeps its number.
fn printed(world: &World) -> Result<(), String> {
    if has_clones(world) {
        // A clone may bring the event first, without its receipt.
        return Ok(());
    }
    for (cycle, slip) in &world.truth.printed {
        let (Some(row), Some(slip)) = (world.db.captures.get(cycle), slip) else {
            continue;
        };
        let record = row.record_id.and_then(|id| world.db.records.get(&id));
        let now = record.and_then(|record| record.slip.as_ref()).map(ToString::to_string);
        let known_incomplete =
            record.is_some_and(|record| record.status.is_open() && record.review == Some("RESTORED_INCOMPLETE"));
        if now.as_ref() != Some(slip) && !known_incomplete {
            return Err(format!("printed: slip {slip} of {cycle} is {now:?} now"));
        }
    }
    Ok(())
}

/// ERP gets each completion once.
fn messages(world: &World) -> Result<(), String> {
    let mut effects: BTreeMap<CycleId, usize> = BTreeMap::new();
    for outgoing in world.erp.values() {
        *effects.entry(outgoing.cycle).or_default() += 1;
    }
    match effects.iter().find(|(_, times)| **times > 1) {
        Some((cycle, times)) => Err(format!("erp: {cycle} had {times} effects")),
        None => Ok(()),
    }
}

/// A loss that the file knows of is counted at the server.
fn counted(world: &World) -> Result<(), String> {
    match world.truth.owed.iter().find(|id| !world.db.has(id.epoch, id.seq)) {
        Some(id) => Err(format!(
            "uncounted: {id} was lost with a damaged file, and nobody counted it"
        )),
        None => Ok(()),
    }
}

/// A record whose truck moved after its capture is looked at.
fn moved(world: &World) -> Result<(), String> {
    for (_, kept) in kept(world).filter(|(_, kept)| kept.fate == Fate::Stored) {
        let Some(body) = kept
            .body
            .as_ref()
            .filter(|body| matches!(body.kind, EventKind::Moved { .. }))
        else {
            continue;
        };
        let record = body
            .cycle
            .and_then(|cycle| world.db.captures.get(&cycle))
            .and_then(|row| row.record_id);
        let record = record.and_then(|id| world.db.records.get(&id));
        if record.is_some_and(|record| record.review.is_none()) && !has_clones(world) {
            return Err(format!(
                "moved: the truck of {:?} moved, and nobody is asked to look",
                body.cycle
            ));
        }
    }
    Ok(())
}

/// At rest nothing stands anywhere, and nobody is waited for who has gone.
fn decks(world: &World) -> Result<(), String> {
    let rest = |row: &Station| row.is_empty() && row.status == StationStatus::Idle;
    match world.db.stations.iter().find(|(_, row)| !rest(row)) {
        Some((id, row)) => Err(format!(
            "wedge: station {id} is {:?} with {:?} on its deck, which is empty",
            row.status, row.deck
        )),
        None => Ok(()),
    }
}

/// Where no two files shared an epoch, every row is at the server under its own identity, and nothing is in conflict.
fn forks(world: &World) -> Result<(), String> {
    if world.truth.forked {
        return Ok(());
    }
    if let Some((id, _)) = world.db.conflicts.keys().next() {
        return Err(format!("conflict: {id} is in conflict without a fork"));
    }
    for edge in &world.edges {
        for (id, row) in edge.file.store.rows().iter().filter(|(_, row)| row.event.is_intact()) {
            let kept = world.db.events.get(id);
            if kept.is_none_or(|kept| kept.sha256 != row.event.sha256) {
                return Err(format!("lost: {id} is in a file and not at the server"));
            }
        }
    }
    Ok(())
}

pub fn stats(world: &World) -> Stats {
    let count = |n: usize| n as u64;
    let records = || world.db.records.values();
    let lost = world.db.lost.values().map(Seqs::count).sum();
    Stats {
        runs: 1,
        told: count(world.truth.told.len()),
        completed: count(
            records()
                .filter(|record| record.status == RecordStatus::Completed)
                .count(),
        ),
        two_passes: count(records().filter(|record| record.second.is_some()).count()),
        unassigned: count(world.db.captures.values().filter(|row| row.record_id.is_none()).count()),
        gaps: count(world.truth.cycles.values().filter(|truth| truth.gap).count()),
        lost,
        moved: count(world.truth.moved.len()),
        fed: count(world.db.fed.len()),
        ..world.stats
    }
}
