//! A lane for the changes of one type: those that wait at the same moment share one commit.

use std::sync::Arc;

use metrics::histogram;
use tokio::{
    runtime::Handle as RuntimeHandle,
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
};

use crate::db::{
    DbError, GroupedQuery, Unavailable,
    runner::{Shared, as_gauge, panicked, short_name},
};

/// The most that share one commit.
const GROUP: usize = 500;
/// The most that wait; a group of them takes some milliseconds.
const WAITING: usize = 10_000;

type Answer<Q> = Result<<Q as GroupedQuery>::Output, DbError>;

/// Where changes of one type line up.
pub(super) struct Lane<Q: GroupedQuery> {
    entrance: mpsc::Sender<Waiting<Q>>,
}

impl<Q: GroupedQuery> Clone for Lane<Q> {
    fn clone(&self) -> Self {
        Self {
            entrance: self.entrance.clone(),
        }
    }
}

struct Waiting<Q: GroupedQuery> {
    query: Q,
    answer: oneshot::Sender<Answer<Q>>,
}

impl<Q: GroupedQuery> Lane<Q> {
    /// Lines up; the answer comes when the commit has taken place, or has not.
    pub(super) fn join(&self, query: Q) -> Result<oneshot::Receiver<Answer<Q>>, Unavailable> {
        let (answer, answered) = oneshot::channel();
        match self.entrance.try_send(Waiting { query, answer }) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_)) => Err(Unavailable::briefly(&"too many changes wait")),
            Err(TrySendError::Closed(_)) => Err(Unavailable::briefly(&"the server is stopping")),
        }
    }
}

/// Opens a lane, whose task ends with the last of its entrances.
pub(super) fn open<Q: GroupedQuery>(shared: Arc<Shared>, runtime: &RuntimeHandle) -> Lane<Q> {
    let (entrance, mut exit) = mpsc::channel::<Waiting<Q>>(WAITING);
    runtime.spawn(async move {
        let mut group = Vec::with_capacity(GROUP);
        while exit.recv_many(&mut group, GROUP).await > 0 {
            // Whoever no longer waits was told that it took too long, and asks again.
            group.retain(|waiting| !waiting.answer.is_closed());
            if !group.is_empty() {
                serve(&shared, std::mem::take(&mut group)).await;
            }
        }
    });
    Lane { entrance }
}

/// One commit for all. If that fails, each has one of its own, so that only the guilty one fails.
async fn serve<Q: GroupedQuery>(shared: &Arc<Shared>, group: Vec<Waiting<Q>>) {
    histogram!("database_group_size", "query" => short_name::<Q>()).record(as_gauge(group.len()));
    let (queries, answers): (Vec<Q>, Vec<_>) = group.into_iter().map(|waiting| (waiting.query, waiting.answer)).unzip();
    match commit(shared, queries.clone()).await {
        Ok(outputs) => {
            for (output, answer) in outputs.into_iter().zip(answers) {
                reply(answer, Ok(output));
            }
        }
        // Without a database none of them has a chance alone.
        Err(DbError::Unavailable(unavailable)) => {
            for answer in answers {
                reply(answer, Err(unavailable.clone().into()));
            }
        }
        Err(_) if queries.len() > 1 => {
            for (query, answer) in queries.into_iter().zip(answers) {
                if answer.is_closed() {
                    continue;
                }
                let alone = commit(shared, vec![query]).await;
                reply(answer, alone.and_then(first));
            }
        }
        Err(error) => {
            if let Some(answer) = answers.into_iter().next() {
                reply(answer, Err(error));
            }
        }
    }
}

/// Runs in a task of its own, so that a panic ends neither the lane nor the others.
async fn commit<Q: GroupedQuery>(shared: &Arc<Shared>, group: Vec<Q>) -> Result<Vec<Q::Output>, DbError> {
    let (shared, expected) = (Arc::clone(shared), group.len());
    let run = async move {
        shared
            .measured::<Q, _>(async |conn| Q::run_all(group, conn).await)
            .await
    };
    let outputs = tokio::spawn(run).await.map_err(|ended| panicked::<Q>(&ended))??;
    if outputs.len() == expected {
        Ok(outputs)
    } else {
        Err(DbError::Panicked {
            query: short_name::<Q>(),
        })
    }
}

fn first<T>(outputs: Vec<T>) -> Result<T, DbError> {
    outputs.into_iter().next().ok_or(DbError::NotFound)
}

fn reply<T>(answer: oneshot::Sender<T>, outcome: T) {
    // A caller that has left was told so by its own time limit.
    drop(answer.send(outcome));
}
