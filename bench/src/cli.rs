//! The command line of `weighbridge-bench`.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, error::ErrorKind};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use weighbridge_bench::{
    backlog, day, decode, exit_code,
    figures::Measurement,
    latency::{self, Extent, calls},
    machine::Machine,
    stage::Stage,
    weighing,
};
use weighbridge_sim::run::folder;

const TEACH: &str = "\
Start with `weighbridge-bench all`, or `make bench`, which builds the release binaries before. Nothing else is needed: the
bench starts `weighbridge serve` with its private PostgreSQL, `weighbridge-edge` and `weighbridge-sim`, which lie beside it, in a folder of its
own, and ends and removes all of it, also on Ctrl-C.

  weighbridge-bench all --json bench.json
  weighbridge-bench latency --seconds 60 --trucks 100
  weighbridge-bench calls --calls 200
  weighbridge-bench decode
  weighbridge-bench day --days 50

The head of the table says on which machine and build the figures were taken, and whether it was busy: then they are
too bad. What each figure is, and how to read it, stands in docs/benchmarks.md.

Exit codes: 0 all was measured (a missed target is no failure), 1 something was lost, came too late or was interrupted,
64 wrong usage, 70 internal, 74 input or output.";

/// Measures what the product claims, on this machine.
#[derive(Debug, Parser)]
#[command(name = "weighbridge-bench", version = VERSION, after_help = TEACH)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Write the report as JSON too
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the server's data lie while it is measured, removed again at the end
    /// [default: /var/lib/weighbridge-bench as root, else ~/.local/share/weighbridge-bench]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("GIT_HASH"), ")");

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything below but `day`
    All(AllArgs),
    /// From an indicator's cable to a screen, and from a settled truck to its weighing on a screen
    Latency(LatencyArgs),
    /// From a driver's call to a screen, to the board and to FCM, and pushes a second
    Calls(CallsArgs),
    /// Weighings a second, and what one costs
    Weighing(WeighingArgs),
    /// Events a second from an edge that was cut off
    Backlog(BacklogArgs),
    /// Frames a second in every protocol, and the capture logic, without a server
    Decode,
    /// How well drivers are told how long they will wait, on simulated days, without a server
    Day(DayArgs),
}

#[derive(Debug, Args)]
struct AllArgs {
    #[command(flatten)]
    latency: LatencyArgs,
    #[command(flatten)]
    calls: CallsArgs,
    #[command(flatten)]
    weighing: WeighingArgs,
    #[command(flatten)]
    backlog: BacklogArgs,
}

#[derive(Clone, Copy, Debug, Args)]
struct LatencyArgs {
    /// How long weights are watched
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many trucks are weighed, one after the other
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    trucks: u32,
}

#[derive(Clone, Copy, Debug, Args)]
struct CallsArgs {
    /// How many drivers are called, one after the other
    #[arg(long, default_value_t = 120, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    calls: u32,
    /// How many pushes are sent over one connection
    #[arg(long, default_value_t = 5000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pushes: u32,
}

#[derive(Clone, Copy, Debug, Args)]
struct WeighingArgs {
    /// The least number of weighings, with one edge and with several
    #[arg(long, default_value_t = 4000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    weighings: u32,
}

#[derive(Clone, Copy, Debug, Args)]
struct BacklogArgs {
    /// How many events the edges have kept
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    events: u32,
    /// How many events the file of a real edge holds that catches up
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    file: u32,
}

#[derive(Clone, Copy, Debug, Args)]
struct DayArgs {
    /// The same seed is the same days
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many days are played
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    days: u32,
    /// How many trucks come each day, a third of them twice
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
    trucks: u32,
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    measurements: Vec<Measurement>,
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
    match work(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("weighbridge-bench: interrupted; nothing of it is left running");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("weighbridge-bench: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Says whether it came to its end.
fn work(cli: &Cli) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let stopped = stopped()?;
        let dir = cli.dir.clone();
        let mut stage = Stage::open(&dir.unwrap_or_else(usual_dir)).await?;
        let measured = tokio::select! {
            measured = report(cli, &mut stage) => Some(measured),
            () = stopped => None,
        };
        match measured {
            Some(Err(error)) => {
                let logs = stage.path().display().to_string();
                stage.strike().await?;
                Err(error.context(format!("the programs' logs are in {logs}")))
            }
            measured => stage.clear().await.map(|()| measured.is_some()),
        }
    })
}

async fn report(cli: &Cli, stage: &mut Stage) -> anyhow::Result<()> {
    let mut machine = Machine::here(stage.path(), &stage.programs)?;
    let measurements = measure(&cli.command, stage).await?;
    machine.postgresql.clone_from(&stage.postgresql);
    machine.note_load()?;
    println!("{machine}");
    for measurement in &measurements {
        print!("{measurement}");
    }
    if let Some(path) = &cli.json {
        let report = Report { machine, measurements };
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

async fn measure(command: &Command, stage: &mut Stage) -> anyhow::Result<Vec<Measurement>> {
    match command {
        Command::Latency(args) => latency::measure(stage, args.extent()).await,
        Command::Calls(args) => calls::measure(stage, args.extent()).await,
        Command::Weighing(args) => weighing::measure(stage, args.weighings.try_into()?).await,
        Command::Backlog(args) => backlogs(stage, args).await,
        Command::Decode => decode::measure(true),
        Command::Day(args) => Ok(day::measure(args.spec())),
        Command::All(args) => {
            let mut all = latency::measure(stage, args.latency.extent()).await?;
            all.extend(calls::measure(stage, args.calls.extent()).await?);
            all.extend(weighing::measure(stage, args.weighing.weighings.try_into()?).await?);
            all.extend(backlogs(stage, &args.backlog).await?);
            all.extend(decode::measure(false)?);
            Ok(all)
        }
    }
}

impl DayArgs {
    const fn spec(self) -> day::DaySpec {
        day::DaySpec {
            seed: self.seed,
            days: self.days,
            trucks: self.trucks,
        }
    }
}

async fn backlogs(stage: &mut Stage, args: &BacklogArgs) -> anyhow::Result<Vec<Measurement>> {
    let mut all = backlog::measure(stage, args.events.try_into()?).await?;
    all.push(latency::catching_up::measure(stage, args.file.try_into()?).await?);
    Ok(all)
}

impl CallsArgs {
    const fn extent(self) -> calls::Extent {
        calls::Extent {
            calls: self.calls,
            pushes: self.pushes,
        }
    }
}

impl LatencyArgs {
    const fn extent(self) -> Extent {
        Extent {
            seconds: self.seconds,
            trucks: self.trucks,
        }
    }
}

/// Beside the simulator's folder, and for the same reason: PostgreSQL's unprivileged user must be able to enter it.
fn usual_dir() -> PathBuf {
    folder::usual().with_file_name("weighbridge-bench")
}

/// Ends at Ctrl-C, and when the process is asked to end.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (mut terminate, mut hang_up) = (listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
