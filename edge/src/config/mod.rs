//! `edge.toml`: read, judged as a whole, and turned into values that need no second look.
//!
//! - [`address`]: hosts, ports and the link's URL
//! - [`board`]: display boards, each with its declaration
//! - [`choices`]: what `--set` and `[station.options]` take
//! - `places`: no port is read by two stations
//! - [`problem`]: how a mistake is said
//! - [`protocol`]: how indicators speak, by id or by a file of the site
//! - [`signal`]: lamps and barriers

pub mod address;
pub mod board;
pub mod choices;
mod file;
mod places;
mod problem;
mod protocol;
pub mod signal;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use secrecy::{ExposeSecret, SecretString};
use weighbridge_protocol::{
    indicators::{Options, Protocol},
    scale::CaptureSettings,
};

use crate::port::PortAddress;
pub use address::{AddressError, HostPort, LinkUrl};
pub use board::Board;
pub use choices::Choices;
pub use problem::ConfigError;
pub(crate) use problem::nearest;
pub use protocol::protocol;
pub use signal::{BarrierCoils, Signal};

/// Settings from the environment begin with this, their parts parted by two underscores; they win over the file.
pub const ENVIRONMENT: &str = "WEIGHBRIDGE_EDGE__";

/// Everything an edge is told. Built by [`Config::read`], which opens no port.
#[derive(Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub server: Server,
    pub stations: Vec<Station>,
    pub boards: Vec<Board>,
    pub signals: Vec<Signal>,
    /// Where the status page is served; none where it is off.
    pub status_page: Option<HostPort>,
}

/// Where the events go.
#[derive(Clone, Debug)]
pub struct Server {
    pub url: LinkUrl,
    pub api_key: SecretString,
    /// Certificates (PEM) to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Certificate chain and key (PEM) with which this edge shows who it is.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// A scale and the indicator on it.
#[derive(Clone, Debug)]
pub struct Station {
    pub id: i64,
    pub port: PortAddress,
    pub protocol: Arc<Protocol>,
    /// Choices that the protocol is known to have.
    pub options: Options,
    /// Where capturing starts; the server's settings override it.
    pub capture: CaptureSettings,
}

impl Config {
    /// Reads and judges a configuration, the environment included.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let refuse = |problems| ConfigError {
            file: path.to_owned(),
            problems,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(vec![format!("cannot be read: {error}")]))?;
        let file: file::File = Figment::from(Toml::string(&text))
            .merge(Env::prefixed(ENVIRONMENT).split("__"))
            .extract()
            .map_err(|errors| refuse(errors.into_iter().map(|error| problem::said_by(&error)).collect()))?;
        let mut problems = Vec::new();
        let beside = path.parent().unwrap_or(Path::new(""));
        let config = judge(file, beside, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(refuse(problems)),
        }
    }

    /// The same, with the names of hosts looked up: for who has the time.
    pub fn check(path: &Path) -> Result<Self, ConfigError> {
        let config = Self::read(path)?;
        let problems = places::each_peer_once(&config.stations);
        if problems.is_empty() {
            return Ok(config);
        }
        Err(ConfigError {
            file: path.to_owned(),
            problems,
        })
    }
}

fn judge(file: file::File, beside: &Path, problems: &mut Vec<String>) -> Option<Config> {
    if file.data_dir.as_os_str().is_empty() {
        problems.push("data_dir is \"\", expected a folder such as /var/lib/weighbridge-edge".to_owned());
    }
    let server = server(file.server, problems);
    if file.station.is_empty() {
        problems.push("no [[station]] is given, expected at least one with id, port and protocol".to_owned());
    }
    let stations: Vec<_> = file
        .station
        .into_iter()
        .enumerate()
        .filter_map(|(n, station)| self::station(n, &station, beside, problems))
        .collect();
    once(
        "station",
        "id",
        stations.iter().map(|station| station.id.to_string()),
        problems,
    );
    places::each_port_once(&stations, problems);
    let ids: Vec<i64> = stations.iter().map(|station| station.id).collect();
    let boards: Vec<_> = file
        .board
        .into_iter()
        .enumerate()
        .filter_map(|(n, board)| board::judge(n, board, &ids, beside, problems))
        .collect();
    once("board", "id", boards.iter().map(|board| board.id.clone()), problems);
    once(
        "board",
        "address",
        boards.iter().map(|board| board.address.to_string()),
        problems,
    );
    let signals: Vec<_> = file
        .signal
        .iter()
        .enumerate()
        .filter_map(|(n, signal)| signal::judge(n, signal, &ids, problems))
        .collect();
    once("signal", "id", signals.iter().map(|signal| signal.id.clone()), problems);
    let status_page = status_page(&file.status.listen, problems);
    Some(Config {
        data_dir: file.data_dir,
        server: server?,
        stations,
        boards,
        signals,
        status_page,
    })
}

