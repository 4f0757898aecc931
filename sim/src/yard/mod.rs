//! A whole yard in one process: stations, boards, and what the trucks on the decks do. It knows nothing of the server.
//!
//! ```no_run
//! # async fn example() -> Result<(), weighbridge_sim::SimError> {
//! use weighbridge_sim::{encode::Format, yard::{Visit, Yard, YardSpec}};
//!
//! let spec = YardSpec::small("/tmp/yard", &[(1, Format::Cas22), (2, Format::And18)]);
//! let yard = Yard::start(spec).await?;
//! println!("the edge opens {} and shows its texts at {}", yard.port(1)?.display(), yard.board(0)?.address());
//! let truck = yard.truck(1);
//! let stay = yard.weigh(Visit::stranger(&truck, 1, 0)).await?;
//! assert!(stay.is_confirmed());
//! # Ok(()) }
//! ```

mod obey;
mod spec;
mod visit;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use chrono::Utc;
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as Gate, broadcast, watch},
    time::{Instant, sleep, timeout},
};
use weighbridge_protocol::Kilograms;

pub use self::{
    spec::{BoardSpec, YardSpec},
    visit::{Call, Visit},
};
use crate::{
    SimError,
    board::Board,
    chance::Chance,
    curve::Curve,
    fault::Fault,
    indicator::Shown,
    station::{Sent, Station},
    truck::{Habits, Truck},
    truth::{History, Outcome, Stay},
};

/// A running yard. Dropping it unplugs every port and switches the boards off.
#[derive(Debug)]
pub struct Yard {
    stations: BTreeMap<i64, Place>,
    boards: Vec<Board>,
    history: History,
    events: broadcast::Sender<YardEvent>,
    chance: Chance,
    habits: Habits,
    haste: f64,
    patience: Duration,
}

/// What happens on the decks, for whoever shows it.
#[derive(Clone, Debug)]
pub enum YardEvent {
    /// A truck's first axle is on.
    DroveOn(Stay),
    /// It stands wholly on the deck.
    Stands(Stay),
    /// The board told it "저장".
    Confirmed(Stay),
    /// The deck is clear again.
    Left(Stay),
}

/// A station and where it is.
#[derive(Debug)]
struct Place {
    station: Station,
    board: usize,
    line: usize,
    /// Held by the truck that is on the deck, or about to be.
    gate: Arc<Gate<()>>,
    standing: Mutex<Option<String>>,
}

/// A deck that shows less than this is empty enough for the next truck.
const EMPTY: Kilograms = Kilograms::from_whole(100);
/// So many frames in a row must show it, or the edge might not see that the deck was empty.
const EMPTY_FRAMES: u32 = 3;

impl Yard {
    /// Plugs in the stations and switches on the boards.
    ///
    /// # Errors
    /// Where a port or an address cannot be had, or the history cannot be written.
    pub async fn start(spec: YardSpec) -> Result<Self, SimError> {
        let chance = Chance::of_seed(spec.seed);
        let history = History::open(spec.truth.as_deref())?;
        let mut boards = Vec::new();
        let mut stations = BTreeMap::new();
        for board in &spec.boards {
            boards.push(Board::start(board.address).await?);
        }
        for station_spec in spec.stations {
            let id = station_spec.id;
            let (board, line) = board_of(&spec.boards, id)?;
            let station = Station::start(station_spec, chance.branch(1_000_000 + id.unsigned_abs()))?;
            stations.insert(
                id,
                Place {
                    station,
                    board,
                    line,
                    gate: Arc::default(),
                    standing: Mutex::default(),
                },
            );
        }
        let (events, _) = broadcast::channel(256);
        let (habits, haste, patience) = (spec.habits, spec.haste, spec.patience);
        Ok(Self {
            stations,
            boards,
            history,
            events,
            chance,
            habits,
            haste,
            patience,
        })
    }

    /// The path that the edge opens.
    pub fn port(&self, station_id: i64) -> Result<&Path, SimError> {
        Ok(&self.place(station_id)?.station.spec().port)
    }

    pub fn board(&self, index: usize) -> Result<&Board, SimError> {
        let missing = || {
            SimError::Usage(format!(
                "there is no board {index}, expected one of {}",
                self.boards.len()
            ))
        };
        self.boards.get(index).ok_or_else(missing)
    }

