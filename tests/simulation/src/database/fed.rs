//! Stations that are fed by HTTP: readings and their cycle in one transaction.

use std::collections::HashMap;

use uuid::Uuid;
use weighbridge_protocol::{
    CycleId, Epoch,
    link::EventId,
    scale::{CaptureSettings, CycleState},
};

use super::{Database, FedRow, MIN_NET, StationCycle, mutable};
use crate::domain::{
    feed::{
        FeedReading,
        rows::Rows,
        station::{FedStation, Known, Memory, Outcome, StationRow},
    },
    weighing::Ledger,
};

/// What came of readings.
#[derive(Debug)]
pub struct Fed {
    pub outcomes: Vec<Outcome>,
    pub memory: Memory,
    /// The captures that this transaction made: their cycles, each with the reading that settled it.
    pub captured: Vec<(CycleId, Uuid)>,
}

impl Database {
    /// Takes readings of one station, in order.
    pub fn take_readings(
        &mut self,
        station_id: i64,
        settings: CaptureSettings,
        readings: &[FeedReading],
        memory: Option<Memory>,
        mut new_bits: impl FnMut() -> u128,
    ) -> Option<Fed> {
        let (edge_id, capacity) = self.stations.get(&station_id).map(|row| (row.edge_id, row.capacity))?;
        let cycle = mutable(&mut self.cycles)
            .entry(station_id)
            .or_insert_with(|| StationCycle {
                epoch: Epoch::from_bits(new_bits()),
                last_seq: 0,
                state: CycleState::default(),
            });
        let row = StationRow {
            station_id,
            edge_id,
            capacity,
            settings,
            epoch: cycle.epoch,
            last_seq: cycle.last_seq,
            state: cycle.state.clone(),
        };
        let mut station = FedStation::of(row, memory);
        let mut known = self.known(readings);
        let mut rows = Rows::after(station.epoch, station.last_seq);
        let (mut judged, mut captured) = (Vec::new(), Vec::new());
        for reading in readings {
            let now = station.take(reading, &mut known, &mut rows, || CycleId::from_bits(new_bits()));
            if let crate::domain::feed::station::Judged::New { settled: Some(cycle) } = now {
                captured.push((cycle, reading.event_id));
            }
            judged.push(now);
        }
        let mut ledger = rows.wanted(MIN_NET).map(|wanted| self.ledger(&wanted, &[]));
        if let Some(ledger) = &mut ledger {
            rows.take_effect(ledger, edge_id);
            self.save_ledger(ledger, &[]);
        }
        let ledger: Ledger = ledger.unwrap_or_default();
        self.keep_rows(&rows);
        let kept = StationCycle {
            epoch: station.epoch,
            last_seq: rows.last_seq,
            state: station.scale.state().clone(),
        };
        mutable(&mut self.cycles).insert(station_id, kept);
        let capture_of = |cycle: CycleId| ledger.captures.get(&cycle).map(|capture| capture.id);
        Some(Fed {
            outcomes: judged.into_iter().map(|judged| judged.outcome(capture_of)).collect(),
            memory: Memory {
                epoch: station.epoch,
                last_seq: rows.last_seq,
                scale: station.scale,
            },
            captured,
        })
    }

    fn keep_rows(&mut self, rows: &Rows) {
        for row in &rows.new {
            let kept = FedRow {
                sha256: row.sha256.clone(),
                event_id: row.event_id,
            };
            let id = EventId {
                epoch: rows.epoch,
                seq: row.seq,
            };
            mutable(&mut self.fed).insert(id, kept);
        }
    }

    /// Those of these readings that were stored before. What a reading settled is stored right behind it.
    fn known(&self, readings: &[FeedReading]) -> HashMap<Uuid, Known> {
        let mut known = HashMap::new();
        for (id, row) in self.fed.iter() {
            let Some(event_id) = row.event_id else { continue };
            if readings.iter().any(|reading| reading.event_id == event_id) {
                let behind = self.fed.range(
                    EventId {
                        epoch: id.epoch,
                        seq: id.seq + 1,
                    }..,
                );
                let led_to = behind.take_while(|(_, row)| row.event_id.is_none()).map(|(id, _)| *id);
                let mut led_to = led_to;
                let capture = led_to.find_map(|id| self.captures.values().find(|capture| capture.at == id));
                let before = Known {
                    sha256: row.sha256.clone(),
                    capture_id: capture.map(|capture| capture.id),
                };
                known.insert(event_id, before);
            }
        }
        known
    }
}
