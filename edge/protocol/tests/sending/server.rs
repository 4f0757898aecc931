//! The simplest server that keeps its side of the link: one transaction a group, a watermark that only moves by
//! compare-and-set, and the newest session alone may write.

use std::collections::{BTreeMap, BTreeSet};

use weighbridge_protocol::{
    CycleId, Epoch, LinkSession,
    link::{
        Event, EventBody, EventId, FromServer,
        messages::{Ack, EdgeName, EpochState, Nack, NackCode, NumberedReceipt, SeqRange, Welcome, Window},
    },
};

/// What stands under an identity.
#[derive(Clone, PartialEq, Eq)]
pub enum Stored {
    Lost,
    Kept { sha256: String, has_effect: bool },
}

/// What survives the server's process.
#[derive(Clone, Default)]
pub struct Database {
    pub events: BTreeMap<EventId, Stored>,
    pub have: BTreeMap<Epoch, i64>,
    pub cycles: BTreeSet<CycleId>,
    pub conflicts: usize,
    newest: Option<LinkSession>,
    /// Counts the changes, so that a drained world can be told from one at rest.
    pub version: u64,
}

/// What the server remembers of one connection.
#[derive(Clone)]
pub struct Session {
    id: LinkSession,
    have: BTreeMap<Epoch, i64>,
    awaits: Option<EventId>,
}

/// A newer connection of the same edge may write now.
pub struct Fenced;

impl Database {
    pub fn hello(&mut self, epochs: &[EpochState], id: LinkSession) -> (Session, Welcome) {
        self.newest = Some(id);
        let mut have = BTreeMap::new();
        for said in epochs {
            let below = [SeqRange(1, said.first_kept - 1)];
            for range in below.iter().chain(&said.missing) {
                for seq in range.0..=range.1 {
                    let id = EventId { epoch: said.epoch, seq };
                    self.events.entry(id).or_insert_with(|| {
                        self.version += 1;
                        Stored::Lost
                    });
                }
            }
            let stored = self.contiguous(said.epoch, self.have.get(&said.epoch).copied().unwrap_or(0));
            self.have.insert(said.epoch, stored);
            have.insert(said.epoch, stored);
        }
        let lost = have.keys().map(|&epoch| (epoch, self.lost(epoch))).collect();
        let session = Session {
            id,
            have: have.clone(),
            awaits: None,
        };
        (session, welcome(id, have, lost))
    }

    /// Takes a group of events of one epoch in one transaction. The answers are to be said after the commit.
    pub fn take(&mut self, session: &mut Session, group: &[Event]) -> Result<Vec<FromServer>, Fenced> {
        let Some(epoch) = group.first().map(|event| event.epoch) else {
            return Ok(Vec::new());
        };
        if self.newest != Some(session.id) {
            return Err(Fenced);
        }
        let believed = session.have.get(&epoch).copied().unwrap_or(0);
        let stored = self.have.get(&epoch).copied().unwrap_or(0);
        if believed != stored {
            // The database was restored, or another node took over from a standby that lagged.
            let seq = group[0].seq;
            session.go_back(EventId { epoch, seq: stored + 1 }, stored);
            return Ok(vec![nack(EventId { epoch, seq }, NackCode::Gap, stored)]);
        }
        let mut turn = Turn {
            have: stored,
            ..Turn::default()
        };
        for event in group {
            self.take_one(session, event, &mut turn);
        }
        self.have.insert(epoch, turn.have);
        session.have.insert(epoch, turn.have);
        let mut answers = turn.nacks;
        answers.extend((turn.through > 0).then_some(FromServer::Ack(Ack {
            epoch,
            through: turn.through,
            receipts: turn.receipts,
        })));
        Ok(answers)
    }