    pub fn station_ids(&self) -> impl Iterator<Item = i64> {
        self.stations.keys().copied()
    }

    /// Truck number `number`, from 1.
    pub fn truck(&self, number: u32) -> Truck {
        Truck::new(self.chance, number, self.habits)
    }

    /// How many times faster than life trucks drive.
    pub const fn haste(&self) -> f64 {
        self.haste
    }

    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Every stay so far: the truth.
    pub fn truth(&self) -> Vec<Stay> {
        self.history.stays()
    }

    pub fn events(&self) -> broadcast::Receiver<YardEvent> {
        self.events.subscribe()
    }

    pub fn shown(&self, station_id: i64) -> Result<Shown, SimError> {
        Ok(*self.place(station_id)?.station.shown().borrow())
    }

    /// The newest frame that left a station whole, and when its last byte did; for whoever measures.
    pub fn sent(&self, station_id: i64) -> Result<watch::Receiver<Option<Sent>>, SimError> {
        Ok(self.place(station_id)?.station.sent())
    }

    /// Changes what is wrong with a station's line, and writes it to the history.
    pub fn fault(&self, station_id: i64, fault: Fault) -> Result<(), SimError> {
        self.place(station_id)?.station.change(fault);
        self.history
            .tell("yard", Outcome::Ok, "fault", format!("station {station_id}: {fault:?}"))
    }

    /// Whether nothing stands on that deck, and no truck is about to drive on.
    pub fn is_free(&self, station_id: i64) -> bool {
        self.place(station_id).is_ok_and(|place| place.gate.try_lock().is_ok())
    }

    /// One stay from zero to zero: waits until the deck is free, drives on, stands until the board says "저장" or
    /// patience ends, and drives off. The stay is in the history from its first moment.
    pub async fn weigh(&self, visit: Visit<'_>) -> Result<Stay, SimError> {
        let place = self.place(visit.station_id)?;
        let gate = Arc::clone(&place.gate).lock_owned().await;
        let curve = Curve::new(
            visit.truck.axles(visit.weight),
            self.haste,
            visit.truck.luck(visit.number),
        );
        let takes = place.station.deck().drive_on(curve)?;
        let mut stay = self.history.begin(visit.stay())?;
        *place.standing.lock() = Some(stay.plate.clone());
        self.say(YardEvent::DroveOn(stay.clone()));
        sleep(takes).await;
        stay.stood_at = Some(Utc::now());
        self.say(YardEvent::Stands(stay.clone()));
        let board = self.board(place.board)?;
        if timeout(self.patience, board.stored(place.line, stay.weight, Instant::now()))
            .await
            .is_ok()
        {
            stay.confirmed_at = Some(Utc::now());
            self.say(YardEvent::Confirmed(stay.clone()));
            // A driver reads, and only then lets in the clutch.
            sleep(Duration::from_millis(800).div_f64(self.haste)).await;
        }
        sleep(place.station.deck().drive_off()).await;
        place.until_empty().await;
        stay.clear_at = Some(Utc::now());
        *place.standing.lock() = None;
        self.history.end(stay.clone())?;
        self.say(YardEvent::Left(stay.clone()));
        drop(gate);
        Ok(stay)
    }

    fn place(&self, station_id: i64) -> Result<&Place, SimError> {
        let known = || {
            self.stations
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let missing = || SimError::Usage(format!("there is no station {station_id}, expected one of {}", known()));
        self.stations.get(&station_id).ok_or_else(missing)
    }

    fn say(&self, event: YardEvent) {
        // Nobody need be listening.
        drop(self.events.send(event));
    }
}

impl Place {
    async fn until_empty(&self) {
        let mut shown = self.station.shown();
        let mut frames = 0;
        while frames < EMPTY_FRAMES && shown.changed().await.is_ok() {
            frames = if shown.borrow_and_update().weight < EMPTY {
                frames + 1
            } else {
                0
            };
        }
    }
}

/// The board and the line on it that tell about a station.
fn board_of(boards: &[BoardSpec], station_id: i64) -> Result<(usize, usize), SimError> {
    let on = |board: &BoardSpec| board.stations.iter().position(|station| *station == station_id);
    let found = boards
        .iter()
        .enumerate()
        .find_map(|(index, board)| on(board).map(|line| (index, line)));
    found.ok_or_else(|| SimError::Usage(format!("no board has a line for station {station_id}")))
}

#[cfg(test)]
mod tests;
