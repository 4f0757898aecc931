//! What the server makes of an event's *identity*: new, known, lost and found again, in conflict, or out of turn.
//!
//! - [`identities`]: the locked rows by which that is decided, and what is to be written
//! - [`group`]: one connection's events, judged, folded into the ledger, and answered
//! - [`hello`]: whose an epoch is, and what an edge has lost of it
//! - [`pulse`]: whether a connection is still the newest, and whether the database went back
//!
//! Decided inside the transaction that stores the events, from rows read there. The connection's memory holds only what
//! it must wait for; what is stored is always the database's word.

pub mod group;
pub mod hello;
pub mod identities;
pub mod pulse;

use std::collections::{BTreeMap, BTreeSet};

use weighbridge_protocol::{
    Epoch,
    link::{
        Event,
        messages::{Nack, NackCode},
    },
};

/// What a connection must see next, after a `GAP` or `BAD_HASH`: until then all else is ignored.
pub type Awaited = Option<(Epoch, i64)>;

/// An identity row as stored. LOST rows are holes that an edge declared; they may still be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// With the hash of its text.
    Kept {
        sha256: String,
    },
    Lost,
}

/// What is known of one epoch before an event is judged.
#[derive(Clone, Debug, Default)]
pub struct KnownEpoch {
    /// The highest seq up to which every one is stored.
    pub have: i64,
    /// The identity rows of the events at hand.
    pub rows: BTreeMap<i64, Stored>,
    /// LOST rows above `have`: what they make contiguous once the seq before them arrives.
    pub lost_above: BTreeSet<i64>,
}

impl KnownEpoch {
    fn stored(&mut self, seq: i64, sha256: &str) {
        self.rows.insert(
            seq,
            Stored::Kept {
                sha256: sha256.to_owned(),
            },
        );
        self.have = self.have.max(seq);
        while self.lost_above.contains(&(self.have + 1)) {
            self.have += 1;
        }
    }

    /// A LOST row counts towards `have` already where it lies below; above, only once it is reached.
    fn stored_in_place(&mut self, seq: i64, sha256: &str) {
        if seq == self.have + 1 {
            return self.stored(seq, sha256);
        }
        self.rows.insert(
            seq,
            Stored::Kept {
                sha256: sha256.to_owned(),
            },
        );
    }
}

/// What is to be done with one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// New, the next in order: store it with its effects.
    Store,
    /// A LOST row's event has come after all: it takes that row's place, with its effects.
    Fill,
    /// Stored already, the same to the letter: only its receipt counts.
    Duplicate,
    /// Another text stands under this identity: kept beside it, and answered by the nack.
    Conflict(Nack),
    /// Not taken; the connection waits for what the nack names.
    Refused(Nack),
    /// Not what the connection waits for.
    Ignored,
}

impl Verdict {
    /// Whether the event was compared with what is stored, so that an ack may pass it.
    pub const fn is_compared(&self) -> bool {
        matches!(self, Self::Store | Self::Fill | Self::Duplicate | Self::Conflict(_))
    }
}

