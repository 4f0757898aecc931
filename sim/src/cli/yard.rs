//! `weighbridge-sim yard`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use weighbridge_sim::{
    SimError, screen,
    server::{Login, Server},
    truth,
};

use super::site::YardArgs;

/// Sets up what the server lacks (stations, an edge and its key, trucks and drivers as they come), writes DIR/edge.toml
/// for `weighbridge-edge run --config`, and sends trucks.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server's address
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    server: String,
    /// A user who may make stations and edges
    #[arg(long, default_value = "admin", value_name = "LOGIN")]
    login: String,
    #[arg(long, env = "WEIGHBRIDGE_SIM__PASSWORD", hide_env_values = true)]
    password: String,
    /// For ports, edge.toml, the edge's key and data, and truth.jsonl
    #[arg(long)]
    dir: PathBuf,
    /// Where the display board listens
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "ADDRESS")]
    board: SocketAddr,
    #[command(flatten)]
    yard: YardArgs,
}

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let login = Login {
            login_id: self.login,
            password: self.password,
        };
        let server = Arc::new(Server::new(&self.server, login)?);
        let site = self.yard.spec(&self.dir, self.board)?.open(server).await?;
        println!("READY pid={} addr={}", std::process::id(), site.control.address());
        println!("the edge: weighbridge-edge run --config {}", site.edge_toml.display());
        let mut traffic = site.let_trucks_in().await?;
        let lineup = traffic.lineup();
        let showing = screen::show(&site.yard, &lineup, traffic.news());
        let ended = tokio::select! {
            ended = traffic.run() => ended,
            () = showing => Ok(()),
            () = stopped => Ok(()),
        };
        let stays = site.yard.truth();
        let confirmed = stays.iter().filter(|stay| truth::Stay::is_confirmed(stay)).count();
        println!("\n{} stays, {confirmed} confirmed by the board", stays.len());
        ended
    }
}
