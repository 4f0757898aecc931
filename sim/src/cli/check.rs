//! `weighbridge-sim check`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use tokio::time::{Instant, sleep};
use weighbridge_protocol::Kilograms;
use weighbridge_sim::{
    SimError,
    truth::{self, ServerSide, Verdict},
};

/// Nothing lost, nothing twice, nothing altered, slips and queue numbers without gaps: prints what is not so, exit code 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The yard's history (truth.jsonl); several are read as one
    #[arg(long, required = true, value_name = "FILE")]
    truth: Vec<PathBuf>,
    /// The server's database
    #[arg(long, env = "WEIGHBRIDGE__DATABASE__URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// A file that holds that address (a private PostgreSQL writes database.url in its data directory)
    #[arg(long, value_name = "FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
    /// What an edge printed on standard output: every event that it committed must have arrived
    #[arg(long, value_name = "FILE")]
    committed: Vec<PathBuf>,
    /// How far a weight may be from the truth, in kilograms
    #[arg(long, default_value = "20", value_name = "KILOGRAMS")]
    division: Kilograms,
    /// Look again for so many seconds while something is missing, for edges that still send
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    within: u64,
}

impl Args {
    pub async fn run(self) -> Result<ExitCode, SimError> {
        let url = self.url()?;
        let until = Instant::now() + Duration::from_secs(self.within);
        loop {
            let verdict = self.compare(&url).await?;
            if verdict.is_clean() || Instant::now() >= until {
                println!("{verdict}");
                return Ok(ExitCode::from(u8::from(!verdict.is_clean())));
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn compare(&self, url: &str) -> Result<Verdict, SimError> {
        // The server first: what is captured while we read is in the truth already, since the truck drove on before.
        let server = ServerSide::read(url).await?;
        let mut stays = Vec::new();
        for path in &self.truth {
            stays.extend(truth::history::read(path)?);
        }
        let mut committed = Vec::new();
        for path in &self.committed {
            committed.extend(truth::server::committed(path)?);
        }
        Ok(truth::compare(&stays, &server, &committed, self.division))
    }

    fn url(&self) -> Result<String, SimError> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(url) => Ok(url.trim().to_owned()),
                Err(source) => Err(SimError::File {
                    action: "read",
                    path: path.clone(),
                    source,
                }),
            },
            (None, None) => Err(SimError::Usage(
                "whose database? expected --database-url or --database-url-file".to_owned(),
            )),
        }
    }
}
