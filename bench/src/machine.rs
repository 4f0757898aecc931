//! The machine and the build that figures belong to: without them they say nothing.

use std::{
    fs::{self, File},
    io::{self, Seek, Write},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chrono::Local;
use serde::Serialize;
use weighbridge_sim::run::Programs;

use crate::times::Times;

/// The head of every report.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub date: String,
    pub cores: usize,
    pub cpu: String,
    pub kernel: String,
    /// As the server under test found it; none where none was started.
    pub postgresql: Option<String>,
    /// Median of writing a page and waiting until the disk has it, where the measured data lie.
    pub fsync_ms: f64,
    /// `weighbridge --version --json`.
    pub server: String,
    pub bench: String,
    /// Processes that wanted to run, in the mean of the last minute.
    pub load_before: f64,
    pub load_after: f64,
}

const PAGE: [u8; 8192] = [7; 8192];
const FSYNCS: usize = 100;

impl Machine {
    /// Looks around, and writes a few pages into `folder`.
    pub fn here(folder: &Path, programs: &Programs) -> io::Result<Self> {
        let load = load()?;
        Ok(Self {
            date: Local::now().format("%Y-%m-%d %H:%M %:z").to_string(),
            cores: std::thread::available_parallelism()?.get(),
            cpu: cpu(&fs::read_to_string("/proc/cpuinfo")?),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            postgresql: None,
            fsync_ms: fsync(folder)?.as_secs_f64() * 1000.0,
            server: version(&programs.server)?,
            bench: format!("{} ({})", env!("GIT_HASH"), env!("BUILD_PROFILE")),
            load_before: load,
            load_after: load,
        })
    }

    /// To be called when all is measured.
    pub fn note_load(&mut self) -> io::Result<()> {
        self.load_after = load()?;
        Ok(())
    }

    /// Whether something else than we wanted the cores too, before we began.
    pub fn was_busy(&self) -> bool {
        self.load_before > 0.5
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "date        {}", self.date)?;
        writeln!(
            f,
            "machine     {} cores, {}, Linux {}",
            self.cores, self.cpu, self.kernel
        )?;
        let postgresql = self.postgresql.as_deref().unwrap_or("not started");
        writeln!(f, "PostgreSQL  {postgresql}; fsync {:.2} ms", self.fsync_ms)?;
        writeln!(f, "server      {}", self.server)?;
        writeln!(f, "bench       {}", self.bench)?;
        write!(f, "load        {} before, {} after", self.load_before, self.load_after)?;
        if self.was_busy() {
            write!(
                f,
                "\n            BUSY: others wanted the cores too, so no time below is the product's alone"
            )?;
        }
        Ok(())
    }
}

fn load() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    first.ok_or_else(|| io::Error::other(format!("/proc/loadavg reads {text:?}")))
}

fn cpu(info: &str) -> String {
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}

fn fsync(folder: &Path) -> io::Result<Duration> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(FSYNCS);
    for _ in 0..FSYNCS {
        let began = Instant::now();
        file.rewind()?;
        file.write_all(&PAGE)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(Times::new(times).map_or(Duration::ZERO, |times| times.permille(500)))
}

fn version(server: &Path) -> io::Result<String> {
    let output = Command::new(server).args(["--version", "--json"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_where_the_kernel_names_it() {
        assert_eq!(
            cpu("processor\t: 0\nmodel name\t: Intel(R) N100\nmodel name\t: other\n"),
            "Intel(R) N100"
        );
        assert_eq!(cpu("processor\t: 0\n"), "unknown processor");
    }
}
