//! What a hello means: whose an epoch is, and what an edge has lost of it.

use weighbridge_protocol::link::messages::{EpochState, SeqRange};

/// May an edge speak for an epoch?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody knows it yet.
    New,
    Own,
    /// It was that of an edge which is out of use.
    TakenOver,
    /// It is this edge's, which is in use: no other may speak for it.
    Foreign(i64),
}

/// `owner` is the edge under which the epoch is known, and whether that is active.
pub const fn claim(edge_id: i64, owner: Option<(i64, bool)>) -> Claim {
    match owner {
        None => Claim::New,
        Some((owner, _)) if owner == edge_id => Claim::Own,
        Some((owner, true)) => Claim::Foreign(owner),
        Some((_, false)) => Claim::TakenOver,
    }
}

/// The seqs that an edge does not have any more, of those above the watermark: what is stored of them stays, the rest is
/// lost. What is at or below the watermark is stored, every one of it.
pub fn holes(state: &EpochState, have: i64) -> Vec<SeqRange> {
    let below = SeqRange(1, state.first_kept - 1);
    let named = std::iter::once(&below).chain(&state.missing);
    let above = named.map(|range| SeqRange(range.0.max(have + 1), range.1.min(state.next_seq - 1)));
    above.filter(|range| range.0 <= range.1).collect()
}

/// How far an epoch is stored without a hole, where `above` are the stored seqs above `have`, ascending.
pub fn contiguous(mut have: i64, above: impl IntoIterator<Item = i64>) -> i64 {
    for next in above {
        if next != have + 1 {
            break;
        }
        have = next;
    }
    have
}

/// Ascending seqs as ranges.
pub fn ranges(seqs: impl IntoIterator<Item = i64>) -> Vec<SeqRange> {
    let mut ranges: Vec<SeqRange> = Vec::new();
    for seq in seqs {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == seq => last.1 = seq,
            _ => ranges.push(SeqRange(seq, seq)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge_protocol::Epoch;

    #[test]
    fn an_epoch_goes_to_another_edge_only_from_one_that_is_out_of_use() {
        assert_eq!(claim(1, None), Claim::New);
        assert_eq!(claim(1, Some((1, true))), Claim::Own);
        assert_eq!(claim(1, Some((2, true))), Claim::Foreign(2));
        assert_eq!(claim(1, Some((2, false))), Claim::TakenOver);
    }

    #[test]
    fn a_hole_is_what_the_edge_lacks_and_the_watermark_does_not_cover() {
        let state = EpochState {
            epoch: Epoch::from_bits(1),
            first_kept: 4,
            next_seq: 10,
            acked: 2,
            missing: vec![SeqRange(6, 7), SeqRange(9, 12)],
        };
        assert_eq!(holes(&state, 1), [SeqRange(2, 3), SeqRange(6, 7), SeqRange(9, 9)]);
        assert_eq!(holes(&state, 6), [SeqRange(7, 7), SeqRange(9, 9)]);
        assert_eq!(contiguous(6, [7, 9, 10]), 7);
        assert_eq!(ranges([1, 2, 5]), [SeqRange(1, 2), SeqRange(5, 5)]);
    }
}
