//! The one place that wires: settings in, a serving process out.
//!
//! [`Server::build`] brings the database to this version's schema, starts the actors and binds the address;
//! [`Server::run_until_stopped`] serves, and on SIGTERM stops accepting, lets what is under way finish, and leaves.

mod accounts;
mod actors;
mod database;
mod edges;
mod http;
mod reach;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use weighbridge_supervision::{Escalation, Handle, Policy, Spec, StartError, Tree};

use crate::{
    actors::{live::Lives, repository::Repository},
    clients::erp::ErpError,
    config::{ConfigError, Settings},
    db::{DbError, Runner, embedded::EmbeddedError, migrate::MigrateError},
    domain::phone_vault::{PhoneVault, VaultError},
    http::{error::ApiError, live::ByAuth, tokens::SigningError},
    keys::{KeyError, Keys},
    telemetry::{self, TelemetryError},
};

use self::actors::{Actors, Ground};

pub use accounts::{AccountError, NewAccount, add_account};
pub use database::{migrate_now, verify, with_database};
pub use edges::{EdgeError, NewEdge, add_edge};

/// Left of the time to stop in for what comes after the last request: actors, and a private PostgreSQL.
const LAST_STEPS: Duration = Duration::from_secs(2);
/// How long a goodbye may take to a socket's peer and back.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How often a stopping server looks whether requests are still under way.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that is bound and serves; it stops when it is told to, by [`Server::run_until_stopped`].
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    http: http::Running,
    lives: Lives,
    tree: Tree,
    drain: Duration,
    /// Last, so that PostgreSQL is stopped after everyone who speaks to it.
    database: database::Database,
}

/// Why a process does not come up, or ends.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A service that is configured, and cannot be used so.
    #[error("{0}")]
    Reach(String),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("the database refused to be set up")]
    Database(#[from] DbError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    Erp(#[from] ErpError),
    #[error("an actor could not be started")]
    Actor(#[from] StartError),
    #[error("cannot listen on {address}, expected a free address of this machine")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("there is no database in {}: set data_dir to the server's, or database.url", .0.display())]
    NoDatabase(PathBuf),
    #[error("{0} promises about the data are broken")]
    Broken(usize),
    #[error("the system refused a thread, signal or socket")]
    System(#[from] io::Error),
}

impl StartupError {
    /// 1 where a check found something, 64 where the operator has to change a setting, 74 where input or output failed, 70 for the rest.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Broken(_) => 1,
            Self::Config(_)
            | Self::Erp(_)
            | Self::Reach(_)
            | Self::NoDatabase(_)
            | Self::Account(_)
            | Self::Edge(_)
            | Self::Telemetry(TelemetryError::Filter { .. })
            | Self::Key(
                KeyError::TooOpen { .. } | KeyError::Malformed(_) | KeyError::Missing(_) | KeyError::DataDir { .. },
            ) => 64,
            Self::Migrate(error) => match error {
                MigrateError::TooOld { .. } | MigrateError::NewerSchema { .. } | MigrateError::Pending { .. } => 64,
                MigrateError::Unreachable { .. } | MigrateError::Refused(_) => 74,
                MigrateError::Failed(_) | MigrateError::NoRuntime(_) => 70,
            },
            Self::Embedded(error) => match error {
                EmbeddedError::InUse { .. }
                | EmbeddedError::NoBinaries { .. }
                | EmbeddedError::CannotEnter { .. }
                | EmbeddedError::NoUser => 64,
                _ => 74,
            },
            Self::Key(_) | Self::Listen { .. } | Self::Database(_) | Self::System(_) => 74,
            Self::Vault(_) | Self::Signing(_) | Self::Telemetry(_) | Self::Actor(_) => 70,
        }
    }
}

impl From<ApiError> for StartupError {
    fn from(error: ApiError) -> Self {
        Self::System(io::Error::other(error))
    }
}

impl Server {
    /// Brings everything up but the serving itself. Needs an actix system on this thread.
    pub async fn build(settings: &Settings) -> Result<Self, StartupError> {
        let keys = Keys::load_or_create(&settings.data_dir)?;
        let metrics = telemetry::metrics()?;
        let (database, pool) = database::open(settings, database::make_room(settings))?;
        let runner = Arc::new(Runner::new(pool, settings.database.query_timeout)?);
        let wait = settings.database.wait;
        database::while_away(wait, async || {
            accounts::bootstrap(&runner, settings).await?;
            database.name_site(&runner, &settings.site).await
        })
        .await?;
        let ground = database::while_away(wait, async || Ground::read(&runner).await).await?;
        let tree = Tree::new(Policy::default(), leave)?;
        let repository = start_repository(&tree, &runner)?;
        let phones = PhoneVault::new(keys.phones.iter().map(|(id, key)| (*id, *key)), keys.index)?;
        let phones = Arc::new(phones);
        let auth = http::auth(settings, &keys, &repository)?;
        let actors = Actors::start(
            &tree,
            &repository,
            ground,
            Arc::new(ByAuth(Arc::clone(&auth))),
            &phones,
            settings,
        )?;
        let lives = actors.lives.clone();
        let shared = http::shared(settings, &keys, auth, repository, actors, phones, metrics);
        let http = http::Running::bind(&settings.server, shared)?;
        Ok(Self {
            address: http.address(),
            http,
            lives,
            tree,
            drain: settings.server.drain,
            database,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on, also where the settings said 0.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Serves until SIGTERM or SIGINT, then drains. A further signal changes nothing.
    pub async fn run_until_stopped(self) -> Result<(), StartupError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        self.run_until(async move {
            tokio::select! {
                _ = Signal::recv(&mut terminate) => {}
                _ = Signal::recv(&mut interrupt) => {}
            }
        })
        .await
    }

    /// Serves until `stop` is over, then drains.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), StartupError> {
        let Self {
            mut http,
            lives,
            tree,
            drain,
            database,
            ..
        } = self;
        tokio::select! {
            () = stop => {}
            ended = http.ended() => ended?,
        }
        tracing::info!(
            "stopping: no new connections, {} requests are under way",
            http.in_flight()
        );
        let deadline = Instant::now() + drain;
        let connections = http.stop_accepting();
        lives.close_all().await;
        while http.in_flight() > 0 && Instant::now() + LAST_STEPS < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let late = tree.drain(deadline.saturating_duration_since(Instant::now())).await;
        if !late.is_empty() {
            tracing::warn!("stopped without {}, which did not finish in time", late.join(", "));
        }
        // The last words to edges are on their way; an idle client is not waited for any longer.
        if timeout(LAST_WORDS, connections).await.is_err() {
            tracing::debug!("stopped with idle connections");
        }
        drop(http);
        database.stop()?;
        tracing::info!("stopped");
        Ok(())
    }
}

fn start_repository(tree: &Tree, runner: &Arc<Runner>) -> Result<Handle<Repository>, StartError> {
    let runner = Arc::clone(runner);
    let spec = Spec::new("repository", "repository").on("repository").mailbox(4096);
    let spec = spec.followed_by(["queue-*", "live-*"]);
    tree.start(spec, move || Repository::new(Arc::clone(&runner)))
}

/// What supervision cannot mend ends the process; whoever started it starts it again.
#[expect(clippy::needless_pass_by_value, reason = "the tree hands it over")]
fn leave(why: Escalation) {
    tracing::error!("the process has to end: {why}");
    process::exit(70);
}
