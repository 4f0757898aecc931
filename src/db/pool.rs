//! Connections to the database: how each is set up, checked, shared and given back.

use std::{fmt, sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, PoolError as ManagerError, RecyclingMethod,
        deadpool::{self, PoolError},
    },
};
use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::db::{
    DbError, Unavailable,
    connect::establish,
    identity::{self, OnRestore},
};

/// How many connections, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    pub size: usize,
    /// How long a query waits for a free connection before it is refused.
    pub wait: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            size: 20,
            wait: Duration::from_millis(1500),
        }
    }
}

/// A connection on loan; it goes back when it is dropped.
pub type Connection = deadpool::Object<AsyncPgConnection>;

/// How long one connection may take to be made and checked.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// What holds for every connection. The first three keep one stuck client from holding up all others; untranslated
/// messages are what errors are told apart by, and only a superuser may ask for them. Compiling a query by JIT takes longer
/// than any of ours runs.
const SESSION: &str = "
    SET statement_timeout = '10s';
    SET lock_timeout = '3s';
    SET idle_in_transaction_session_timeout = '15s';
    SET jit = off;
    SET application_name = 'weighbridge';
    SET timezone = 'UTC';
    DO $$ BEGIN
        PERFORM set_config('lc_messages', 'C', false);
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END $$";

/// The connections of one server to its database.
#[derive(Clone)]
pub struct Pool {
    pool: deadpool::Pool<AsyncPgConnection>,
    wait: Duration,
}

impl Pool {
    /// Makes no connection yet. Each one is checked, before it serves, for being of the database that served last.
    pub fn new(url: &SecretString, settings: PoolSettings, on_restore: OnRestore) -> Result<Self, DbError> {
        let on_restore = Arc::new(on_restore);
        let mut config = ManagerConfig::default();
        // A connection whose server is gone is known to be closed without asking it.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |url| {
            let on_restore = Arc::clone(&on_restore);
            async move { connect(url, &on_restore).await }.boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(url.expose_secret(), config);
        let pool = deadpool::Pool::builder(manager)
            .max_size(settings.size)
            .build()
            .map_err(|error| Unavailable::briefly(&error))?;
        Ok(Self {
            pool,
            wait: settings.wait,
        })
    }

    /// A connection, at once or when one is given back within the pool's patience.
    pub async fn get(&self) -> Result<Connection, DbError> {
        match timeout(self.wait.max(CONNECT_WITHIN), self.free()).await {
            Ok(connection) => connection,
            Err(_) => Err(Unavailable::briefly(&"no connection came in time").into()),
        }
    }

    async fn free(&self) -> Result<Connection, DbError> {
        // A full pool is waited for less patiently than a connection that is being made.
        let status = self.pool.status();
        if status.available == 0 && status.size >= status.max_size {
            return match timeout(self.wait, self.pool.get()).await {
                Ok(connection) => connection.map_err(unavailable),
                Err(_) => Err(Unavailable::briefly(&"all connections are in use").into()),
            };
        }
        self.pool.get().await.map_err(unavailable)
    }

    /// How many connections there are, how many of them are free, and how many queries wait for one.
    pub fn usage(&self) -> Usage {
        let status = self.pool.status();
        Usage {
            open: status.size,
            free: status.available,
            waiting: status.waiting,
        }
    }

    /// Closes every connection that is free, the others as they come back.
    pub fn close(&self) {
        self.pool.close();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

/// How a pool is used at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub open: usize,
    pub free: usize,
    pub waiting: usize,
}

async fn connect(url: &str, on_restore: &OnRestore) -> ConnectionResult<AsyncPgConnection> {
    let made = timeout(CONNECT_WITHIN, async {
        let mut conn = establish(url).await?;
        conn.batch_execute(SESSION)
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        identity::check(&mut conn, on_restore)
            .await
            .map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
        Ok(conn)
    });
    made.await
        .unwrap_or_else(|_| Err(ConnectionError::BadConnection("it did not answer in time".to_owned())))
}

fn unavailable(error: PoolError) -> DbError {
    match error {
        PoolError::Backend(ManagerError::QueryError(error)) => error.into(),
        PoolError::Backend(ManagerError::ConnectionError(error)) => Unavailable::briefly(&error).into(),
        error => Unavailable::briefly(&error).into(),
    }
}
