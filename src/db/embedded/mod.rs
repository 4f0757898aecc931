//! A private PostgreSQL under the server's data directory: made, started, started again when it dies, stopped with the
//! server, and found again after a crash of the server.
//!
//! - [`lock`]: one server a data directory
//! - [`binaries`]: which PostgreSQL of this machine
//! - [`cluster`]: its files, its owner, its password and its address
//! - [`postmaster`]: its process, started here or found running
//!
//! It listens on a socket alone, in a directory that nobody else may enter.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use tracing::{error, info, warn};

use crate::db::{
    DbError,
    blocking::{connect_within, on_own_runtime, patiently},
};
use cluster::Cluster;
use lock::DataDirLock;
use postmaster::Postmaster;

mod binaries;
mod cluster;
mod lock;
mod postmaster;

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("{} is in use by another weighbridge (process {holder}), expected one server a data_dir", path.display())]
    InUse { path: PathBuf, holder: String },
    #[error(
        "no PostgreSQL {wanted} found in {searched}: install it, for example the package postgresql, or set database.url"
    )]
    NoBinaries { wanted: String, searched: String },
    #[error("{user}, as whom PostgreSQL has to run, cannot enter {}: expected a data_dir whose parents all may enter", path.display())]
    CannotEnter { user: String, path: PathBuf },
    #[error("root cannot run PostgreSQL, and neither postgres nor nobody is a user here")]
    NoUser,
    #[error("{} is missing, expected the password of the database beside it", path.display())]
    NoPassword { path: PathBuf },
    #[error("{program} failed: {output}")]
    Failed { program: &'static str, output: String },
    #[error(
        "PostgreSQL was started but did not serve, which was given up after {} s; its logs are postgres.start.log and \
         postgres/log in {}; it said last: {last_words}",
        waited.as_secs(), data_dir.display()
    )]
    NotServing {
        data_dir: PathBuf,
        waited: Duration,
        last_words: String,
        #[source]
        source: DbError,
    },
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a thread or process could not be started")]
    Process(#[from] io::Error),
}

/// How long a started PostgreSQL may take to serve; after a crash it first replays what it had not yet written.
const SERVES_WITHIN: Duration = Duration::from_mins(1);
/// How often its process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest pause before it is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A running private PostgreSQL. Stopped by [`Embedded::stop`], or when it is dropped.
#[derive(Debug)]
pub struct Embedded {
    url: SecretString,
    adopted: bool,
    restarts: Arc<AtomicU32>,
    keeper: Option<Keeper>,
    _lock: DataDirLock,
}

/// The thread that keeps it running, and how to end that.
#[derive(Debug)]
struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<Result<(), EmbeddedError>>,
}

impl Embedded {
    /// Makes the database cluster where there is none, and starts it, or takes over one that a server which crashed has
    /// left running. Blocks until it serves.
    ///
    /// Locks `data_dir` for this process until the value is dropped. `settings` are PostgreSQL's, `name=value`.
    pub fn start(data_dir: &Path, settings: &[&str]) -> Result<Self, EmbeddedError> {
        let lock = DataDirLock::take(data_dir)?;
        let cluster = Cluster::prepare(data_dir, settings)?;
        let (postmaster, adopted) = match Postmaster::running_in(&cluster) {
            Some(running) => (running, true),
            None => (Postmaster::start(&cluster)?, false),
        };
        let (stop, stopped) = mpsc::channel();
        let restarts = Arc::new(AtomicU32::new(0));
        let (kept, counted) = (cluster.clone(), Arc::clone(&restarts));
        let thread = thread::Builder::new()
            .name("postgresql".to_owned())
            .spawn(move || keep(&kept, postmaster, &stopped, &counted))?;
        let embedded = Self {
            url: cluster.url("weighbridge"),
            adopted,
            restarts,
            keeper: Some(Keeper { stop, thread }),
            _lock: lock,
        };
        ensure_database(&cluster)?;
        info!(
            postgresql.dir = %cluster.data.display(), postgresql.adopted = adopted,
            "a private PostgreSQL serves in {}", cluster.data.display()
        );
        Ok(embedded)
    }

    /// Where to connect, password included.
    pub const fn url(&self) -> &SecretString {
        &self.url
    }

    /// Whether it was found running rather than started.
    pub const fn was_adopted(&self) -> bool {
        self.adopted
    }

    /// How often it died and was started again.
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Stops it in an orderly way; what was committed is on disk. Connections still open are broken off.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), EmbeddedError> {
        let Some(Keeper { stop, thread }) = self.keeper.take() else {
            return Ok(());
        };
        drop(stop);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that keeps PostgreSQL panicked").into()))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            error!("the private PostgreSQL was not stopped: {error}");
        }
    }
}

/// Starts PostgreSQL again whenever it has ended, until told to stop; then stops it.
fn keep(
    cluster: &Cluster,
    mut postmaster: Postmaster,
    stopped: &mpsc::Receiver<()>,
    restarts: &AtomicU32,
) -> Result<(), EmbeddedError> {
    let mut pause = LOOK_EVERY;
    loop {
        match stopped.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => (),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return stop_all(cluster, &mut postmaster),
        }
        if !postmaster.has_ended() {
            pause = LOOK_EVERY;
            continue;
        }
        restarts.fetch_add(1, Ordering::Relaxed);
        let last_words = postmaster::last_words(cluster);
        warn!("the private PostgreSQL has ended, it is started again; it said last: {last_words}");
        match Postmaster::running_in(cluster).map_or_else(|| Postmaster::start(cluster), Ok) {
            Ok(running) => postmaster = running,
            Err(error) => error!("the private PostgreSQL could not be started again: {error}"),
        }
        // One that dies at once, as while a predecessor's last process still lives, is not started in a hot loop.
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Stops ours, and whichever was faster than ours: one that a dead server had just started holds the directory before its
/// file says so.
fn stop_all(cluster: &Cluster, postmaster: &mut Postmaster) -> Result<(), EmbeddedError> {
    postmaster.stop()?;
    Postmaster::running_in(cluster).map_or(Ok(()), |mut other| other.stop())
}

/// Waits until PostgreSQL serves, and makes our database if it is not there. One that ends meanwhile, at whatever step, is
/// started again and asked anew.
fn ensure_database(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let url = cluster.url("postgres");
    let began = Instant::now();
    on_own_runtime(async || {
        let step = async || make_database(url.expose_secret()).await;
        patiently(SERVES_WITHIN, DbError::is_passing, step)
            .await
            .map_err(|source| EmbeddedError::NotServing {
                data_dir: cluster.data.with_file_name(""),
                waited: began.elapsed(),
                last_words: postmaster::last_words(cluster),
                source,
            })
    })
}

async fn make_database(url: &str) -> Result<(), DbError> {
    use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

    let mut conn = connect_within(url, Duration::ZERO).await?;
    let found = diesel::sql_query("SELECT FROM pg_database WHERE datname = 'weighbridge'")
        .execute(&mut conn)
        .await?;
    if found == 0 {
        conn.batch_execute("CREATE DATABASE weighbridge").await?;
    }
    Ok(())
}
