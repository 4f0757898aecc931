//! `weighbridge-sim day`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use tokio::time::Instant;
use weighbridge_sim::{
    SimError,
    day::{
        Plan,
        plan::{DaySpec, HABITS},
    },
    encode::Format,
    run::{Programs, Run, Shows, folder},
    site::SiteSpec,
    terminal::say,
};

/// Plays a whole working day in minutes, from check-in to the ERP: three stations, trucks in one pass and in two, drivers
/// who miss their call or give up, stations that are closed for a while. When the last truck has gone, everything must
/// agree: what stood on the decks, what the server has, what the ERP and the phones got.
///
/// The same seed is the same day. Exit code 1 where something does not agree; the folder is kept then.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=9000))]
    trucks: u32,
    /// For how long trucks come, in hours of the day
    #[arg(long, default_value_t = 8.0)]
    hours: f64,
    /// How many times faster than life (1 to 100)
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// A new folder, removed after a day without findings [default: one beside that of `run`]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const STATIONS: [Format; 3] = [Format::Cas22, Format::And18, Format::MtContinuous];
/// Frames a second: life's ten would be the slowest part of a day that runs so fast.
const RATE_HZ: u32 = 50;
/// How long a called truck may take, in life's pace, and at least in this machine's.
const CALL_DEADLINE: Duration = Duration::from_mins(5);
const LEAST_DEADLINE: Duration = Duration::from_secs(8);
const PATIENCE: Duration = Duration::from_secs(30);

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<ExitCode, SimError> {
        let within = |flag: &str, value: f64, low: f64, high: f64| {
            let refused = || SimError::Usage(format!("{flag} is {value}, expected {low} to {high}"));
            (low..=high).contains(&value).then_some(value).ok_or_else(refused)
        };
        let speed = within("--speed", self.speed, 1.0, 100.0)?;
        let plan = Plan::draw(DaySpec {
            seed: self.seed,
            trucks: self.trucks,
            stations: 3,
            lasts: Duration::from_secs_f64(within("--hours", self.hours, 0.1, 24.0)? * 3600.0),
        });
        say(&format!("a day of seed {}: {plan}", self.seed));
        let folder = new_folder(self.dir)?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let deadline = CALL_DEADLINE.div_f64(speed).max(LEAST_DEADLINE);
        let run = Run {
            programs: Programs::beside_this()?,
            site: SiteSpec {
                folder: folder.clone(),
                formats: STATIONS.to_vec(),
                rate_hz: RATE_HZ,
                haste: speed,
                seed: self.seed,
                habits: HABITS,
                traffic: plan.traffic,
                patience: PATIENCE,
                board: anywhere,
                control: anywhere,
                commands: Vec::new(),
            },
            listen: anywhere,
            settings: vec![(
                "WEIGHBRIDGE__QUEUE__CALL_DEADLINE",
                format!("{}ms", deadline.as_millis()),
            )],
            shows: Shows::Progress,
        };
        let began = Instant::now();
        let ended = run.until(stopped).await?;
        if !ended.is_day_over {
            say(&format!(
                "stopped before the day was over; its files are in {}",
                folder.display()
            ));
            return Ok(ExitCode::FAILURE);
        }
        say(&format!("{}; {:.0} s", ended.totals, began.elapsed().as_secs_f64()));
        if ended.verdict.is_some_and(|verdict| verdict.is_clean()) {
            std::fs::remove_dir_all(&folder).map_err(|source| SimError::file("remove", &folder, source))?;
            return Ok(ExitCode::SUCCESS);
        }
        say(&format!("its files are in {}", folder.display()));
        Ok(ExitCode::FAILURE)
    }
}

/// A folder that no day was in before: what is left of another would be taken for this one's.
fn new_folder(wanted: Option<PathBuf>) -> Result<PathBuf, SimError> {
    let path = wanted.unwrap_or_else(|| {
        let name = format!("weighbridge-day-{}", std::process::id());
        folder::usual().with_file_name(name)
    });
    let path = std::path::absolute(&path).map_err(|source| SimError::file("find", &path, source))?;
    if path.exists() {
        return Err(SimError::Usage(format!(
            "{} is there already, expected a new folder",
            path.display()
        )));
    }
    Ok(path)
}
