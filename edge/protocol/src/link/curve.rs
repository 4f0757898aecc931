//! A capture's curve by differences: whole numbers, half the bytes, and the same curve when it is read.

use serde::{Deserialize, Serialize};

use super::{event::CurvePoint, limits::MOST_CURVE_POINTS};
use crate::Kilograms;

/// `[milliseconds, hundredths of a kilogram]` from the point before; the first one from nothing, so it is the point itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step(pub i64, pub i64);

/// How an edge writes a curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CurveForm {
    /// Each point in full: the one form that a server reads which says nothing of steps.
    #[default]
    Points,
    Steps,
}

/// Why steps are no curve. The text begins with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    #[error("CURVE_TOO_LONG: the curve has {0} points, at most {MOST_CURVE_POINTS} are taken")]
    TooLong(usize),
    #[error("CURVE_BACKWARDS: point {0} of the curve lies before the one before it")]
    Backwards(usize),
    #[error("CURVE_OUT_OF_RANGE: point {0} of the curve is no time or no weight that there is")]
    OutOfRange(usize),
    #[error("CURVE_TWICE: the curve is given as points and as steps")]
    Twice,
}

/// The curve by differences. [`decode`] gives the same points again, if they are a curve.
pub fn encode(points: &[CurvePoint]) -> Vec<Step> {
    let mut before = (0, 0);
    let step = |&CurvePoint(ms, weight): &CurvePoint| {
        let now = (i64::from(ms), weight.hundredths());
        // Only what is no weight wraps, and is none when it is read.
        let step = Step(now.0.wrapping_sub(before.0), now.1.wrapping_sub(before.1));
        before = now;
        step
    };
    points.iter().map(step).collect()
}

/// The points that the steps lead to.
///
/// # Errors
/// If no edge can have seen them.
pub fn decode(steps: &[Step]) -> Result<Vec<CurvePoint>, CurveError> {
    if steps.len() > MOST_CURVE_POINTS {
        return Err(CurveError::TooLong(steps.len()));
    }
    let mut before = (0_i64, 0_i64);
    let point = |(at, &Step(ms, hundredths)): (usize, &Step)| {
        if ms < 0 {
            return Err(CurveError::Backwards(at + 1));
        }
        let sums = before.0.checked_add(ms).zip(before.1.checked_add(hundredths));
        let point = sums.and_then(|sums| {
            before = sums;
            Some(CurvePoint(u32::try_from(sums.0).ok()?, Kilograms::in_range(sums.1)?))
        });
        point.ok_or(CurveError::OutOfRange(at + 1))
    };
    steps.iter().enumerate().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(steps: &[Step], code: &str) {
        let said = decode(steps).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{code}: ")), "{said}");
    }

    #[test]
    fn the_first_point_stands_in_full_and_the_others_as_what_has_changed() {
        let points = [(0, 60_000), (100, 1_834_050), (100, 1_834_050), (250, -1)]
            .map(|(ms, hundredths)| CurvePoint(ms, Kilograms::from_hundredths(hundredths)));
        let steps = encode(&points);
        assert_eq!(
            serde_json::to_string(&steps).unwrap(),
            "[[0,60000],[100,1774050],[0,0],[150,-1834051]]"
        );
        assert_eq!(decode(&steps).unwrap(), points);
        assert!(decode(&encode(&[])).unwrap().is_empty());
    }

    #[test]
    fn steps_that_no_edge_can_have_seen_are_refused_with_a_code() {
        refused(&[Step(0, 0); MOST_CURVE_POINTS + 1], "CURVE_TOO_LONG");
        refused(&[Step(0, 0), Step(100, 0), Step(-1, 0)], "CURVE_BACKWARDS");
        refused(&[Step(-1, 0)], "CURVE_BACKWARDS");
        refused(&[Step(i64::from(u32::MAX), 0), Step(1, 0)], "CURVE_OUT_OF_RANGE");
        refused(&[Step(1, 0), Step(i64::MAX, 0)], "CURVE_OUT_OF_RANGE");
        refused(&[Step(0, 1), Step(0, i64::MAX)], "CURVE_OUT_OF_RANGE");
        refused(&[Step(0, -1), Step(0, i64::MIN)], "CURVE_OUT_OF_RANGE");
        refused(&[Step(0, 9_999_999_999), Step(0, 1)], "CURVE_OUT_OF_RANGE");
    }

    #[test]
    fn a_step_is_two_whole_numbers() {
        for wrong in [
            "[[0,1.0]]",
            "[[0]]",
            "[[0,\"1\"]]",
            "[[0,1e3]]",
            "[[0,99999999999999999999]]",
            "[[0,1,2]]",
            "[0,1]",
        ] {
            assert!(serde_json::from_str::<Vec<Step>>(wrong).is_err(), "{wrong}");
        }
    }
}
