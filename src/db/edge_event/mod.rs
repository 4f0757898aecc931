//! An edge's events: their identity rows and their effects, in one transaction, exactly once.
//!
//! - [`StoreEvents`]: the whole of it, for one connection's events; several connections share a commit
//! - [`StoreAlone`]: the same where an event may be the trouble itself
//! - [`identity`]: reads and writes the identity rows
//! - [`set_aside`]: the path for an event that cannot be handled

pub mod identity;
pub mod set_aside;

use std::{collections::BTreeMap, time::Duration};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use uuid::Uuid;
use weighbridge_protocol::{Epoch, Kilograms, LinkSession, link::FromServer};

use super::{
    DbError, GroupedQuery, Query,
    ledger::{self, Changes, Wanted},
};
pub use crate::domain::intake::group::Tally;
use crate::domain::{
    edge_time::ClockModel,
    intake::{
        Awaited,
        group::{Answered, Group, fold},
        identities::Identities,
    },
    weighing::Examined,
};

/// Stores events that one connection brought, in order, with all that follows from them.
///
/// Safe to run again: each event carries a key of its own. Sent by EdgeLink; several links share one commit.
#[derive(Clone, Debug)]
pub struct StoreEvents {
    pub edge_id: i64,
    pub session: LinkSession,
    pub events: Vec<Examined>,
    pub clock: ClockModel,
    pub awaited: Awaited,
    /// What a weight must exceed a registered tare by.
    pub min_net: Kilograms,
    /// The name of the database to which the connection said hello.
    pub database: Option<Uuid>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A newer connection of this edge exists, or its registration is no longer what it was.
    Fenced,
    Taken(Box<Taken>),
}

#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// To be sent in this order: a nack goes out before an ack that passes it.
    pub answers: Vec<FromServer>,
    pub awaited: Awaited,
    pub tally: Tally,
    /// How far each epoch at hand is stored now.
    pub have: BTreeMap<Epoch, i64>,
    /// What others should hear of. Of a group that shared a commit, one member carries it for all.
    pub changes: Changes,
}

impl GroupedQuery for StoreEvents {
    type Output = Outcome;

    async fn run_all(group: Vec<Self>, conn: &mut AsyncPgConnection) -> Result<Vec<Outcome>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| store(conn, group).await)
            .await
    }
}

/// The same for events one of which may be the trouble itself: in a transaction that nobody shares, and which the database
/// breaks off as soon as one statement keeps it busy for too long. Sent by EdgeLink.
#[derive(Clone, Debug)]
pub struct StoreAlone {
    pub events: StoreEvents,
    /// How long a statement may take. To wait for others, each time half of that.
    pub patience: Duration,
}

impl Query for StoreAlone {
    type Output = Outcome;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Outcome, DbError> {
        let limit = self.patience.as_millis().max(2);
        let limits = format!(
            "SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {}",
            limit / 2
        );
        conn.transaction::<_, DbError, _>(async |conn| {
            conn.batch_execute(&limits).await?;
            let stored = store(conn, vec![self.events]).await?;
            stored.into_iter().next().ok_or(DbError::NotFound)
        })
        .await
    }
}

async fn store(conn: &mut AsyncPgConnection, group: Vec<StoreEvents>) -> Result<Vec<Outcome>, DbError> {
    let mut identities = identity::load(conn, &group).await?;
    let mut loaded = ledger::load(conn, &wanted(&group, &identities)).await?;
    let mut folded = Vec::with_capacity(group.len());
    for member in &group {
        let may_write = member.may_write(&identities);
        folded.push(may_write.then(|| fold(member.group(), &mut identities, &mut loaded.ledger)));
    }
    let mut changes = Some(ledger::save(conn, &mut loaded).await?);
    identity::save(conn, &identities).await?;
    let outcomes = folded.into_iter().map(|member| match member {
        None => Outcome::Fenced,
        Some(member) => {
            let mut taken = Taken::from(member.answered(&loaded.ledger, &identities));
            taken.changes = changes.take().unwrap_or_default();
            Outcome::Taken(Box::new(taken))
        }
    });
    Ok(outcomes.collect())
}

fn wanted(group: &[StoreEvents], identities: &Identities) -> Wanted {
    let mut wanted = Wanted::default();
    for member in group.iter().filter(|member| member.may_write(identities)) {
        (wanted.min_net, wanted.database) = (member.min_net, member.database);
        wanted.add(member.edge_id, &member.events);
    }
    wanted
}

impl StoreEvents {
    fn may_write(&self, identities: &Identities) -> bool {
        identities.may_write(self.edge_id, self.session, &self.events)
    }

    fn group(&self) -> Group<'_> {
        Group {
            edge_id: self.edge_id,
            events: &self.events,
            clock: self.clock,
            awaited: self.awaited,
        }
    }
}

impl From<Answered> for Taken {
    fn from(answered: Answered) -> Self {
        Self {
            answers: answered.answers,
            awaited: answered.awaited,
            tally: answered.tally,
            have: answered.have,
            changes: Changes::default(),
        }
    }
}
