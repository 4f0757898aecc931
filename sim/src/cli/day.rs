//! `weighbridge-sim day`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use tokio::time::Instant;
use weighbridge_sim::{
    SimError,
    day::Day,
    run::{Programs, folder},
    terminal::say,
};

use super::site::within;

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
    /// For how long trucks come, in hours of the day (0.1 to 24)
    #[arg(long, default_value_t = 8.0)]
    hours: f64,
    /// How many times faster than life (1 to 100)
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// A new folder, removed after a day without findings [default: one beside that of `run`]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<ExitCode, SimError> {
        let day = Day {
            programs: Programs::beside_this()?,
            folder: new_folder(self.dir)?,
            seed: self.seed,
            trucks: self.trucks,
            lasts: Duration::from_secs_f64(within("--hours", self.hours, 0.1, 24.0)? * 3600.0),
            haste: within("--speed", self.speed, 1.0, 100.0)?,
        };
        say(&format!("a day of seed {}: {}", self.seed, day.plan()));
        let began = Instant::now();
        let ended = day.run().until(stopped).await?;
        if ended.is_day_over {
            say(&format!("{}; {:.0} s", ended.totals, began.elapsed().as_secs_f64()));
        }
        let agrees = ended.verdict.is_some_and(|verdict| verdict.is_clean());
        if ended.is_day_over && agrees {
            let gone = std::fs::remove_dir_all(&day.folder);
            gone.map_err(|source| SimError::file("remove", &day.folder, source))?;
            return Ok(ExitCode::SUCCESS);
        }
        let what = if ended.is_day_over {
            ""
        } else {
            "stopped before the day was over; "
        };
        say(&format!("{what}its files are in {}", day.folder.display()));
        Ok(ExitCode::FAILURE)
    }
}

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
