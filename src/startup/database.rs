//! Which database, and that it is at this version's schema.

use std::time::Duration;

use chrono::Utc;
use secrecy::SecretString;

use super::StartupError;
use crate::{
    config::{Settings, SiteSettings},
    db::{
        Pool, Query, Runner,
        blocking::patiently,
        embedded::{Embedded, EmbeddedError},
        identity::OnRestore,
        migrate::{self, Migrated},
        pool::PoolSettings,
        restored::MakeRoom,
        site::NameFirstSite,
        verify::{Checked, Verify},
    },
    domain::slip::room,
};

/// The database of a running server.
#[derive(Debug)]
pub(super) struct Database {
    embedded: Option<Embedded>,
    fresh: bool,
}

/// Starts or finds the database, and migrates it. Blocks.
pub(super) fn open(settings: &Settings, on_restore: OnRestore) -> Result<(Database, Pool), StartupError> {
    let (embedded, url) = reach(settings)?;
    let wait = settings.database.wait;
    let fresh = if embedded.is_some() || settings.database.migrate_on_start {
        migrated(&url, wait)?.fresh
    } else {
        migrate::check(&url, wait)?;
        false
    };
    let pool = PoolSettings {
        size: settings.database.pool,
        ..PoolSettings::default()
    };
    let pool = Pool::new(&url, pool, on_restore)?;
    Ok((Database { embedded, fresh }, pool))
}

/// What a server does when the database turns out to be an older one than served last.
pub(super) fn make_room(settings: &Settings) -> OnRestore {
    let jump = i32::try_from(settings.slip.restore_jump).unwrap_or(i32::MAX);
    OnRestore::run(move |restored| {
        let timelines = restored.now.timeline.saturating_sub(restored.before.timeline);
        let jump = room(jump, timelines);
        tracing::error!("the database was restored or promoted: {restored:?}; slip numbers jump by {jump}");
        MakeRoom { jump, now: Utc::now() }
    })
}

/// Brings the database of the settings to this version's schema, and leaves it so. Blocks.
pub fn migrate_now(settings: &Settings) -> Result<Migrated, StartupError> {
    let (embedded, url) = reach(settings)?;
    let done = migrated(&url, settings.database.wait)?;
    if let Some(embedded) = embedded {
        embedded.stop()?;
    }
    Ok(done)
}

/// Checks every promise about the data, also beside a server that runs. Blocks.
pub fn verify(settings: &Settings) -> Result<Vec<Checked>, StartupError> {
    // A check makes nothing, least of all a database of which every promise would hold.
    if settings.database.url.is_none() && !settings.data_dir.join("postgres").is_dir() {
        return Err(StartupError::NoDatabase(settings.data_dir.clone()));
    }
    let (embedded, url) = reach_or_join(settings)?;
    // Promises of another schema than this version's are not ours to check.
    migrate::check(&url, settings.database.wait)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checked = runtime.block_on(async {
        let pool = Pool::new(&url, PoolSettings::default(), OnRestore::ignore())?;
        let mut connection = pool.get().await?;
        Verify.run(&mut connection).await
    })?;
    if let Some(embedded) = embedded {
        embedded.stop()?;
    }
    Ok(checked)
}

/// The database, or that of a server that holds the private PostgreSQL already.
fn reach_or_join(settings: &Settings) -> Result<(Option<Embedded>, SecretString), StartupError> {
    match reach(settings) {
        Err(StartupError::Embedded(EmbeddedError::InUse { .. })) => Ok((None, url_of_running(settings)?)),
        reached => reached,
    }
}

/// Where the private PostgreSQL of a server that runs is reached.
fn url_of_running(settings: &Settings) -> Result<SecretString, StartupError> {
    let url = std::fs::read_to_string(settings.data_dir.join("database.url"))?;
    Ok(url.trim().to_owned().into())
}

/// Lets `work` use the migrated database of the settings, for commands beside `serve`.
pub async fn with_database<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Runner) -> Result<T, StartupError>,
) -> Result<T, StartupError> {
    let (embedded, url) = reach_or_join(settings)?;
    if embedded.is_some() || settings.database.migrate_on_start {
        migrated(&url, settings.database.wait)?;
    } else {
        migrate::check(&url, settings.database.wait)?;
    }
    let pool = Pool::new(&url, PoolSettings::default(), OnRestore::ignore())?;
    let runner = Runner::new(pool, settings.database.query_timeout)?;
    let done = work(&runner).await?;
    drop(runner);
    if let Some(embedded) = embedded {
        embedded.stop()?;
    }
    Ok(done)
}

impl Database {
    /// Gives the site of a database that was empty the name that the settings have for it.
    pub(super) async fn name_site(&self, runner: &Runner, site: &SiteSettings) -> Result<(), StartupError> {
        if self.fresh {
            let name = NameFirstSite {
                name: site.name.clone(),
                time_zone: site.time_zone.name().to_owned(),
                slip_prefix: site.slip_prefix.clone(),
                issuer_name: site.issuer_name.clone(),
                issuer_address: site.issuer_address.clone(),
                issuer_phone: site.issuer_phone.clone(),
            };
            runner.run(name).await?;
        }
        Ok(())
    }

    /// Stops PostgreSQL where it is our own.
    pub(super) fn stop(self) -> Result<(), StartupError> {
        match self.embedded {
            Some(embedded) => Ok(embedded.stop()?),
            None => Ok(()),
        }
    }
}

/// Takes a step of a start again while the database is away, for at most `wait`.
pub(super) async fn while_away<T>(
    wait: Duration,
    step: impl AsyncFn() -> Result<T, StartupError>,
) -> Result<T, StartupError> {
    let passes = |error: &StartupError| matches!(error, StartupError::Database(error) if error.is_passing());
    patiently(wait, passes, step).await
}

fn reach(settings: &Settings) -> Result<(Option<Embedded>, SecretString), StartupError> {
    if let Some(url) = &settings.database.url {
        return Ok((None, url.clone()));
    }
    let embedded = Embedded::start(&settings.data_dir, &[])?;
    let url = embedded.url().clone();
    Ok((Some(embedded), url))
}

fn migrated(url: &SecretString, wait: Duration) -> Result<Migrated, StartupError> {
    let done = migrate::run(url, wait)?;
    if !done.applied.is_empty() {
        tracing::info!("migrated the database: {}", done.applied.join(", "));
    }
    Ok(done)
}
