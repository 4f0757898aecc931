//! What `yard` and `run` have in common on the command line.

use std::{net::SocketAddr, path::Path, time::Duration};

use weighbridge_sim::{
    SimError, control::Command, encode::Format, site::SiteSpec, traffic::TrafficSpec, truck::Habits,
};

/// The yard itself.
#[derive(Debug, clap::Args)]
pub struct YardArgs {
    /// How many stations
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=32))]
    stations: u8,
    /// The stations' protocols in turn (see `weighbridge-sim protocols`)
    #[arg(long, value_delimiter = ',', default_value = "cas22,and18,mt_continuous")]
    protocols: Vec<Format>,
    /// Frames a second of each indicator; above 10 the line gets faster than 9600 baud
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    rate_hz: u32,
    /// How many times faster than life trucks drive and load (0.1 to 100); indicators keep their pace
    #[arg(long, default_value_t = 3.0)]
    speed: f64,
    /// The same seed gives the same trucks, weights and gaps
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 12)]
    trucks: u32,
    /// The share of trucks that come twice, empty and loaded (0 to 1)
    #[arg(long, default_value_t = 0.3)]
    two_pass_share: f64,
    /// The share of trucks that nobody knows, which drive on without a call (0 to 1)
    #[arg(long, default_value_t = 0.08)]
    stranger_share: f64,
    /// How long a truck stays away between two visits, on average and in life's pace, in seconds
    #[arg(long, default_value_t = 180.0)]
    away: f64,
    /// How long a truck waits for the board's 저장 before it leaves without, in seconds
    #[arg(long, default_value_t = 120.0)]
    patience: f64,
    /// A command of the control port to begin with, e.g. "garbage 2 0.1"; STATION is the server's number or `all`
    #[arg(long, value_name = "COMMAND")]
    fault: Vec<String>,
    /// Where the control port listens, on loopback; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    control: SocketAddr,
}

impl YardArgs {
    /// The same as values, checked.
    pub fn spec(self, folder: &Path, board: SocketAddr) -> Result<SiteSpec, SimError> {
        let formats = self
            .protocols
            .iter()
            .copied()
            .cycle()
            .take(self.stations.into())
            .collect();
        let commands = self
            .fault
            .iter()
            .filter_map(|line| Command::parse(line).transpose())
            .collect::<Result<_, _>>()?;
        Ok(SiteSpec {
            folder: std::path::absolute(folder).map_err(|source| SimError::Io {
                action: format!("find {}", folder.display()),
                source,
            })?,
            formats,
            rate_hz: self.rate_hz,
            haste: within("--speed", self.speed, 0.1, 100.0)?,
            seed: self.seed,
            habits: Habits {
                two_pass: within("--two-pass-share", self.two_pass_share, 0.0, 1.0)?,
                strangers: within("--stranger-share", self.stranger_share, 0.0, 1.0)?,
            },
            traffic: TrafficSpec::endless(self.trucks, seconds("--away", self.away)?),
            patience: seconds("--patience", self.patience)?,
            board,
            control: self.control,
            commands,
        })
    }
}

/// A number of the command line, where it lies between two others.
pub fn within(flag: &str, value: f64, low: f64, high: f64) -> Result<f64, SimError> {
    let refused = || SimError::Usage(format!("{flag} is {value}, expected {low} to {high}"));
    (low..=high).contains(&value).then_some(value).ok_or_else(refused)
}

fn seconds(flag: &str, value: f64) -> Result<Duration, SimError> {
    within(flag, value, 0.0, 86_400.0).map(Duration::from_secs_f64)
}
