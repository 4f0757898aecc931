//! The database for code that is not asynchronous: at start, before the actors' System runs.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use diesel_async::AsyncPgConnection;

use crate::db::{DbError, Unavailable, connect::establish};

/// How long to pause between two attempts to reach a database that is not there yet.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Runs `work` on a thread and a runtime of its own, so that it may block in whatever way, and whoever calls.
///
/// Migrations block in place, which a runtime of a single thread does not allow.
pub(super) fn on_own_runtime<T, E>(work: impl AsyncFnOnce() -> Result<T, E> + Send) -> Result<T, E>
where
    T: Send,
    E: Send + From<io::Error>,
{
    let run = || -> Result<T, E> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        runtime.block_on(work())
    };
    let outcome = thread::scope(|scope| {
        thread::Builder::new()
            .name("database-start".to_owned())
            .spawn_scoped(scope, run)
            .map(thread::ScopedJoinHandle::join)
    });
    match outcome? {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Connects as soon as the database is there; gives up at once on what waiting does not cure, such as a wrong password.
pub(super) async fn connect_within(url: &str, wait: Duration) -> Result<AsyncPgConnection, DbError> {
    let deadline = Instant::now() + wait;
    loop {
        let error = match tokio::time::timeout(Duration::from_secs(5), establish(url)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(diesel::ConnectionError::CouldntSetupConfiguration(error))) => DbError::from(error),
            Ok(Err(error)) => return Err(DbError::Query(diesel::result::Error::QueryBuilderError(error.into()))),
            Err(_) => Unavailable::briefly(&"it did not answer in time").into(),
        };
        if !error.is_passing() || Instant::now() + PAUSE > deadline {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
