//! The settling window: the newest readings that all lie within the tolerance of one another.

use std::collections::VecDeque;

use crate::Kilograms;

/// A minute at a hundred readings a second. Beyond it the oldest but one go: the window still spans its dwell.
const MOST_READINGS: usize = 6_000;

/// The newest stretch of readings whose greatest and least weight lie within the tolerance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    readings: VecDeque<(i64, Kilograms)>,
}

impl Window {
    /// Takes a reading, drops what disagrees with it, and answers the median once the rest spans `dwell_ms`.
    pub(super) fn push(
        &mut self,
        t_ms: i64,
        weight: Kilograms,
        tolerance: Kilograms,
        dwell_ms: u32,
    ) -> Option<Kilograms> {
        // Those kept agree with one another already, so only a pair with the new one can be too far apart.
        let apart = |&(_, kept): &(i64, Kilograms)| kept.distance(weight) > tolerance;
        if let Some(last) = self.readings.iter().rposition(apart) {
            self.readings.drain(..=last);
        }
        self.readings.push_back((t_ms, weight));
        let begin = t_ms.saturating_sub(i64::from(dwell_ms));
        // The reading at or before the beginning stays, for without it the window would not span the dwell.
        while self.readings.get(1).is_some_and(|&(second, _)| second <= begin) {
            self.readings.pop_front();
        }
        if self.readings.len() > MOST_READINGS {
            self.readings.remove(1);
        }
        let spans = self.readings.front().is_some_and(|&(first, _)| first <= begin);
        spans.then(|| self.median())
    }

    /// Forgets all: what comes next must settle anew.
    pub(super) fn clear(&mut self) {
        self.readings.clear();
    }

    /// Whether at least two readings agree, so that the weight may be coming to rest.
    pub(super) fn is_settling(&self) -> bool {
        self.readings.len() > 1
    }

    /// The lower of the two middle ones where their number is even: a weight that the indicator has shown.
    fn median(&self) -> Kilograms {
        let mut weights: Vec<Kilograms> = self.readings.iter().map(|&(_, weight)| weight).collect();
        weights.sort_unstable();
        weights
            .get(weights.len().saturating_sub(1) / 2)
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes one reading each 100 ms into a window of 300 ms and 20 kg; answers what each push said.
    fn push_all(weights: &[i32]) -> Vec<Option<i64>> {
        let mut window = Window::default();
        (0..)
            .zip(weights)
            .map(|(i, &kg)| window.push(i * 100, Kilograms::from_whole(kg), Kilograms::from_whole(20), 300))
            .map(|median| median.map(|weight| weight.hundredths() / 100))
            .collect()
    }

    #[test]
    fn a_weight_settles_when_its_readings_span_the_dwell() {
        assert_eq!(push_all(&[1000, 1010, 1000, 1020]), [None, None, None, Some(1000)]);
    }

    #[test]
    fn a_reading_beyond_the_tolerance_begins_the_window_anew() {
        assert_eq!(
            push_all(&[1000, 1000, 1000, 1030, 1030, 1020, 1030]),
            [None, None, None, None, None, None, Some(1030)]
        );
    }

    #[test]
    fn the_tolerance_bounds_the_greatest_less_the_least_and_not_neighbours() {
        assert_eq!(push_all(&[1000, 1010, 1020, 1030, 1040, 1050, 1060, 1070]), [None; 8]);
    }

    #[test]
    fn one_reading_settles_nothing_however_long_it_stands() {
        let mut window = Window::default();
        let tolerance = Kilograms::from_whole(20);
        assert_eq!(window.push(0, Kilograms::from_whole(1000), tolerance, 1), None);
        assert!(!window.is_settling());
        assert_eq!(
            window.push(5000, Kilograms::from_whole(1000), tolerance, 1),
            Some(Kilograms::from_whole(1000))
        );
    }

    #[test]
    fn a_clock_that_stands_still_fills_no_memory() {
        let mut window = Window::default();
        for _ in 0..MOST_READINGS + 10 {
            window.push(7, Kilograms::ZERO, Kilograms::ZERO, 10);
        }
        assert_eq!(window.readings.len(), MOST_READINGS);
    }
}
