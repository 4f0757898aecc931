//! An edge's events: their identity rows and their effects, in one transaction, exactly once.
//!
//! - [`StoreEvents`]: the whole of it, for one connection's events; several connections share a commit
//! - [`identity`]: reads and writes the identity rows
//! - [`set_aside`]: the path for an event that cannot be handled

pub mod identity;
pub mod set_aside;

use std::collections::BTreeMap;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use weighbridge_protocol::{
    Epoch, Kilograms, LinkSession,
    link::{
        FromServer,
        messages::{Ack, Nack, NackCode, NumberedReceipt},
    },
};

use self::identity::{Identities, NewEvent};
use super::{
    DbError, GroupedQuery,
    ledger::{self, Changes, Loaded, Wanted},
};
use crate::domain::{
    edge_time::ClockModel,
    intake::{Awaited, Verdict, judge},
    weighing::{Arrival, Examined, Fate, apply, ledger::Ledger},
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

/// How many events met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub stored: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub gaps: u64,
    pub rejected: u64,
    /// Seqs that no edge could have meant; the second one ends the connection.
    pub bad_seqs: u64,
}

impl GroupedQuery for StoreEvents {
    type Output = Outcome;

    async fn run_all(group: Vec<Self>, conn: &mut AsyncPgConnection) -> Result<Vec<Outcome>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| store(conn, group).await)
            .await
    }
}

async fn store(conn: &mut AsyncPgConnection, group: Vec<StoreEvents>) -> Result<Vec<Outcome>, DbError> {
    let mut identities = Identities::load(conn, &group).await?;
    let mut loaded = ledger::load(conn, &wanted(&group, &identities)).await?;
    let mut folded = Vec::with_capacity(group.len());
    for member in &group {
        folded.push(if identities.may_write(member) {
            Some(fold(member, &mut identities, &mut loaded))
        } else {
            None
        });
    }
    let mut changes = Some(ledger::save(conn, &mut loaded).await?);
    identities.save(conn).await?;
    let outcomes = folded.into_iter().map(|member| match member {
        None => Outcome::Fenced,
        Some(member) => {
            let mut taken = member.answered(&loaded.ledger, &identities);
            taken.changes = changes.take().unwrap_or_default();
            Outcome::Taken(Box::new(taken))
        }
    });
    Ok(outcomes.collect())
}

fn wanted(group: &[StoreEvents], identities: &Identities) -> Wanted {
    let mut wanted = Wanted::default();
    for member in group.iter().filter(|member| identities.may_write(member)) {
        wanted.min_net = member.min_net;
        wanted.edges.insert(member.edge_id);
        for examined in &member.events {
            wanted.receipts.extend(examined.event.receipt.clone());
            let Ok(body) = &examined.body else { continue };
            wanted.stations.insert(body.station_id);
            wanted.cycles.extend(body.cycle);
            wanted.fresh_captures += usize::from(body.kind.name() == "capture");
        }
    }
    wanted
}

/// One connection's events, judged and applied; what is still missing are the numbers of new slips.
#[derive(Default)]
struct Folded {
    awaited: Awaited,
    tally: Tally,
    nacks: Vec<Nack>,
    /// In order of appearance: the last seq of each epoch that was compared.
    through: Vec<(Epoch, i64)>,
    /// Captures whose receipt goes out with the ack.
    receipts: Vec<(Epoch, i64, weighbridge_protocol::CycleId)>,
}

