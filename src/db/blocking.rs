//! The database for code that is not asynchronous: at start, before the actors' System runs.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use diesel_async::AsyncPgConnection;

use crate::db::{DbError, Unavailable, connect::establish};

/// How long to pause between two attempts to reach a database that is not there yet.
const PAUSE: Duration = Duration::from_millis(100);

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

/// Takes `step` again where it failed by what passes, for at most `wait`: the database may fall as well while a server comes
/// up. What a step has done by then stays done.
pub(crate) async fn patiently<T, E>(
    wait: Duration,
    passes: impl Fn(&E) -> bool,
    step: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + wait;
    loop {
        match step().await {
            Err(error) if passes(&error) && Instant::now() + PAUSE <= deadline => tokio::time::sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Connects as soon as the database is there; gives up at once on what waiting does not cure, such as a wrong password.
pub(super) async fn connect_within(url: &str, wait: Duration) -> Result<AsyncPgConnection, DbError> {
    patiently(wait, DbError::is_passing, async || {
        match tokio::time::timeout(Duration::from_secs(5), establish(url)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(diesel::ConnectionError::CouldntSetupConfiguration(error))) => Err(DbError::from(error)),
            Ok(Err(error)) => Err(DbError::Query(diesel::result::Error::QueryBuilderError(error.into()))),
            Err(_) => Err(Unavailable::briefly(&"it did not answer in time").into()),
        }
    })
    .await
}
