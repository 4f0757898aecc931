//! `check`, `status`, `protocols` and `--version`: things that are looked up and printed.

use std::fmt::Write;

use serde_json::{Value, json};
use weighbridge_protocol::indicators::{Options, Protocol, hex};

use super::print;
use crate::{buffer, config::Config, exit::Exit, status};

pub(super) fn version(as_json: bool) -> Result<(), Exit> {
    let version = env!("CARGO_PKG_VERSION");
    if !as_json {
        return print(&format!("weighbridge-edge {version}\n"));
    }
    let facts = json!({
        "name": "weighbridge-edge",
        "version": version,
        "git_hash": env!("GIT_HASH"),
        "build": env!("BUILD_PROFILE"),
        "sqlite_version": buffer::sqlite_version(),
    });
    print(&format!("{facts}\n"))
}

pub(super) fn protocols() -> Result<(), Exit> {
    let mut text = String::new();
    for protocol in Protocol::shipped() {
        let line = protocol.line();
        writeln!(
            text,
            "{:<24} {:<10} {}",
            protocol.id(),
            line.to_string(),
            protocol.title()
        )
        .map_err(internal)?;
    }
    print(&text)
}

/// Says what a declaration that is right means.
pub(super) fn declared(protocol: &Protocol) -> Result<(), Exit> {
    let poll = protocol.poll(&Options::default()).map_err(internal)?;
    let asked = poll.map_or("speaks by itself".to_owned(), |poll| {
        let requests: Vec<String> = poll.requests.iter().map(|request| hex(request)).collect();
        format!(
            "asked with {} every {} ms",
            requests.join(", then "),
            poll.every.as_millis()
        )
    });
    let stability = if protocol.has_stable_flag() {
        "said by the frames"
    } else {
        "not said: the numbers alone tell"
    };
    let checked = if protocol.is_verified() { "verified" } else { "inferred" };
    print(&format!(
        "id         {}\ntitle      {}\nmaker      {}\nsource     {} ({checked})\nline       {}\nspeaks     {asked}\n\
         stability  {stability}\noptions    {}\nok\n",
        protocol.id(),
        protocol.title(),
        protocol.maker(),
        protocol.source(),
        protocol.line(),
        protocol.options().join(", ")
    ))
}

/// Says what a configuration that is right means; secrets are not in it.
pub(super) fn checked(config: &Config) -> Result<(), Exit> {
    let mut text = String::new();
    writeln!(text, "data_dir  {}", config.data_dir.display()).map_err(internal)?;
    writeln!(text, "server    {}", config.server.url.as_str()).map_err(internal)?;
    for station in &config.stations {
        writeln!(
            text,
            "station {} {} {}",
            station.id,
            station.port,
            station.protocol.id()
        )
        .map_err(internal)?;
    }
    for board in &config.boards {
        writeln!(
            text,
            "board {} tcp://{} {}, stations {:?}",
            board.id, board.address, board.format.declaration.id, board.stations
        )
        .map_err(internal)?;
    }
    for signal in &config.signals {
        writeln!(
            text,
            "signal {} tcp://{} unit {}, station {}, coils counted from 0: red {}, green {}",
            signal.id, signal.address, signal.unit, signal.station, signal.red, signal.green
        )
        .map_err(internal)?;
    }
    print(&format!("{text}ok\n"))
}

pub(super) fn status(config: &Config, as_json: bool) -> Result<(), Exit> {
    let text = status::ask(&config.data_dir).map_err(Exit::Io)?;
    if as_json {
        return print(&format!("{}\n", text.trim_end()));
    }
    let status: Value = serde_json::from_str(&text).map_err(internal)?;
    let Value::Object(facts) = status else {
        return Err(Exit::Internal("the status is no object".to_owned()));
    };
    let mut lines = String::new();
    for (name, value) in facts {
        match value {
            Value::Array(members) => {
                for member in members {
                    writeln!(lines, "{name:<18} {member}").map_err(internal)?;
                }
            }
            Value::String(text) => writeln!(lines, "{name:<18} {text}").map_err(internal)?,
            other => writeln!(lines, "{name:<18} {other}").map_err(internal)?,
        }
    }
    print(&lines)
}

fn internal(error: impl std::error::Error) -> Exit {
    Exit::Internal(error.to_string())
}
