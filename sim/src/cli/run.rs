//! `weighbridge-sim run`.

use std::{net::SocketAddr, path::PathBuf};

use weighbridge_sim::{
    SimError,
    run::{Programs, Run, Shows, folder},
};

use super::site::YardArgs;

/// Starts `weighbridge serve` and `weighbridge-edge run`, which it expects beside itself, and a yard; Ctrl-C stops all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where everything lies: database, logs, ports, history. A second run goes on with what it finds there
    /// [default: /var/lib/weighbridge-yard as root, else ~/.local/share/weighbridge-yard]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where the server listens; where that is taken, at another port
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    #[command(flatten)]
    yard: YardArgs,
}

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let folder = self.dir.unwrap_or_else(folder::usual);
        let board = SocketAddr::from(([127, 0, 0, 1], 0));
        let run = Run {
            programs: Programs::beside_this()?,
            site: self.yard.spec(&folder, board)?,
            listen: self.listen,
            settings: Vec::new(),
            shows: Shows::Everything,
        };
        run.until(stopped).await.map(drop)
    }
}
