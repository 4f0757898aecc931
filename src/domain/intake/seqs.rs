//! Seqs as ranges: what an edge has lost may be millions, and a range is one row however long it is.

use weighbridge_protocol::link::messages::SeqRange;

/// Seqs of one epoch, as ascending ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seqs(Vec<SeqRange>);

impl Seqs {
    pub fn ranges(&self) -> &[SeqRange] {
        &self.0
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn count(&self) -> u64 {
        let lengths = self.0.iter().map(|range| range.1.abs_diff(range.0).saturating_add(1));
        lengths.fold(0, u64::saturating_add)
    }

    pub fn contains(&self, seq: i64) -> bool {
        self.0.iter().any(|range| (range.0..=range.1).contains(&seq))
    }

    /// How far an epoch goes on without a hole after `have`, where these are all that there is of it beyond.
    pub fn contiguous(&self, have: i64) -> i64 {
        let next = have.saturating_add(1);
        let on = self.0.iter().find(|range| (range.0..=range.1).contains(&next));
        on.map_or(have, |range| range.1)
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.0.into_iter().chain(other.0).collect()
    }

    #[must_use]
    pub fn without(&self, taken: &Self) -> Self {
        let mut left = Vec::new();
        for SeqRange(first, last) in self.0.iter().copied() {
            let mut next = first;
            for out in taken.0.iter().filter(|out| out.0 <= last && out.1 >= first) {
                left.push(SeqRange(next, out.0.saturating_sub(1)));
                next = out.1.saturating_add(1);
            }
            left.push(SeqRange(next, last));
        }
        left.into_iter().collect()
    }

    pub fn remove(&mut self, seq: i64) {
        *self = self.without(&Self::from_iter([SeqRange(seq, seq)]));
    }
}

impl FromIterator<i64> for Seqs {
    fn from_iter<T: IntoIterator<Item = i64>>(seqs: T) -> Self {
        seqs.into_iter().map(|seq| SeqRange(seq, seq)).collect()
    }
}

/// In any order, overlapping or not; a range that ends before it begins holds nothing.
impl FromIterator<SeqRange> for Seqs {
    fn from_iter<T: IntoIterator<Item = SeqRange>>(ranges: T) -> Self {
        let mut sorted: Vec<SeqRange> = ranges.into_iter().filter(|range| range.0 <= range.1).collect();
        sorted.sort_unstable_by_key(|range| range.0);
        let mut merged: Vec<SeqRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.0 <= last.1.saturating_add(1) => last.1 = range.1.max(last.1),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs<const N: usize>(ranges: [(i64, i64); N]) -> Seqs {
        ranges.into_iter().map(|(first, last)| SeqRange(first, last)).collect()
    }

    #[test]
    fn ranges_that_touch_are_one_and_empty_ones_are_none() {
        assert_eq!(seqs([(5, 6), (1, 2), (3, 3), (9, 8)]), seqs([(1, 3), (5, 6)]));
        assert_eq!(Seqs::from_iter([1, 2, 5]), seqs([(1, 2), (5, 5)]));
        assert_eq!(seqs([(1, i64::MAX), (i64::MAX, i64::MAX)]).count(), i64::MAX as u64);
    }

    #[test]
    fn what_is_taken_out_leaves_both_sides() {
        let mut lost = seqs([(2, 9), (20, 21)]);
        assert_eq!(
            lost.without(&seqs([(1, 2), (5, 6), (21, 30)])),
            seqs([(3, 4), (7, 9), (20, 20)])
        );
        lost.remove(2);
        lost.remove(20);
        assert_eq!(lost, seqs([(3, 9), (21, 21)]));
        assert!(lost.contains(3) && lost.contains(9) && !lost.contains(2) && !lost.contains(10));
        assert_eq!(lost.count(), 8);
    }

    #[test]
    fn an_epoch_goes_on_over_what_follows_at_once() {
        let above = seqs([(7, 3_000_000), (3_000_002, 3_000_003)]);
        assert_eq!(above.contiguous(6), 3_000_000);
        assert_eq!(above.contiguous(5), 5);
        assert_eq!(above.contiguous(3_000_001), 3_000_003);
    }
}
