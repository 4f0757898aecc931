//! A server on a fresh database, and what it must know before anything can be weighed.

use std::time::Duration;

use anyhow::Context;
use tokio_postgres::{Client, NoTls};
use weighbridge_sim::{
    encode::Format,
    indicator::Calibration,
    server::{Server, master_data::NewEdge},
    station::{StationSpec, line::Line},
};

use crate::{cpu, stage::Stage};

/// A running server.
#[derive(Debug)]
pub struct Site {
    pub api: Server,
    /// Its database, past the server: for what the interface does not offer in bulk, and for counting afterwards.
    pub database: Client,
    server_pid: u32,
    postmaster_pid: u32,
}

/// Processor time used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub server: Duration,
    pub postgresql: Duration,
}

impl Site {
    /// Starts the server, and waits until it serves.
    pub async fn start(stage: &mut Stage) -> anyhow::Result<Self> {
        let server = stage.start_server().await?;
        let api = Server::new(&format!("http://{}", server.address), stage.login()?)?;
        let data = stage.server_data();
        let url = std::fs::read_to_string(data.join("database.url")).context("cannot read the database's address")?;
        let (database, connection) = tokio_postgres::connect(url.trim(), NoTls).await?;
        // It ends with the client.
        tokio::spawn(connection);
        let version = database.query_one("SHOW server_version", &[]).await?;
        stage.postgresql = Some(version.get(0));
        let pid_file = data.join("postgres").join("postmaster.pid");
        let text = std::fs::read_to_string(&pid_file).with_context(|| format!("cannot read {}", pid_file.display()))?;
        let postmaster_pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        Ok(Self {
            api,
            database,
            server_pid: server.pid,
            postmaster_pid: postmaster_pid.with_context(|| format!("{} names no process", pid_file.display()))?,
        })
    }

    /// A station for this indicator; its spec with the server's id.
    pub async fn station(
        &self,
        number: usize,
        format: Format,
        port: std::path::PathBuf,
    ) -> anyhow::Result<StationSpec> {
        let mut spec = StationSpec {
            id: 0,
            format,
            calibration: Calibration::default(),
            rate_hz: 20,
            line: Line::default(),
            port,
        };
        spec.id = self
            .api
            .make_station(&format!("{number}번 계량대"), &spec, Duration::ZERO)
            .await?;
        Ok(spec)
    }

    /// An edge with `stations` new stations that nobody is called to but by us.
    pub async fn edge(&self, number: usize, stations: usize) -> anyhow::Result<(NewEdge, Vec<i64>)> {
        let mut ids = Vec::with_capacity(stations);
        for station in 0..stations {
            let port = format!("/dev/bench-{number}-{station}").into();
            ids.push(self.station(number * stations + station, Format::Cas22, port).await?.id);
        }
        let manual = "UPDATE weigh_station SET calling = 'MANUAL' WHERE id = ANY($1)";
        self.database.execute(manual, &[&ids]).await?;
        let edge = self.api.make_edge(&format!("현장 {number}"), &ids).await?;
        Ok((edge, ids))
    }

    /// Where an edge connects.
    pub fn link_url(&self) -> String {
        self.api.url().replacen("http", "ws", 1) + "/api/v1/edge/link"
    }

    pub fn spent(&self) -> anyhow::Result<Spent> {
        Ok(Spent {
            server: cpu::of_process(self.server_pid)?,
            postgresql: cpu::of_family(self.postmaster_pid)?,
        })
    }
}

impl Spent {
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgresql: self.postgresql.saturating_sub(before.postgresql),
        }
    }
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.server += other.server;
        self.postgresql += other.postgresql;
    }
}
