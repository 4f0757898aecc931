//! What a hello means: whose an epoch is, and what an edge has lost of it.

use chrono::{DateTime, Utc};
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

/// Whether the edge was once told of more than is here: the database went back. `noted` is up to where an earlier hello said
/// so; an edge that did not hear the answer says it again.
pub fn went_back(state: &EpochState, have: i64, noted: Option<i64>) -> bool {
    let told = state.acked.min(state.next_seq.saturating_sub(1));
    told > have && noted.is_none_or(|noted| told > noted)
}

/// Whether room is still to be made for what a database lacks that went back. It went back after `sound_at`, when it was last
/// seen with all that it should have; room that was made since then is room for this.
pub fn wants_room(sound_at: Option<DateTime<Utc>>, made_at: Option<DateTime<Utc>>) -> bool {
    made_at.is_none_or(|made_at| sound_at.is_none_or(|sound_at| made_at < sound_at))
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
    fn an_edge_that_was_told_of_more_than_is_here_shows_that_the_database_went_back() {
        let state = |acked| EpochState {
            epoch: Epoch::from_bits(1),
            first_kept: 1,
            next_seq: 20,
            acked,
            missing: Vec::new(),
        };
        assert!(went_back(&state(12), 3, None));
        assert!(!went_back(&state(12), 12, None));
        assert!(!went_back(&state(12), 3, Some(12)), "it did not hear the answer");
        assert!(went_back(&state(15), 3, Some(12)), "that is another time");
        assert!(!went_back(&state(i64::MAX), 19, None), "nobody can have told it that");
    }

    #[test]
    fn room_is_made_once_for_all_edges_that_bring_the_news() {
        let minute = |minute: i64| DateTime::from_timestamp(60 * minute, 0);
        assert!(wants_room(minute(5), None));
        assert!(!wants_room(minute(5), minute(6)), "another edge has brought the news");
        assert!(wants_room(minute(7), minute(6)), "it was sound after that");
        assert!(wants_room(None, minute(6)), "nobody knows");
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
