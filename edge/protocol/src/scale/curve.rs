//! The weights since a vehicle drove on, for whoever wants to see afterwards how it came to rest.

use crate::{
    Kilograms,
    link::{event::CurvePoint, limits::MOST_CURVE_POINTS},
};

/// A curve of any length in bounded memory: when it is full, every second point goes and only every second comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Curve {
    points: Vec<CurvePoint>,
    newest: Option<CurvePoint>,
    seen: u64,
    stride: u64,
}

impl Default for Curve {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            newest: None,
            seen: 0,
            stride: 1,
        }
    }
}

impl Curve {
    /// Takes a weight, `since_on_ms` after vehicle-on.
    pub(super) fn push(&mut self, since_on_ms: i64, weight: Kilograms) {
        let point = CurvePoint(u32::try_from(since_on_ms.max(0)).unwrap_or(u32::MAX), weight);
        if self.seen.is_multiple_of(self.stride) {
            self.points.push(point);
            // One place is kept free for the newest point.
            if self.points.len() >= MOST_CURVE_POINTS {
                self.halve();
            }
        }
        self.seen += 1;
        self.newest = Some(point);
    }

    fn halve(&mut self) {
        let mut keep = false;
        self.points.retain(|_| {
            keep = !keep;
            keep
        });
        self.stride *= 2;
    }

    /// At most [`MOST_CURVE_POINTS`], the first and the newest always among them.
    pub(super) fn points(&self) -> Vec<CurvePoint> {
        let mut points = self.points.clone();
        points.extend(self.newest.filter(|newest| points.last() != Some(newest)));
        points
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve_of(length: i32) -> Vec<CurvePoint> {
        let mut curve = Curve::default();
        for i in 0..length {
            curve.push(i64::from(i) * 100, Kilograms::from_whole(i));
        }
        curve.points()
    }

    #[test]
    fn a_short_curve_is_kept_whole() {
        assert_eq!(curve_of(599).len(), 599);
        assert!(curve_of(0).is_empty());
    }

    #[test]
    fn a_long_curve_is_thinned_evenly_and_keeps_both_ends() {
        for length in [600, 601, 1200, 1201, 5000, 40_000] {
            let points = curve_of(length);
            assert!(
                (300..=MOST_CURVE_POINTS).contains(&points.len()),
                "{length}: {}",
                points.len()
            );
            assert_eq!(points.first(), Some(&CurvePoint(0, Kilograms::ZERO)));
            assert_eq!(
                points.last().map(|point| point.1),
                Some(Kilograms::from_whole(length - 1))
            );
            assert!(
                points.windows(2).all(|pair| pair[0].0 < pair[1].0),
                "{length}: out of order"
            );
        }
    }
}