/// Judges events of one connection in order; `known` holds every epoch that they name.
pub fn judge(event: &Event, known: &mut KnownEpoch, awaited: &mut Awaited) -> Verdict {
    let identity = (event.epoch, event.seq);
    if awaited.is_some_and(|wanted| wanted != identity) {
        return Verdict::Ignored;
    }
    *awaited = None;
    let nack = |code| Nack {
        epoch: event.epoch,
        seq: event.seq,
        code,
        have: known.have,
    };
    if event.seq < 1 || event.seq == i64::MAX {
        return Verdict::Refused(nack(NackCode::BadSeq));
    }
    if !event.is_intact() {
        *awaited = Some(identity);
        return Verdict::Refused(nack(NackCode::BadHash));
    }
    match known.rows.get(&event.seq) {
        Some(Stored::Kept { sha256 }) if *sha256 == event.sha256 => Verdict::Duplicate,
        Some(Stored::Kept { .. }) => Verdict::Conflict(nack(NackCode::EpochConflict)),
        Some(Stored::Lost) => {
            known.stored_in_place(event.seq, &event.sha256);
            Verdict::Fill
        }
        None if event.seq == known.have + 1 => {
            known.stored(event.seq, &event.sha256);
            Verdict::Store
        }
        None => {
            *awaited = Some((event.epoch, known.have + 1));
            Verdict::Refused(nack(NackCode::Gap))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge_protocol::link::event::sha256_hex;

    const EPOCH: Epoch = Epoch::from_bits(1);

    fn event(seq: i64, body: &str) -> Event {
        Event {
            epoch: EPOCH,
            seq,
            sha256: sha256_hex(body),
            body: body.into(),
            receipt: None,
        }
    }

    fn known(have: i64, kept: &[(i64, &str)], lost: &[i64]) -> KnownEpoch {
        let mut rows: BTreeMap<_, _> = kept
            .iter()
            .map(|(seq, body)| {
                (
                    *seq,
                    Stored::Kept {
                        sha256: sha256_hex(body),
                    },
                )
            })
            .collect();
        rows.extend(lost.iter().map(|seq| (*seq, Stored::Lost)));
        KnownEpoch {
            have,
            rows,
            lost_above: lost.iter().copied().filter(|seq| *seq > have).collect(),
        }
    }

    fn nack(seq: i64, code: NackCode, have: i64) -> Nack {
        Nack {
            epoch: EPOCH,
            seq,
            code,
            have,
        }
    }

    #[test]
    fn the_next_is_stored_and_the_watermark_follows() {
        let mut known = known(2, &[], &[4, 5]);
        assert_eq!(judge(&event(3, "c"), &mut known, &mut None), Verdict::Store);
        assert_eq!(known.have, 5, "the holes that were declared lost are contiguous now");
    }

    #[test]
    fn a_gap_makes_the_connection_wait_for_the_one_that_is_missing() {
        let (mut known, mut awaited) = (known(2, &[], &[]), None);
        let gap = Verdict::Refused(nack(5, NackCode::Gap, 2));
        assert_eq!(judge(&event(5, "e"), &mut known, &mut awaited), gap);
        assert_eq!(judge(&event(6, "f"), &mut known, &mut awaited), Verdict::Ignored);
        assert_eq!(judge(&event(3, "c"), &mut known, &mut awaited), Verdict::Store);
        assert_eq!(judge(&event(4, "d"), &mut known, &mut awaited), Verdict::Store);
    }

    #[test]
    fn a_damaged_text_is_awaited_again_under_its_own_seq() {
        let (mut known, mut awaited) = (known(2, &[(2, "b")], &[]), None);
        let damaged = Event {
            body: "B".into(),
            ..event(2, "b")
        };
        assert_eq!(
            judge(&damaged, &mut known, &mut awaited),
            Verdict::Refused(nack(2, NackCode::BadHash, 2))
        );
        assert_eq!(judge(&event(3, "c"), &mut known, &mut awaited), Verdict::Ignored);
        assert_eq!(judge(&event(2, "b"), &mut known, &mut awaited), Verdict::Duplicate);
        assert_eq!(judge(&event(3, "c"), &mut known, &mut awaited), Verdict::Store);
    }

    #[test]
    fn another_text_under_a_known_identity_is_a_conflict_and_never_a_duplicate() {
        let mut known = known(2, &[(2, "b")], &[]);
        assert_eq!(
            judge(&event(2, "x"), &mut known, &mut None),
            Verdict::Conflict(nack(2, NackCode::EpochConflict, 2))
        );
    }

    #[test]
    fn a_lost_one_that_comes_after_all_takes_its_place() {
        let mut known = known(4, &[], &[3]);
        assert_eq!(judge(&event(3, "c"), &mut known, &mut None), Verdict::Fill);
        assert_eq!(judge(&event(3, "c"), &mut known, &mut None), Verdict::Duplicate);
        assert_eq!(known.have, 4);
    }

    #[test]
    fn no_seq_below_one_is_taken() {
        let refused = Verdict::Refused(nack(0, NackCode::BadSeq, 2));
        assert_eq!(judge(&event(0, "a"), &mut known(2, &[], &[]), &mut None), refused);
    }
}