/// Two members of a list may not share `key`.
fn once(list: &str, key: &str, values: impl Iterator<Item = String>, problems: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for value in values {
        if seen.contains(&value) {
            problems.push(format!("{list}: {key} {value} is given twice, expected each once"));
        }
        seen.insert(value);
    }
}

fn server(file: file::Server, problems: &mut Vec<String>) -> Option<Server> {
    let url = file
        .url
        .parse()
        .map_err(|error: AddressError| problems.push(format!("server.url is {:?}, {error}", file.url)))
        .ok();
    let api_key = api_key(file.api_key, file.api_key_file.as_deref())
        .map_err(|problem| problems.push(problem))
        .ok();
    let client = match (file.client_cert, file.client_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            problems.push("server.client_key is missing, expected the key of server.client_cert".to_owned());
            None
        }
        (None, Some(_)) => {
            problems.push("server.client_cert is missing, expected the certificate of server.client_key".to_owned());
            None
        }
    };
    let named = [
        ("ca_file", &file.ca_file),
        (
            "client_cert",
            &client.as_ref().map(|(certificate, _)| certificate.clone()),
        ),
        ("client_key", &client.as_ref().map(|(_, key)| key.clone())),
    ];
    for (key, path) in named {
        if let Some(path) = path
            && let Err(error) = std::fs::File::open(path)
        {
            problems.push(format!(
                "server.{key} is \"{}\", expected a readable PEM file: {error}",
                path.display()
            ));
        }
    }
    Some(Server {
        url: url?,
        api_key: api_key?,
        ca_file: file.ca_file,
        client,
    })
}

/// The key from the configuration (or the environment) or from a file of its own, never from both.
fn api_key(key: Option<SecretString>, file: Option<&Path>) -> Result<SecretString, String> {
    let key = match (key, file) {
        (Some(_), Some(_)) => {
            return Err("server.api_key and server.api_key_file are both given, expected one of them".to_owned());
        }
        (Some(key), None) => key,
        (None, Some(path)) => std::fs::read_to_string(path)
            .map(|text| SecretString::from(text.trim().to_owned()))
            .map_err(|error| {
                format!(
                    "server.api_key_file is \"{}\", expected a readable file: {error}",
                    path.display()
                )
            })?,
        (None, None) => {
            return Err(format!(
                "server.api_key is missing, expected api_key, api_key_file or {ENVIRONMENT}SERVER__API_KEY"
            ));
        }
    };
    let text = key.expose_secret();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("server.api_key is empty or has blanks or control characters, expected the key as \"weighbridge edge create\" printed it".to_owned());
    }
    Ok(key)
}

fn status_page(listen: &str, problems: &mut Vec<String>) -> Option<HostPort> {
    if listen.is_empty() {
        return None;
    }
    let address = listen.parse();
    address
        .map_err(|_: AddressError| {
            problems.push(format!(
                "status.listen is {listen:?}, expected an address such as 127.0.0.1:8790, or \"\""
            ));
        })
        .ok()
}

fn station(n: usize, file: &file::Station, beside: &Path, problems: &mut Vec<String>) -> Option<Station> {
    let mut wrong = |problem: String| problems.push(format!("station[{n}].{problem}"));
    if file.id < 1 {
        wrong(format!("id is {}, expected a number from 1 on", file.id));
    }
    let port = file
        .port
        .parse()
        .map_err(|error| wrong(format!("port is {:?}, {error}", file.port)))
        .ok();
    let protocol = protocol(&file.protocol, beside)
        .map_err(|error| wrong(format!("protocol: {error}")))
        .ok();
    let mut choices = Choices::default();
    for (key, value) in &file.options {
        if let Err(problem) = choices.set(key, &value.to_string()) {
            wrong(format!("options: {problem}"));
        }
    }
    let capture = choices
        .capture_settings()
        .map_err(|problem| wrong(format!("options: {problem}")))
        .ok();
    if let Some(Err(problem)) = protocol.as_ref().map(|protocol| choices.decoder(protocol)) {
        wrong(format!("options: {problem}"));
    }
    let (port, protocol) = (port?, protocol?);
    let port = choices
        .carried_by(port, &protocol)
        .map_err(|problem| wrong(format!("options: {problem}")))
        .ok();
    Some(Station {
        id: file.id,
        port: port?,
        protocol,
        options: choices.options,
        capture: capture?,
    })
}
