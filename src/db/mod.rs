//! The database: one file per main table with its queries, and what they all stand on.
//!
//! - [`ledger`]: the rows of a weighing, locked, changed by the rules and written back
//! - [`deck`]: what stands on a deck as no event told
//! - [`wait_queue`], [`weigh_record`], [`capture`], [`edge_event`], [`edge_epoch`], [`station_cycle`]: tables with a folder of queries
//! - [`outbox`], [`leader_lease`], [`day_close`], [`reconciliation`]: what is owed, who does the scheduled work, closed days,
//!   days compared with the ERP
//! - [`device`], [`notification`], [`slip_share`], [`message_refusal`]: reaching people
//! - [`upkeep`], [`verify`], [`month`], [`restored`]: partitions, forgetting, promises checked, restored databases
//! - [`schema`]: the tables as Diesel knows them
//! - [`weight`]: kilograms in a `numeric` column
//! - [`error`]: what can go wrong, and what passes by itself
//! - [`runner`]: where queries run, alone or grouped into one commit
//! - [`migrate`], [`embedded`]: the schema's history, and a private PostgreSQL
//! - [`pool`], [`identity`]: connections, and whether they lead to the database that served last
//!
//! A query is a value, [`Query`], in the file of its table; the repository actor runs it. Nobody else speaks Diesel.
//!
//! # Locks
//! Every transaction takes row locks in one order, so that no two wait for each other in a circle: gateways, epochs, stations,
//! entries of the line, captures, records, vehicles, and the day's counter last; of one kind by ascending ids. What must be
//! known before (which station, whose entry) is read without a lock, and read again under it: where it has changed, the
//! query answers [`DbError::Overtaken`] and is asked again. A row that no other transaction can know yet is not waited for,
//! and may be written at any time.

use std::future::Future;

use diesel_async::AsyncPgConnection;

pub mod app_user;
pub mod audit_log;
pub(crate) mod blocking;
mod breaker;
pub mod capture;
#[cfg(feature = "chaos")]
pub mod chaos;
mod connect;
pub mod day_close;
pub mod deck;
pub mod device;
pub mod driver;
pub mod edge_epoch;
pub mod edge_event;
pub mod edge_gateway;
pub mod edge_key;
pub mod embedded;
pub mod ended_sessions;
pub mod error;
pub mod identity;
mod lane;
pub mod leader_lease;
pub mod ledger;
pub mod login_session;
pub mod message_refusal;
pub mod migrate;
pub mod month;
pub mod notification;
pub mod outbox;
pub mod page;
pub mod parties;
pub mod pool;
mod prepared;
pub mod reconciliation;
pub mod restored;
pub mod runner;
pub mod schema;
pub mod site;
pub mod slip_share;
pub mod station_cycle;
pub mod station_view;
pub mod summary;
pub mod upkeep;
pub mod vehicle;
pub mod verify;
pub mod wait_queue;
pub mod weigh_record;
pub mod weigh_station;
pub mod weight;

pub use error::{DbError, Unavailable};
pub use pool::Pool;
pub use runner::Runner;

/// One question or change put to the database.
pub trait Query: Send + 'static {
    /// What the caller gets back.
    type Output: Send + 'static;

    /// Runs on one connection; a query that writes twice opens its own transaction.
    fn run(self, conn: &mut AsyncPgConnection) -> impl Future<Output = Result<Self::Output, DbError>> + Send;
}

/// A change that shares one commit, or a question that shares one statement, with others of its type that wait at the same
/// moment.
///
/// Only for changes that carry a unique key of their own: when a group of several fails, each of it is run again alone,
/// also when nobody can say whether the group's commit took place.
pub trait GroupedQuery: Clone + Send + 'static {
    /// What each caller gets back.
    type Output: Send + 'static;

    /// Runs the whole group in one transaction, which it opens itself; one output for each, in the group's order.
    fn run_all(
        group: Vec<Self>,
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = Result<Vec<Self::Output>, DbError>> + Send;
}
