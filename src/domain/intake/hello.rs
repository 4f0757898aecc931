//! What a hello means: whose an epoch is, and what an edge has lost of it.

use weighbridge_protocol::link::messages::{EpochState, SeqRange};

use super::seqs::Seqs;

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

/// The seqs that an edge does not have any more, of those above the watermark, and that are not here either: `above` is
/// what is stored or lost of them already. What is at or below the watermark is there, every one of it.
pub fn newly_lost(state: &EpochState, have: i64, above: &Seqs) -> Seqs {
    let below = SeqRange(1, state.first_kept.saturating_sub(1));
    let last = state.next_seq.saturating_sub(1);
    let named = std::iter::once(&below).chain(&state.missing);
    let holes = named.map(|range| SeqRange(range.0.max(have.saturating_add(1)), range.1.min(last)));
    holes.collect::<Seqs>().without(above)
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
    fn a_hello_that_names_absurd_seqs_is_understood() {
        let state = EpochState {
            epoch: Epoch::from_bits(1),
            first_kept: i64::MIN,
            next_seq: i64::MIN,
            acked: i64::MAX,
            missing: vec![SeqRange(i64::MIN, i64::MAX)],
        };
        assert!(newly_lost(&state, i64::MAX, &Seqs::default()).is_empty());
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
        let lost = |have, above: &[i64]| newly_lost(&state, have, &above.iter().copied().collect());
        assert_eq!(lost(1, &[]).ranges(), [SeqRange(2, 3), SeqRange(6, 7), SeqRange(9, 9)]);
        assert_eq!(lost(6, &[]).ranges(), [SeqRange(7, 7), SeqRange(9, 9)]);
        assert_eq!(
            lost(1, &[3, 6]).ranges(),
            [SeqRange(2, 2), SeqRange(7, 7), SeqRange(9, 9)]
        );
    }
}