    fn take_one(&mut self, session: &mut Session, event: &Event, turn: &mut Turn) {
        let id = EventId {
            epoch: event.epoch,
            seq: event.seq,
        };
        if session.awaits.is_some_and(|awaited| awaited != id) {
            return;
        }
        session.awaits = None;
        if !event.is_intact() {
            session.awaits = Some(id);
            turn.nacks.push(nack(id, NackCode::BadHash, turn.have));
            return;
        }
        match self.events.get(&id) {
            Some(Stored::Kept { sha256, .. }) if *sha256 != event.sha256 => {
                self.conflicts += 1;
                turn.nacks.push(nack(id, NackCode::EpochConflict, turn.have));
            }
            Some(Stored::Kept { .. }) => {}
            None if id.seq != turn.have + 1 => {
                session.awaits = Some(EventId {
                    seq: turn.have + 1,
                    ..id
                });
                turn.nacks.push(nack(id, NackCode::Gap, turn.have));
                return;
            }
            Some(Stored::Lost) | None => {
                self.store(id, event, turn);
                turn.have = self.contiguous(id.epoch, turn.have.max(id.seq));
            }
        }
        turn.through = turn.through.max(id.seq);
    }

    fn store(&mut self, id: EventId, event: &Event, turn: &mut Turn) {
        let body: EventBody = serde_json::from_str(&event.body).expect("an intact body is readable");
        assert_eq!((body.epoch, body.seq), (id.epoch, id.seq), "the body names itself");
        let has_effect = body.cycle.is_none_or(|cycle| self.cycles.insert(cycle));
        let sha256 = event.sha256.clone();
        self.events.insert(id, Stored::Kept { sha256, has_effect });
        self.version += 1;
        let receipt = weighbridge_protocol::link::Receipt {
            record_id: Some(id.seq),
            ..Default::default()
        };
        turn.receipts.push(NumberedReceipt { seq: id.seq, receipt });
    }

    /// What a ping finds: the watermark may have gone back, or a newer session may have come.
    pub fn ping(&self, session: &mut Session) -> Result<Option<FromServer>, Fenced> {
        if self.newest != Some(session.id) {
            return Err(Fenced);
        }
        let fallen = session.have.iter().find_map(|(&epoch, &believed)| {
            let stored = self.have.get(&epoch).copied().unwrap_or(0);
            (stored < believed).then_some((EventId { epoch, seq: believed }, stored))
        });
        Ok(fallen.map(|(id, stored)| {
            session.go_back(EventId { seq: stored + 1, ..id }, stored);
            nack(id, NackCode::Gap, stored)
        }))
    }

    /// An older copy takes this one's place: a restore, or a standby that lagged.
    pub fn go_back_to(&mut self, older: Self) {
        let (conflicts, version) = (self.conflicts, self.version + 1);
        *self = Self {
            conflicts,
            version,
            ..older
        };
    }

    fn contiguous(&self, epoch: Epoch, from: i64) -> i64 {
        let mut have = from;
        while self.events.contains_key(&EventId { epoch, seq: have + 1 }) {
            have += 1;
        }
        have
    }

    fn lost(&self, epoch: Epoch) -> Vec<SeqRange> {
        let lost = self
            .events
            .iter()
            .filter(|(id, stored)| id.epoch == epoch && **stored == Stored::Lost);
        lost.map(|(id, _)| SeqRange(id.seq, id.seq)).collect()
    }
}

impl Session {
    fn go_back(&mut self, awaited: EventId, stored: i64) {
        self.have.insert(awaited.epoch, stored);
        self.awaits = Some(awaited);
    }
}

#[derive(Default)]
struct Turn {
    have: i64,
    through: i64,
    nacks: Vec<FromServer>,
    receipts: Vec<NumberedReceipt>,
}

fn nack(id: EventId, code: NackCode, have: i64) -> FromServer {
    FromServer::Nack(Nack {
        epoch: id.epoch,
        seq: id.seq,
        code,
        have,
    })
}

fn welcome(session: LinkSession, have: BTreeMap<Epoch, i64>, lost: BTreeMap<Epoch, Vec<SeqRange>>) -> Welcome {
    Welcome {
        edge: EdgeName {
            id: 1,
            name: "north gate".into(),
        },
        session,
        have,
        lost,
        stations: Vec::new(),
        unknown: Vec::new(),
        server_time: chrono::DateTime::default(),
        window: Window { events: 3, bytes: 4096 },
    }
}
