//! The command line: what each command takes, and what it prints.
//!
//! - `replay`: `decode` and `capture`, bytes in and JSON lines out
//! - `show`: `status`, `protocols` and `--version`
//! - `tools`: `detect`, `monitor` and `learn`

mod replay;
mod show;
mod tools;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Parser, Subcommand};
use weighbridge_protocol::indicators::Protocol;

use crate::{
    config::{self, Config},
    exit::Exit,
    run, telemetry,
};

/// The gateway beside the scales: reads indicators, decides when a truck has been weighed, and keeps every weighing on
/// disk until the server has it.
#[derive(Debug, Parser)]
#[command(
    name = "weighbridge-edge",
    disable_version_flag = true,
    after_help = "Start here:\n  weighbridge-edge protocols\n  weighbridge-edge detect --port /dev/ttyUSB0\n  weighbridge-edge decode --protocol cas22 captured.bin\n  \
                  weighbridge-edge check --config edge.toml\n  weighbridge-edge run --config edge.toml\n\n\
                  Exit codes: 0 clean, 1 a check found something, 64 wrong usage or configuration, 70 internal, 74 input/output."
)]
struct Cli {
    /// Prints the version.
    #[arg(long, short = 'V')]
    version: bool,
    /// With --version: as JSON, with git hash, build and SQLite's version.
    #[arg(long, requires = "version")]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Weighs: reads the ports, keeps events on disk, sends them to the server. Ends on SIGTERM or Ctrl-C.
    Run(ConfigFile),
    /// Prints a JSON object for every frame in raw bytes, and for every stretch of bytes that is none.
    ///
    /// Example: printf 'ST,GS,+0018340kg\r\n' | weighbridge-edge decode --protocol and18
    Decode(Bytes),
    /// Prints a JSON object for every event that the capture logic finds in raw bytes.
    ///
    /// Example: weighbridge-edge capture --protocol and18 --interval-ms 100 --set `dwell_ms=500` captured.bin
    Capture {
        #[command(flatten)]
        bytes: Bytes,
        /// The time between two frames.
        #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
        interval_ms: u32,
    },
    /// Finds out what an indicator speaks: listens with every line setting, asks if it is silent, tries every protocol.
    ///
    /// Example: weighbridge-edge detect --port /dev/ttyUSB0
    Detect(tools::Detect),
    /// Shows live what comes in at a port: bytes, frames, readings, the curve, rates, rejections, the capture logic.
    ///
    /// Example: weighbridge-edge monitor --port '/dev/ttyUSB0?9600-8N1' --protocol cas22
    Monitor(tools::Monitor),
    /// Proposes a declaration for an indicator that no protocol explains, from bytes and a few weights off its display.
    ///
    /// Example: weighbridge-edge learn --seen 0 --seen 18340 recording.bin > acme.toml
    Learn(tools::Learn),
    /// Judges a configuration, or a declaration of your own alone, and opens no port.
    ///
    /// Example: weighbridge-edge check --protocol acme.toml
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// A declaration to judge in its place.
        #[arg(long, value_name = "ID|FILE.toml", conflicts_with = "file")]
        protocol: Option<String>,
    },
    /// Asks the edge that runs with this configuration how it is.
    Status {
        #[command(flatten)]
        config: ConfigFile,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lists the shipped protocols, a line each.
    Protocols,
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration; `WEIGHBRIDGE_EDGE__SECTION__KEY` in the environment wins over it.
    #[arg(
        long = "config",
        value_name = "FILE",
        default_value = "/etc/weighbridge-edge/edge.toml"
    )]
    file: PathBuf,
}

#[derive(Debug, Args)]
struct Bytes {
    /// A protocol's id (`weighbridge-edge protocols` lists them), or the file of your own declaration.
    #[arg(long, value_name = "ID|FILE.toml")]
    protocol: String,
    /// A choice of the site, such as terminator=CR or unit=t; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The file with the bytes, or - for stdin.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

/// Does what the arguments say.
pub fn main() -> Result<(), Exit> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) if !help.use_stderr() => {
            print(&help.render().to_string())?;
            return Ok(());
        }
        Err(wrong) => {
            return Err(Exit::Usage(
                wrong
                    .render()
                    .to_string()
                    .trim_start_matches("error: ")
                    .trim_end()
                    .to_owned(),
            ));
        }
    };
    match cli.command {
        _ if cli.version => show::version(cli.json),
        Some(Command::Run(config)) => {
            telemetry::start_logging();
            run::run(config.read()?)
        }
        Some(Command::Decode(bytes)) => replay::decode(&bytes),
        Some(Command::Capture { bytes, interval_ms }) => replay::capture(&bytes, interval_ms),
        Some(Command::Detect(detect)) => detect.run(),
        Some(Command::Monitor(monitor)) => monitor.run(),
        Some(Command::Learn(learn)) => learn.run(),
        Some(Command::Check {
            protocol: Some(name), ..
        }) => show::declared(&*named(&name)?),
        Some(Command::Check { config, .. }) => show::checked(&config.check()?),
        Some(Command::Status { config, json }) => show::status(&config.read()?, json),
        Some(Command::Protocols) => show::protocols(),
        None => Err(Exit::Usage(
            "no command is given; see weighbridge-edge --help".to_owned(),
        )),
    }
}

impl ConfigFile {
    fn read(&self) -> Result<Config, Exit> {
        Config::read(&self.file).map_err(|error| Exit::Usage(error.to_string()))
    }

    fn check(&self) -> Result<Config, Exit> {
        Config::check(&self.file).map_err(|error| Exit::Usage(error.to_string()))
    }
}

/// The protocol that `--protocol` names, a file's path counted from where the command runs.
fn named(protocol: &str) -> Result<Arc<Protocol>, Exit> {
    config::protocol(protocol, Path::new("")).map_err(|problem| Exit::Usage(format!("--protocol: {problem}")))
}

/// Writes to stdout. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Exit> {
    is_read(text).map(|_| ())
}

/// Writes to stdout, and says whether anybody reads it still.
pub(crate) fn is_read(text: &str) -> Result<bool, Exit> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
