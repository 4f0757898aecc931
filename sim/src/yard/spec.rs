//! What a yard is made of.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    encode::Format,
    indicator::Calibration,
    station::{StationSpec, line::Line},
    truck::Habits,
};

/// Everything that a yard starts from.
#[derive(Clone, Debug)]
pub struct YardSpec {
    pub stations: Vec<StationSpec>,
    /// Each station needs a line on one of them.
    pub boards: Vec<BoardSpec>,
    pub habits: Habits,
    pub seed: u64,
    /// How many times faster than life trucks drive and calm down; 0.1 to 100. Indicators keep their own pace.
    pub haste: f64,
    /// How long a truck waits for the board's word before it leaves without.
    pub patience: Duration,
    /// Where the history is written, if anywhere.
    pub truth: Option<PathBuf>,
}

/// A board: where it listens, and whose lines it shows from the top.
#[derive(Clone, Debug)]
pub struct BoardSpec {
    pub address: SocketAddr,
    pub stations: Vec<i64>,
}

impl YardSpec {
    /// These stations (id and format) with ports `station-1` … in `folder`, one board on a free port of loopback with a
    /// line for each, life's pace, and the history in memory.
    pub fn small(folder: impl AsRef<Path>, stations: &[(i64, Format)]) -> Self {
        let station = |&(id, format): &(i64, Format)| StationSpec {
            id,
            format,
            calibration: Calibration::default(),
            rate_hz: 10,
            line: Line::default(),
            port: folder.as_ref().join(format!("station-{id}")),
        };
        let board = BoardSpec {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            stations: stations.iter().map(|(id, _)| *id).collect(),
        };
        Self {
            stations: stations.iter().map(station).collect(),
            boards: vec![board],
            habits: Habits::default(),
            seed: 1,
            haste: 1.0,
            patience: Duration::from_mins(2),
            truth: None,
        }
    }

    /// The same yard with so many frames a second, on lines fast enough for them, and trucks in haste.
    pub fn hasty(mut self, rate_hz: u32, haste: f64) -> Self {
        for station in &mut self.stations {
            station.rate_hz = rate_hz;
            // 24 bytes of ten bits are the longest frame; twice that leaves room between frames.
            station.line.baud = Some((rate_hz * 480).max(9600));
        }
        self.haste = haste;
        self
    }
}
