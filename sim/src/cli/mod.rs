//! The command line of `weighbridge-sim`.

mod board;
mod check;
mod day;
mod indicator;
mod lamp;
mod protocols;
mod run;
mod site;
mod stand_in;
mod yard;

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use weighbridge_sim::SimError;

const TEACH: &str = "\
Start with `weighbridge-sim run`: a whole yard on this machine, nothing else needed.

  weighbridge-sim run --speed 5 --trucks 20
  weighbridge-sim day --seed 1 --trucks 500
  weighbridge-sim yard --server http://127.0.0.1:8080 --login admin --password … --dir /tmp/yard
  weighbridge-sim indicator --port /tmp/scale --protocol cas22
  weighbridge-sim board --listen 127.0.0.1:5000 --protocol dabit
  weighbridge-sim lamp --listen 127.0.0.1:5020
  weighbridge-sim erp --listen 127.0.0.1:5300 --fail lost-answer=0.3
  weighbridge-sim fcm --listen 127.0.0.1:5100 --credentials /tmp/fcm.json --fail unavailable=0.3
  weighbridge-sim check --truth /tmp/yard/truth.jsonl --database-url postgres://…

Faults come from the control port, whose address stands in the READY line:
  printf 'unplug 1\\n' | nc 127.0.0.1 PORT        `help` lists them all

Exit codes: 0 clean, 1 check found something, 64 wrong usage, 70 internal, 74 input or output.";

/// A yard to try things in: trucks, indicators on ptys, display boards, and the services of others.
#[derive(Debug, Parser)]
#[command(name = "weighbridge-sim", version, after_help = TEACH)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A whole yard on this machine: server with its own PostgreSQL, edge, scales, trucks
    Run(run::Args),
    /// A whole working day in minutes, from check-in to the ERP, and whether everything agrees
    Day(day::Args),
    /// Scales and trucks for a server that runs already; writes an edge.toml
    Yard(yard::Args),
    /// One indicator on a pty, told what to show line by line
    Indicator(indicator::Args),
    /// One display board that prints what it shows
    Board(board::Args),
    /// One Modbus TCP unit with coils for lamps and a barrier, that prints what they are
    Lamp(lamp::Args),
    /// A customer's ERP
    Erp(stand_in::ErpArgs),
    /// Firebase Cloud Messaging, as far as a sender can tell
    Fcm(stand_in::FcmArgs),
    /// SOLAPI and NAVER Cloud SENS, as far as a sender can tell
    Sms(stand_in::SmsArgs),
    /// A mail server
    Smtp(stand_in::SmtpArgs),
    /// Compare a yard's record of the truth with what the server has
    Check(check::Args),
    /// The protocols that the indicators speak
    Protocols,
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Where even that cannot be printed, the exit code still tells.
            drop(error.print());
            return ExitCode::from(if is_answer { 0 } else { 64 });
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match work(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weighbridge-sim: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn work(command: Command) -> Result<ExitCode, SimError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| SimError::Io {
        action: "start the runtime".to_owned(),
        source,
    })?;
    runtime.block_on(async {
        match command {
            Command::Run(args) => args.run(stopped()?).await?,
            Command::Day(args) => return args.run(stopped()?).await,
            Command::Yard(args) => args.run(stopped()?).await?,
            Command::Indicator(args) => args.run(stopped()?).await?,
            Command::Board(args) => args.run(stopped()?).await?,
            Command::Lamp(args) => args.run(stopped()?).await?,
            Command::Erp(args) => args.run(stopped()?).await?,
            Command::Fcm(args) => args.run(stopped()?).await?,
            Command::Sms(args) => args.run(stopped()?).await?,
            Command::Smtp(args) => args.run(stopped()?).await?,
            Command::Check(args) => return args.run().await,
            Command::Protocols => protocols::print(),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Ends at Ctrl-C, and when the process is asked to end.
fn stopped() -> Result<impl Future<Output = ()>, SimError> {
    let listen = |kind| {
        signal(kind).map_err(|source| SimError::Io {
            action: "listen for signals".to_owned(),
            source,
        })
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hang_up = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
