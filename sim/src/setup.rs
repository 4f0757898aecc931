//! What a yard needs at the server and at the edge: stations, the edge with its key, and `edge.toml`.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    SimError,
    encode::Format,
    indicator::Calibration,
    server::Server,
    station::{StationSpec, line::Line},
};

/// Stations as they are to be: one for each format, in a folder of ports.
#[derive(Clone, Debug)]
pub struct Plan {
    pub folder: PathBuf,
    pub formats: Vec<Format>,
    pub rate_hz: u32,
    pub line: Line,
    /// What comes to a deck sooner after a call is not the called truck.
    pub approach: Duration,
}

/// The edge's identity at the server, kept in the folder because the server tells the key once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeKey {
    pub edge_id: i64,
    pub station_ids: Vec<i64>,
    pub api_key: String,
}

const EDGE_NAME: &str = "현장 게이트웨이";

impl Plan {
    /// Finds the stations at the server by their names, or makes them. The specs carry the server's ids.
    pub async fn stations(&self, server: &Server) -> Result<Vec<StationSpec>, SimError> {
        let known = server.stations().await?;
        let mut specs = Vec::new();
        for (number, format) in (1_i64..).zip(&self.formats) {
            let name = format!("{number}번 계량대");
            let mut spec = StationSpec {
                id: 0,
                format: *format,
                calibration: Calibration::default(),
                rate_hz: self.rate_hz,
                line: self.line,
                port: self.folder.join(format!("station-{number}")),
            };
            spec.id = match known.iter().find(|station| station.name == name) {
                Some(station) => station.id,
                None => server.make_station(&name, &spec, self.approach).await?,
            };
            specs.push(spec);
        }
        Ok(specs)
    }

    /// The edge of these stations: the one whose key the folder keeps if the server still has it, else a new one.
    pub async fn edge(&self, server: &Server, stations: &[StationSpec]) -> Result<EdgeKey, SimError> {
        let station_ids: Vec<i64> = stations.iter().map(|station| station.id).collect();
        let path = self.folder.join("edge-key.json");
        if let Ok(text) = fs::read_to_string(&path)
            && let Ok(key) = serde_json::from_str::<EdgeKey>(&text)
            && key.station_ids == station_ids
            && server.edges().await?.iter().any(|edge| edge.id == key.edge_id)
        {
            return Ok(key);
        }
        let made = server.make_edge(EDGE_NAME, &station_ids).await?;
        let key = EdgeKey {
            edge_id: made.id,
            station_ids,
            api_key: made.api_key,
        };
        let text = serde_json::to_string(&key).map_err(|error| SimError::Internal(error.to_string()))?;
        write_secret(&path, &text)?;
        Ok(key)
    }

    /// Writes `edge.toml` and answers its path.
    pub fn edge_toml(
        &self,
        server_url: &str,
        key: &EdgeKey,
        stations: &[StationSpec],
        board: SocketAddr,
    ) -> Result<PathBuf, SimError> {
        let path = self.folder.join("edge.toml");
        write_secret(&path, &edge_toml(&self.folder, server_url, key, stations, board))?;
        Ok(path)
    }
}

fn edge_toml(folder: &Path, server_url: &str, key: &EdgeKey, stations: &[StationSpec], board: SocketAddr) -> String {
    let link = server_url.replacen("http", "ws", 1);
    let head = format!(
        "# Written by weighbridge-sim, and written anew at its next start.\n\
         data_dir = \"{}\"\n\n[server]\nurl = \"{link}/api/v1/edge/link\"\napi_key = \"{}\"\n",
        folder.join("edge").display(),
        key.api_key,
    );
    let station = |station: &StationSpec| {
        format!(
            "\n[[station]]\nid = {}\nport = \"serial://{}?9600-8N1\"\nprotocol = \"{}\"\n{}",
            station.id,
            station.port.display(),
            station.format,
            options(station.rate_hz),
        )
    };
    let lines: Vec<String> = stations.iter().map(|station| station.id.to_string()).collect();
    let board = format!(
        "\n[[board]]\nid = \"gate\"\naddress = \"tcp://{board}\"\nprotocol = \"plain\"\nstations = [{}]\n",
        lines.join(", "),
    );
    let stations: String = stations.iter().map(station).collect();
    head + &stations + &board
}

/// A yard faster than life settles faster too, and its next truck follows within a reading or two.
const fn options(rate_hz: u32) -> &'static str {
    if rate_hz <= 10 {
        ""
    } else {
        "[station.options]\ndwell_ms = 200\nleave_ms = 0\n"
    }
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> Result<(), SimError> {
    let cannot = |source| SimError::file("write", path, source);
    let mut file = fs::File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_told_its_stations_in_the_order_of_the_boards_lines() {
        let station = |id, format| StationSpec {
            id,
            format,
            calibration: Calibration::default(),
            rate_hz: 10,
            line: Line::default(),
            port: format!("/run/yard/station-{id}").into(),
        };
        let key = EdgeKey {
            edge_id: 1,
            station_ids: vec![4, 9],
            api_key: "k".to_owned(),
        };
        let stations = [station(4, Format::Cas22), station(9, Format::MtContinuous)];
        let board = SocketAddr::from(([127, 0, 0, 1], 5000));
        let toml = edge_toml(Path::new("/run/yard"), "http://127.0.0.1:8080", &key, &stations, board);
        let expected = "\
data_dir = \"/run/yard/edge\"

[server]
url = \"ws://127.0.0.1:8080/api/v1/edge/link\"
api_key = \"k\"

[[station]]
id = 4
port = \"serial:///run/yard/station-4?9600-8N1\"
protocol = \"cas22\"

[[station]]
id = 9
port = \"serial:///run/yard/station-9?9600-8N1\"
protocol = \"mt_continuous\"

[[board]]
id = \"gate\"
address = \"tcp://127.0.0.1:5000\"
protocol = \"plain\"
stations = [4, 9]
";
        assert_eq!(toml.split_once('\n').unwrap().1, expected);
    }
}
