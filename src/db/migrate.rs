//! Brings a database to the schema that this version was built for, or says why it cannot.

use std::{collections::BTreeSet, io, time::Duration};

use diesel::{
    QueryableByName,
    migration::{Migration, MigrationSource, MigrationVersion},
    pg::Pg,
    sql_types::Integer,
};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

use crate::db::{
    DbError,
    blocking::{connect_within, on_own_runtime, patiently},
    connect::place,
    error::is_passing,
};

/// The schema's whole history, in the binary.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The oldest PostgreSQL that has all that the schema uses.
pub const OLDEST_POSTGRESQL: i32 = 15;

/// What a migration has done.
#[derive(Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The versions applied, in order; empty where the schema was up to date.
    pub applied: Vec<String>,
    /// Whether the database was empty before.
    pub fresh: bool,
}

/// Why a database is not at this version's schema.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the database at {place} cannot be used, {} s were given to it; database.url says where it is", waited.as_secs())]
    Unreachable {
        place: String,
        waited: Duration,
        #[source]
        source: DbError,
    },
    #[error("the server is PostgreSQL {found}, expected {OLDEST_POSTGRESQL} or newer")]
    TooOld { found: i32 },
    #[error(
        "the database has migration {version}, which this version of weighbridge does not know: expected a schema up to {newest}"
    )]
    NewerSchema { version: String, newest: String },
    #[error("the database lacks migration {version}: run `weighbridge migrate`, or set database.migrate_on_start")]
    Pending { version: String },
    #[error("a migration failed and was rolled back: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database refused to be examined")]
    Refused(#[from] DbError),
    #[error("no thread or runtime for the migration")]
    NoRuntime(#[from] io::Error),
}

impl MigrateError {
    /// Whether the same may well succeed on a new connection.
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused(error) => error.is_passing(),
            // Of a migration that broke off, diesel hides what broke it; the next start goes on from there.
            Self::Failed(source) => source.downcast_ref().is_some_and(is_passing),
            _ => false,
        }
    }
}

/// Applies what is missing, each migration in a transaction of its own. Waits for the database at most `wait`.
///
/// Servers that start at the same moment take turns; one that was killed in the middle is continued by the next.
/// Blocks; may be called from anywhere.
pub fn run(url: &SecretString, wait: Duration) -> Result<Migrated, MigrateError> {
    on_own_runtime(async || patiently(wait, MigrateError::is_passing, async || attempt(url, wait).await).await)
}

/// Checks, without changing anything, that the database is at this version's schema.
pub fn check(url: &SecretString, wait: Duration) -> Result<(), MigrateError> {
    let step = async || {
        let mut harness = AsyncMigrationHarness::new(examined(url, wait).await?);
        let known = known()?;
        let applied = applied(&mut harness)?;
        refuse_newer(&known, &applied)?;
        match known.difference(&applied).next() {
            Some(version) => Err(MigrateError::Pending {
                version: version.clone(),
            }),
            None => Ok(()),
        }
    };
    on_own_runtime(async || patiently(wait, MigrateError::is_passing, step).await)
}

async fn attempt(url: &SecretString, wait: Duration) -> Result<Migrated, MigrateError> {
    let mut conn = examined(url, wait).await?;
    take_turn(&mut conn).await?;
    let mut harness = AsyncMigrationHarness::new(conn);
    let known = known()?;
    let applied = applied(&mut harness)?;
    refuse_newer(&known, &applied)?;
    let done = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(MigrateError::Failed)?;
    Ok(Migrated {
        applied: done.iter().map(ToString::to_string).collect(),
        fresh: applied.is_empty(),
    })
}

/// A connection to a server that is new enough.
async fn examined(url: &SecretString, wait: Duration) -> Result<AsyncPgConnection, MigrateError> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Integer)]
        major: i32,
    }

    let reached = connect_within(url.expose_secret(), wait).await;
    let mut conn = reached.map_err(|source| MigrateError::Unreachable {
        place: place(url.expose_secret()),
        waited: wait,
        source,
    })?;
    let Version { major: found } =
        diesel::sql_query("SELECT current_setting('server_version_num')::integer / 10000 AS major")
            .get_result(&mut conn)
            .await
            .map_err(DbError::from)?;
    if found < OLDEST_POSTGRESQL {
        return Err(MigrateError::TooOld { found });
    }
    Ok(conn)
}

/// Waits until no other server migrates; the lock ends with the connection. Its number is arbitrary, and ours.
async fn take_turn(conn: &mut AsyncPgConnection) -> Result<(), DbError> {
    conn.batch_execute("SELECT pg_advisory_lock(7310426858123)").await?;
    Ok(())
}

fn known() -> Result<BTreeSet<String>, MigrateError> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(MigrateError::Failed)?;
    Ok(migrations
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

fn applied(harness: &mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<BTreeSet<String>, MigrateError> {
    let applied: Vec<MigrationVersion<'_>> = harness.applied_migrations().map_err(MigrateError::Failed)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

fn refuse_newer(known: &BTreeSet<String>, applied: &BTreeSet<String>) -> Result<(), MigrateError> {
    match applied.difference(known).last() {
        Some(version) => Err(MigrateError::NewerSchema {
            version: version.clone(),
            newest: known.last().cloned().unwrap_or_default(),
        }),
        None => Ok(()),
    }
}
