//! One connection's events: each judged by its identity, folded into the ledger, and answered when all is written.

use std::collections::BTreeMap;

use weighbridge_protocol::{
    CycleId, Epoch,
    link::{
        FromServer,
        messages::{Ack, Nack, NackCode, NumberedReceipt},
    },
};

use super::{
    Awaited, Verdict,
    identities::{Identities, NewEvent},
    judge,
};
use crate::domain::{
    edge_time::ClockModel,
    weighing::{Arrival, Examined, Fate, apply, ledger::Ledger},
};

/// What one connection brought, in order.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    pub edge_id: i64,
    pub events: &'a [Examined],
    /// The clocks of the edge, as they are known now.
    pub clock: ClockModel,
    pub awaited: Awaited,
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

/// What the connection is told once all is committed, and what it must remember.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// To be sent in this order: a nack goes out before an ack that passes it.
    pub answers: Vec<FromServer>,
    pub awaited: Awaited,
    pub tally: Tally,
    /// How far each epoch at hand is stored now.
    pub have: BTreeMap<Epoch, i64>,
}

/// One connection's events, judged and applied; what is still missing are the numbers of new slips.
#[derive(Debug, Default)]
pub struct Folded {
    awaited: Awaited,
    tally: Tally,
    nacks: Vec<Nack>,
    /// In order of appearance: the last seq of each epoch that was compared.
    through: Vec<(Epoch, i64)>,
    /// Captures whose receipt goes out with the ack.
    receipts: Vec<(Epoch, i64, CycleId)>,
}

/// Judges the events and applies those that are new. The connection must be one that [may write](Identities::may_write).
pub fn fold(group: Group<'_>, identities: &mut Identities, ledger: &mut Ledger) -> Folded {
    let mut folded = Folded {
        awaited: group.awaited,
        ..Folded::default()
    };
    for examined in group.events {
        let event = &examined.event;
        let Some(locked) = identities.epochs.get_mut(&event.epoch) else {
            continue;
        };
        let stored_before = locked.known.have;
        let verdict = judge(event, &mut locked.known, &mut folded.awaited);
        if verdict.is_compared() {
            folded.compared(event.epoch, event.seq);
        }
        match verdict {
            Verdict::Ignored => {}
            Verdict::Refused(nack) => folded.refused(nack),
            Verdict::Conflict(nack) => {
                folded.tally.conflicts += 1;
                folded.nacks.push(nack);
                identities.conflicts.push((group.edge_id, examined.clone()));
                ledger.distrust(group.edge_id, examined.received_at);
            }
            Verdict::Duplicate => {
                folded.tally.duplicates += 1;
                folded.owes_receipt(examined);
            }
            Verdict::Store | Verdict::Fill => {
                let fills = verdict == Verdict::Fill;
                let row = effects(group, examined, (fills, fills && event.seq <= stored_before), ledger);
                folded.tally.stored += u64::from(row.fate == Fate::Stored);
                folded.tally.duplicates += u64::from(row.fate == Fate::Duplicate);
                folded.tally.rejected += u64::from(matches!(row.fate, Fate::Rejected(_)));
                identities.new.push(row);
                folded.owes_receipt(examined);
            }
        }
    }
    folded
}

/// What a new event does, and the row that it is stored as. It may fill the place of a lost one, and be late for that.
fn effects(group: Group<'_>, examined: &Examined, (fills, is_late): (bool, bool), ledger: &mut Ledger) -> NewEvent {
    let (fate, moments) = match &examined.body {
        Err(reason) => (Fate::Rejected(reason.clone()), None),
        Ok(body) => {
            let moments = group.clock.moments(body, examined.received_at);
            let arrival = Arrival {
                edge_id: Some(group.edge_id),
                body,
                receipt: examined.event.receipt.as_ref(),
                moments,
                received_at: examined.received_at,
                is_late,
            };
            (apply(ledger, &arrival), Some(moments))
        }
    };
    if matches!(fate, Fate::Rejected(_)) {
        distrust(ledger, group.edge_id, examined);
    }
    NewEvent {
        edge_id: group.edge_id,
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

    /// Once slips are numbered. All nacks go out before any ack: an ack that passed a conflict would make the edge forget it.
    pub fn answered(self, ledger: &Ledger, identities: &Identities) -> Answered {
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
        Answered {
            answers,
            awaited: self.awaited,
            tally: self.tally,
            have,
        }
    }
}
