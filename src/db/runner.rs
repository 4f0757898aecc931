//! Runs queries on a runtime of its own, so that whatever befalls the actors cuts no transaction in two.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt, io,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use metrics::{counter, gauge, histogram};
use parking_lot::Mutex;
use tokio::{
    runtime::{Handle as RuntimeHandle, Runtime},
    time::{sleep, timeout},
};
use tracing::{error, info};

use crate::db::{
    DbError, GroupedQuery, Pool, Query, Unavailable,
    breaker::Breaker,
    error::NO_ANSWER,
    lane::{self, Lane},
    pool::Connection,
};

/// A query that goes on for longer is broken off with its connection; the server's own limit of 10 s a statement comes first.
const LONGEST: Duration = Duration::from_secs(30);
/// So long after the last change that failed for want of room the disk counts as full.
const FULL_FOR: Duration = Duration::from_secs(30);
/// How often a database that is gone is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The database at work. Shared by every value the repository actor ever has.
pub struct Runner {
    shared: Arc<Shared>,
    lanes: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
    limit: Duration,
    /// Taken when the runner is dropped, which may happen where waiting is not allowed.
    runtime: Option<Runtime>,
}

/// What queries on their way need.
pub(super) struct Shared {
    pool: Pool,
    breaker: Breaker,
    /// When a change last failed for want of room on the database's disk.
    full_at: Mutex<Option<Instant>>,
    runtime: RuntimeHandle,
    itself: Weak<Self>,
}

impl Runner {
    /// With two threads of its own. A query is answered within `limit`, also where it goes on for longer.
    pub fn new(pool: Pool, limit: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("database")
            .enable_all()
            .build()?;
        let shared = Arc::new_cyclic(|itself| Shared {
            pool,
            breaker: Breaker::default(),
            full_at: Mutex::default(),
            runtime: runtime.handle().clone(),
            itself: Weak::clone(itself),
        });
        Ok(Self {
            shared,
            lanes: Mutex::default(),
            limit,
            runtime: Some(runtime),
        })
    }

    /// Runs one query. Its effect may come although the answer is that it took too long.
    pub async fn run<Q: Query>(&self, query: Q) -> Result<Q::Output, DbError> {
        let shared = Arc::clone(&self.shared);
        let running = self.shared.runtime.spawn(async move { shared.attempt(query).await });
        match timeout(self.limit, running).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(ended)) => Err(panicked::<Q>(&ended)),
            Err(_) => Err(too_long(self.limit)),
        }
    }

    /// Runs a query in one commit with the others of its type that wait at this moment.
    pub async fn run_grouped<Q: GroupedQuery>(&self, query: Q) -> Result<Q::Output, DbError> {
        let answer = self.lane::<Q>().join(query)?;
        match timeout(self.limit, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Unavailable::briefly(&"the server is stopping").into()),
            Err(_) => Err(too_long(self.limit)),
        }
    }

    /// Whether the database answered when it was last asked.
    pub fn is_available(&self) -> bool {
        !self.shared.breaker.is_open()
    }

    /// Whether changes failed of late because the database's disk is full; questions are answered all the same.
    pub fn is_disk_full(&self) -> bool {
        self.shared.full_at.lock().is_some_and(|at| at.elapsed() < FULL_FOR)
    }

    /// The connections that it works on.
    pub fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    fn lane<Q: GroupedQuery>(&self) -> Lane<Q> {
        let mut lanes = self.lanes.lock();
        let open = || Box::new(lane::open::<Q>(Arc::clone(&self.shared), &self.shared.runtime)) as Box<dyn Any + Send>;
        let lane = lanes.entry(TypeId::of::<Q>()).or_insert_with(open);
        match lane.downcast_ref::<Lane<Q>>() {
            Some(lane) => lane.clone(),
            None => lane::open::<Q>(Arc::clone(&self.shared), &self.shared.runtime),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.shared.pool.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("pool", &self.shared.pool)
            .field("available", &self.is_available())
            .finish_non_exhaustive()
    }
}

impl Shared {
    async fn attempt<Q: Query>(&self, query: Q) -> Result<Q::Output, DbError> {
        self.measured::<Q, _>(async |conn| query.run(conn).await).await
    }

    /// Lends a connection to `work`, and takes note of how it went under the name of `Q`.
    pub(super) async fn measured<Q, T>(
        &self,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.breaker.admit()?;
        let began = Instant::now();
        let outcome = self.lend(work).await;
        self.note(short_name::<Q>(), began.elapsed(), &outcome);
        outcome
    }

    async fn lend<T>(
        &self,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let mut connection = self.pool.get().await?;
        if let Ok(outcome) = timeout(LONGEST, work(&mut connection)).await {
            return outcome;
        }
        drop(Connection::take(connection));
        Err(too_long(LONGEST))
    }

    fn note<T>(&self, query: &'static str, took: Duration, outcome: &Result<T, DbError>) {
        let result = match outcome {
            Ok(_) => "ok",
            Err(DbError::Unavailable(_)) => "unavailable",
            Err(error) if error.is_passing() => "passing",
            Err(_) => "refused",
        };
        counter!("database_queries_total", "query" => query, "result" => result).increment(1);
        histogram!("database_query_seconds", "query" => query).record(took.as_secs_f64());
        let usage = self.pool.usage();
        gauge!("database_connections", "state" => "open").set(as_gauge(usage.open));
        gauge!("database_connections", "state" => "free").set(as_gauge(usage.free));
        gauge!("database_connections", "state" => "awaited").set(as_gauge(usage.waiting));
        if outcome.as_ref().is_err_and(DbError::is_disk_full) {
            self.note_full();
        }
        if self.breaker.saw(outcome) {
            let reason = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
            error!("the database is gone: {reason}");
            gauge!("database_breaker_open").set(1.0);
            if let Some(shared) = self.itself.upgrade() {
                self.runtime.spawn(async move { shared.look_for_the_database().await });
            }
        }
    }

    fn note_full(&self) {
        let before = self.full_at.lock().replace(Instant::now());
        if before.is_none_or(|at| at.elapsed() >= FULL_FOR) {
            error!(
                "the database's disk is full: nothing can be stored until there is room on it; edges keep their events"
            );
        }
    }

    /// Asks in no caller's name until the database answers: a caller should not have to be the one who tries.
    async fn look_for_the_database(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            let Ok(mut connection) = self.pool.get().await else {
                continue;
            };
            if connection.batch_execute("SELECT 1").await.is_ok() {
                break;
            }
        }
        self.breaker.close();
        gauge!("database_breaker_open").set(0.0);
        info!("the database is back");
    }
}

fn too_long(limit: Duration) -> DbError {
    Unavailable::briefly(&format!("{NO_ANSWER} {} s", limit.as_secs_f32())).into()
}

pub(super) fn panicked<Q>(ended: &tokio::task::JoinError) -> DbError {
    let query = short_name::<Q>();
    if ended.is_panic() {
        error!("{query} panicked");
        return DbError::Panicked { query };
    }
    Unavailable::briefly(&"the server is stopping").into()
}

/// `CompleteWeighing` of `weighbridge::db::weigh_record::CompleteWeighing`.
pub(super) fn short_name<Q>() -> &'static str {
    let path = type_name::<Q>();
    let plain = path.split_once('<').map_or(path, |(plain, _)| plain);
    plain.rsplit_once("::").map_or(plain, |(_, name)| name)
}

pub(super) fn as_gauge(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
