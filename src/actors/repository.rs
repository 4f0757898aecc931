//! The way to the database for all other actors and for HTTP: runs queries, and answers quickly when it is gone.
//!
//! The work is done by the [`Runner`], on threads of its own that outlive every value of this actor: restarting or
//! freezing it costs callers latency, never a transaction.

use std::{future::Future, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use weighbridge_supervision::{AskError, Handle};

use crate::db::{DbError, GroupedQuery, Query, Runner, Unavailable};

/// Runs queries.
#[derive(Clone, Debug)]
pub struct Repository {
    runner: Arc<Runner>,
}

impl Repository {
    /// A new value on the same connections.
    pub const fn new(runner: Arc<Runner>) -> Self {
        Self { runner }
    }
}

impl Actor for Repository {
    type Context = Context<Self>;
}

/// Run this query. Sent by everyone; what comes back is what the query says.
#[derive(Debug)]
pub struct Run<Q>(pub Q);

impl<Q: Query> Message for Run<Q> {
    type Result = Result<Q::Output, DbError>;
}

impl<Q: Query> Handler<Run<Q>> for Repository {
    type Result = ResponseFuture<Result<Q::Output, DbError>>;

    fn handle(&mut self, Run(query): Run<Q>, _: &mut Context<Self>) -> Self::Result {
        let runner = Arc::clone(&self.runner);
        Box::pin(async move { runner.run(query).await })
    }
}

/// Run this change in one commit with others of its type. Sent by the actors that store what edges tell; the answer
/// comes after the commit.
#[derive(Debug)]
pub struct RunGrouped<Q>(pub Q);

impl<Q: GroupedQuery> Message for RunGrouped<Q> {
    type Result = Result<Q::Output, DbError>;
}

impl<Q: GroupedQuery> Handler<RunGrouped<Q>> for Repository {
    type Result = ResponseFuture<Result<Q::Output, DbError>>;

    fn handle(&mut self, RunGrouped(query): RunGrouped<Q>, _: &mut Context<Self>) -> Self::Result {
        let runner = Arc::clone(&self.runner);
        Box::pin(async move { runner.run_grouped(query).await })
    }
}

/// Did changes fail of late because the database's disk is full? Asked by the handlers of HTTP.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct IsDiskFull;

impl Handler<IsDiskFull> for Repository {
    type Result = bool;

    fn handle(&mut self, _: IsDiskFull, _: &mut Context<Self>) -> bool {
        self.runner.is_disk_full()
    }
}

/// How long a caller waits at most, the actor's own mailbox included; the runner's limit for a query comes before it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a change is made at most that gives way to others.
const TRIES: u32 = 4;

/// Asking the repository in a word. An actor that does not answer is a database that is not available.
pub trait Queries {
    /// Runs one query.
    fn run<Q: Query>(&self, query: Q) -> impl Future<Output = Result<Q::Output, DbError>> + Send;

    /// Runs a change that others may stand in the way of: one that gave way to another has changed nothing, and is made
    /// again.
    fn run_contended<Q: Query + Clone + Sync>(
        &self,
        query: Q,
    ) -> impl Future<Output = Result<Q::Output, DbError>> + Send;

    /// Runs a change in one commit with others of its type.
    fn run_grouped<Q: GroupedQuery>(&self, query: Q) -> impl Future<Output = Result<Q::Output, DbError>> + Send;
}

impl Queries for Handle<Repository> {
    async fn run<Q: Query>(&self, query: Q) -> Result<Q::Output, DbError> {
        self.ask(Run(query), PATIENCE).await.map_err(unavailable)?
    }

    async fn run_contended<Q: Query + Clone + Sync>(&self, query: Q) -> Result<Q::Output, DbError> {
        let mut tries = 1;
        loop {
            match self.run(query.clone()).await {
                Err(error) if error.gave_way() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn run_grouped<Q: GroupedQuery>(&self, query: Q) -> Result<Q::Output, DbError> {
        self.ask(RunGrouped(query), PATIENCE).await.map_err(unavailable)?
    }
}

fn unavailable(error: AskError) -> DbError {
    Unavailable::briefly(&format!("repository: {error}")).into()
}
