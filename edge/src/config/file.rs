//! The shape of `edge.toml`, before any value is judged.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub data_dir: PathBuf,
    pub server: Server,
    #[serde(default)]
    pub status: StatusPage,
    #[serde(default)]
    pub station: Vec<Station>,
    #[serde(default)]
    pub board: Vec<Board>,
    #[serde(default)]
    pub signal: Vec<Signal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub url: String,
    pub api_key: Option<SecretString>,
    pub api_key_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusPage {
    /// Off where empty.
    #[serde(default)]
    pub listen: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Station {
    pub id: i64,
    pub port: String,
    pub protocol: String,
    #[serde(default)]
    pub options: BTreeMap<String, Plain>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Board {
    pub id: String,
    pub address: String,
    pub protocol: String,
    pub stations: Option<Vec<i64>>,
    pub language: Option<String>,
    #[serde(default)]
    pub options: BTreeMap<String, Plain>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signal {
    pub id: String,
    pub station: i64,
    pub address: String,
    #[serde(default = "one")]
    pub unit: u8,
    /// Whether the numbers below begin at 0 or at 1.
    #[serde(default)]
    pub count_from: u16,
    pub red: u16,
    pub green: u16,
    pub alone_after_ms: Option<u64>,
    pub barrier: Option<Barrier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Barrier {
    pub open: u16,
    pub close: Option<u16>,
    pub occupied: Option<u16>,
    pub pulse_ms: Option<u64>,
}

const fn one() -> u8 {
    1
}

/// An option's value; `--set` writes the same as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Plain {
    Flag(bool),
    Whole(i64),
    Fraction(f64),
    Text(String),
}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Whole(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}
