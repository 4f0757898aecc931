//! `weighbridge-sim indicator`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    time::sleep,
};
use weighbridge_protocol::Kilograms;
use weighbridge_sim::{
    SimError,
    chance::Chance,
    control::{Command, Control, HELP, Obeys},
    encode::Format,
    indicator::Calibration,
    station::{Station, StationSpec, line::Line},
};

const TEACH: &str = "\
Commands come line by line from standard input and from the control port; the station's number is 1:
  lay 1 18340          a weight on the deck, 0 sweeps it
  truck 1 31200        a truck of that weight drives on, and stands
  leave 1              it drives off
  garbage 1 0.2        and the other faults: `help` lists them
  pause 2.5            (standard input alone) the next line waits
So a script is a file: weighbridge-sim indicator --port /tmp/scale < morning.txt";

/// One indicator on a pty.
#[derive(Debug, clap::Args)]
#[command(after_help = TEACH)]
pub struct Args {
    /// The port's name: a symlink that is made now and removed at the end
    #[arg(long, value_name = "PATH")]
    port: PathBuf,
    /// See `weighbridge-sim protocols`
    #[arg(long, default_value = "cas22")]
    protocol: Format,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate_hz: u32,
    /// Bits a second; 0 sends each frame at once
    #[arg(long, default_value_t = 9600)]
    baud: u32,
    /// The division d, in kilograms
    #[arg(long, default_value = "20")]
    division: Kilograms,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than life trucks drive (0.1 to 100)
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    control: SocketAddr,
}

struct Alone {
    station: Station,
    seed: u64,
    speed: f64,
}

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let spec = StationSpec {
            id: 1,
            format: self.protocol,
            calibration: Calibration {
                division: self.division,
                ..Calibration::default()
            },
            rate_hz: self.rate_hz,
            line: Line {
                baud: (self.baud > 0).then_some(self.baud),
            },
            port: self.port,
        };
        let station = Station::start(spec, Chance::of_seed(self.seed))?;
        let alone = Arc::new(Alone {
            station,
            seed: self.seed,
            speed: self.speed.clamp(0.1, 100.0),
        });
        let control = Control::start(self.control, Arc::clone(&alone)).await?;
        println!("READY pid={} addr={}", std::process::id(), control.address());
        tokio::select! {
            () = follow_script(&alone) => {}
            () = stopped => {}
        }
        Ok(())
    }
}

/// Does what standard input says; after its end the indicator goes on.
async fn follow_script(alone: &Alone) {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let pause = line
            .trim()
            .strip_prefix("pause ")
            .and_then(|seconds| seconds.trim().parse().ok());
        if let Some(pause) = pause.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            sleep(pause).await;
            continue;
        }
        let answer = match Command::parse(&line) {
            Ok(None) => continue,
            Ok(Some(command)) => alone.obey(&command),
            Err(error) => Err(error),
        };
        match answer {
            Ok(said) if said.is_empty() => {}
            Ok(said) => println!("{said}"),
            Err(error) => eprintln!("weighbridge-sim: {error}"),
        }
    }
    std::future::pending::<()>().await;
}

impl Obeys for Alone {
    fn obey(&self, command: &Command) -> Result<String, SimError> {
        match command {
            Command::Help => return Ok(HELP.to_owned()),
            Command::Stations => {
                let shown = *self.station.shown().borrow();
                return Ok(format!(
                    "1 {} kg {}",
                    shown.weight,
                    if shown.stable { "stable" } else { "moving" }
                ));
            }
            Command::Fault(None | Some(1), fault) => self.station.change(*fault),
            Command::Lay(1, weight) => self.station.lay(*weight),
            Command::Truck(1, weight) => self.station.drive_on(*weight, self.speed, Chance::of_seed(self.seed))?,
            Command::Leave(1) => self.station.drive_off(),
            Command::Board(_) => {
                return Err(SimError::Usage(
                    "this is an indicator alone, without a board".to_owned(),
                ));
            }
            Command::Fail(..) | Command::FailNoMore => {
                return Err(SimError::Usage(
                    "this is an indicator, expected a command for stations".to_owned(),
                ));
            }
            Command::Fault(Some(other), _)
            | Command::Lay(other, _)
            | Command::Truck(other, _)
            | Command::Leave(other) => {
                return Err(SimError::Usage(format!("there is no station {other}, expected 1")));
            }
        }
        Ok(String::new())
    }
}
