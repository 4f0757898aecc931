//! A yard that belongs to a server: its stations stand there, its edge has a key, its trucks follow the calls.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    SimError,
    control::{Command, Control, Obeys},
    encode::Format,
    server::Server,
    setup::Plan,
    station::line::Line,
    traffic::{self, Phones, Traffic, TrafficSpec, clear_line},
    truck::Habits,
    yard::{BoardSpec, Yard, YardSpec},
};

/// Everything that such a yard starts from.
#[derive(Clone, Debug)]
pub struct SiteSpec {
    /// For the ports, the edge's configuration and key, and the history.
    pub folder: PathBuf,
    /// One station each.
    pub formats: Vec<Format>,
    pub rate_hz: u32,
    /// How many times faster than life trucks drive.
    pub haste: f64,
    pub seed: u64,
    pub habits: Habits,
    pub traffic: TrafficSpec,
    pub patience: Duration,
    pub board: SocketAddr,
    pub control: SocketAddr,
    /// Commands of the control port to begin with.
    pub commands: Vec<Command>,
}

/// The yard, before its gates open.
#[derive(Debug)]
pub struct Site {
    pub yard: Arc<Yard>,
    pub control: Control,
    /// What `weighbridge-edge run --config` is to be given.
    pub edge_toml: PathBuf,
    server: Arc<Server>,
    traffic: TrafficSpec,
}

impl SiteSpec {
    /// Sets up what the server lacks, plugs in the stations, switches on the board, and writes `edge.toml`.
    pub async fn open(self, server: Arc<Server>) -> Result<Site, SimError> {
        let cannot = |source| SimError::file("create", &self.folder, source);
        std::fs::create_dir_all(&self.folder).map_err(cannot)?;
        let baud = if self.rate_hz > 10 {
            self.rate_hz.max(20) * 480
        } else {
            9600
        };
        let plan = Plan {
            approach: traffic::least_approach(self.haste),
            folder: self.folder.clone(),
            formats: self.formats,
            rate_hz: self.rate_hz,
            line: Line { baud: Some(baud) },
        };
        let stations = plan.stations(&server).await?;
        let key = plan.edge(&server, &stations).await?;
        let board = BoardSpec {
            address: self.board,
            stations: key.station_ids.clone(),
        };
        let yard = Yard::start(YardSpec {
            stations: stations.clone(),
            boards: vec![board],
            habits: self.habits,
            seed: self.seed,
            haste: self.haste,
            patience: self.patience,
            truth: Some(self.folder.join("truth.jsonl")),
        });
        let yard = Arc::new(yard.await?);
        for command in &self.commands {
            yard.obey(command)?;
        }
        let edge_toml = plan.edge_toml(server.url(), &key, &stations, yard.board(0)?.address())?;
        let control = Control::start(self.control, Arc::clone(&yard)).await?;
        Ok(Site {
            yard,
            control,
            edge_toml,
            server,
            traffic: self.traffic,
        })
    }
}

impl Site {
    /// Clears the line of trucks that an earlier run left there. For a server that is this yard's alone.
    pub async fn clear_line(&self) -> Result<(), SimError> {
        clear_line(&self.server).await
    }

    /// How often a station is closed for a while.
    pub fn closures(&self) -> usize {
        self.traffic.closures.len()
    }

    /// Opens the gates.
    pub async fn let_trucks_in(&self) -> Result<Traffic, SimError> {
        self.open_gates(None).await
    }

    /// The same, with drivers who have a phone; their passwords are kept in `folder`.
    pub async fn let_trucks_with_phones_in(&self, folder: &Path) -> Result<Traffic, SimError> {
        let phones = Arc::new(Phones::open(folder, self.server.url()));
        self.open_gates(Some(phones)).await
    }

    async fn open_gates(&self, phones: Option<Arc<Phones>>) -> Result<Traffic, SimError> {
        let (yard, server) = (Arc::clone(&self.yard), Arc::clone(&self.server));
        Traffic::start(yard, server, self.traffic.clone(), phones).await
    }
}
