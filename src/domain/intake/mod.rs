//! What the server makes of an event's *identity*: new, known, lost and found again, in conflict, or out of turn.
//!
//! - [`identities`]: the locked rows by which that is decided, and what is to be written
//! - [`group`]: one connection's events, judged, folded into the ledger, and answered
//! - [`hello`]: whose an epoch is, and what an edge has lost of it
//! - [`seqs`]: many seqs as few ranges
//! - [`pulse`]: whether a connection is still the newest, and whether the database went back
//!
//! Decided inside the transaction that stores the events, from rows read there. The connection's memory holds only what
//! it must wait for; what is stored is always the database's word.

pub mod group;
pub mod hello;
pub mod identities;
pub mod pulse;
pub mod seqs;

use std::collections::BTreeMap;

use weighbridge_protocol::{
    Epoch,
    link::{
        Event,
        messages::{Nack, NackCode},
    },
};

use seqs::Seqs;

/// What a connection must see next, after a `GAP` or `BAD_HASH`: until then all else is ignored.
pub type Awaited = Option<(Epoch, i64)>;

/// What is known of one epoch before an event is judged.
#[derive(Clone, Debug, Default)]
pub struct KnownEpoch {
    /// The highest seq up to which every one is stored, or lost.
    pub have: i64,
    /// Of the events at hand those that are stored, with the hash of their text.
    pub rows: BTreeMap<i64, String>,
    /// What the edge has declared lost, as far as the events at hand may be of it. It may still come.
    pub lost: Seqs,
    /// What is stored or lost above `have`: contiguous once the seq before it arrives.
    pub above: Seqs,
}

impl KnownEpoch {
    fn stored(&mut self, seq: i64, sha256: &str) {
        self.rows.insert(seq, sha256.to_owned());
        if seq == self.have + 1 {
            self.have = self.above.contiguous(seq);
        }
    }
}

/// What is to be done with one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// New, the next in order: store it with its effects.
    Store,
    /// A lost event has come after all: it is cut out of what is lost, and stored with what was weighed.
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
        Some(sha256) if *sha256 == event.sha256 => Verdict::Duplicate,
        Some(_) => Verdict::Conflict(nack(NackCode::EpochConflict)),
        None if known.lost.contains(event.seq) => {
            known.lost.remove(event.seq);
            known.stored(event.seq, &event.sha256);
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
        KnownEpoch {
            have,
            rows: kept.iter().map(|(seq, body)| (*seq, sha256_hex(body))).collect(),
            lost: lost.iter().copied().collect(),
            above: lost.iter().copied().filter(|seq| *seq > have).collect(),
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
    fn a_lost_one_that_comes_before_its_turn_is_passed_over_when_that_comes() {
        let mut known = known(2, &[], &[4, 5]);
        assert_eq!(judge(&event(4, "d"), &mut known, &mut None), Verdict::Fill);
        assert_eq!(known.have, 2);
        assert_eq!(judge(&event(3, "c"), &mut known, &mut None), Verdict::Store);
        assert_eq!(known.have, 5);
    }

    #[test]
    fn no_seq_below_one_is_taken() {
        let refused = Verdict::Refused(nack(0, NackCode::BadSeq, 2));
        assert_eq!(judge(&event(0, "a"), &mut known(2, &[], &[]), &mut None), refused);
    }
}