fn fold(member: &StoreEvents, identities: &mut Identities, loaded: &mut Loaded) -> Folded {
    let mut folded = Folded {
        awaited: member.awaited,
        ..Folded::default()
    };
    for examined in &member.events {
        let event = &examined.event;
        let Some(known) = identities.known(event.epoch) else {
            continue;
        };
        let verdict = judge(event, known, &mut folded.awaited);
        if verdict.is_compared() {
            folded.compared(event.epoch, event.seq);
        }
        match verdict {
            Verdict::Ignored => {}
            Verdict::Refused(nack) => folded.refused(nack),
            Verdict::Conflict(nack) => {
                folded.tally.conflicts += 1;
                folded.nacks.push(nack);
                identities.conflict(member.edge_id, examined);
                loaded.ledger.distrust(member.edge_id, examined.received_at);
            }
            Verdict::Duplicate => {
                folded.tally.duplicates += 1;
                folded.owes_receipt(examined);
            }
            Verdict::Store | Verdict::Fill => {
                let row = effects(member, examined, verdict == Verdict::Fill, loaded);
                folded.tally.stored += u64::from(row.fate == Fate::Stored);
                folded.tally.duplicates += u64::from(row.fate == Fate::Duplicate);
                folded.tally.rejected += u64::from(matches!(row.fate, Fate::Rejected(_)));
                identities.insert(row);
                folded.owes_receipt(examined);
            }
        }
    }
    folded
}

/// What a new event does, and the row that it is stored as.
fn effects(member: &StoreEvents, examined: &Examined, fills: bool, loaded: &mut Loaded) -> NewEvent {
    let (fate, moments) = match &examined.body {
        Err(reason) => (Fate::Rejected(reason.clone()), None),
        Ok(body) => {
            let moments = member.clock.moments(body, examined.received_at);
            let arrival = Arrival {
                edge_id: Some(member.edge_id),
                body,
                receipt: examined.event.receipt.as_ref(),
                moments,
                received_at: examined.received_at,
            };
            (apply(&mut loaded.ledger, &arrival), Some(moments))
        }
    };
    if matches!(fate, Fate::Rejected(_)) {
        distrust(&mut loaded.ledger, member.edge_id, examined);
    }
    NewEvent {
        edge_id: member.edge_id,
        examined: examined.clone(),
        fate,
        moments,
        fills,
    }
}

fn distrust(ledger: &mut Ledger, edge_id: i64, examined: &Examined) {
    ledger.distrust(edge_id, examined.received_at);
    if let Ok(body) = &examined.body {
        ledger.distrust_station(body.station_id, examined.received_at);
    }
}

impl Folded {
    fn compared(&mut self, epoch: Epoch, seq: i64) {
        match self.through.iter_mut().find(|(known, _)| *known == epoch) {
            Some((_, through)) => *through = seq.max(*through),
            None => self.through.push((epoch, seq)),
        }
    }

    fn refused(&mut self, nack: Nack) {
        self.tally.gaps += u64::from(nack.code == NackCode::Gap);
        self.tally.bad_seqs += u64::from(nack.code == NackCode::BadSeq);
        self.nacks.push(nack);
    }

    fn owes_receipt(&mut self, examined: &Examined) {
        let Ok(body) = &examined.body else { return };
        if let Some(cycle) = body.cycle.filter(|_| body.kind.name() == "capture") {
            self.receipts.push((body.epoch, body.seq, cycle));
        }
    }

    /// All nacks go out before any ack: an ack that passed a conflict would make the edge forget it.
    fn answered(self, ledger: &Ledger, identities: &Identities) -> Taken {
        let mut receipts: BTreeMap<Epoch, Vec<NumberedReceipt>> = BTreeMap::new();
        for (epoch, seq, cycle) in self.receipts {
            if let Some(receipt) = ledger.receipt(cycle) {
                receipts
                    .entry(epoch)
                    .or_default()
                    .push(NumberedReceipt { seq, receipt });
            }
        }
        let have = self
            .through
            .iter()
            .filter_map(|(epoch, _)| Some((*epoch, identities.have(*epoch)?)))
            .collect();
        let nacks = self.nacks.into_iter().map(FromServer::Nack);
        let acks = self.through.into_iter().map(|(epoch, through)| {
            FromServer::Ack(Ack {
                epoch,
                through,
                receipts: receipts.remove(&epoch).unwrap_or_default(),
            })
        });
        let answers = nacks.chain(acks).collect();
        Taken {
            answers,
            awaited: self.awaited,
            tally: self.tally,
            have,
            changes: Changes::default(),
        }
    }
}
