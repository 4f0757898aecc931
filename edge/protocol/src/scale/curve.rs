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
    use proptest::prelude::*;

    use super::*;
    use crate::{
        CycleId, Epoch,
        link::{Draft, EventBody, EventId, EventKind, curve, curve::CurveForm, event::Capture, messages::EdgeClock},
    };

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

    /// A truck of 18,340 kg that drives on and rocks to rest, at ten readings a second and divisions of 20 kg.
    fn rocking(readings: u32) -> Vec<CurvePoint> {
        let mut curve = Curve::default();
        for n in 0..readings {
            let calm = (18_340 * i32::try_from(n.min(20) + 8).unwrap() / 28).min(18_340);
            let swing = if n % 4 < 2 { 1 } else { -1 } * 400 / i32::try_from(n + 1).unwrap();
            curve.push(
                i64::from(n * 100 + n % 3),
                Kilograms::from_whole((calm + swing) / 20 * 20),
            );
        }
        curve.points()
    }

    #[test]
    fn by_differences_a_curve_takes_half_the_bytes() {
        let sizes = [80, 300, 599].map(|readings| {
            let points = rocking(readings);
            let steps = serde_json::to_string(&curve::encode(&points)).unwrap();
            format!(
                "{readings} readings: {} and {}",
                serde_json::to_string(&points).unwrap().len(),
                steps.len()
            )
        });
        expect_test::expect!["80 readings: 1421 and 800; 300 readings: 5581 and 2872; 599 readings: 11262 and 5342"]
            .assert_eq(&sizes.join("; "));
    }

    /// What an indicator may show, as text, with any decimals and below zero.
    fn weights() -> impl Strategy<Value = Kilograms> {
        let text = prop_oneof![
            "-?[0-9]{1,5}",
            "-?[0-9]{1,6}\\.[0-9]",
            "-?[0-9]{1,8}\\.[0-9]{2}",
            "1[78][0-9]{2}0",
        ];
        text.prop_map(|text| text.parse().unwrap())
    }

    /// A curve as a scale makes it, of as many readings as a truck may stand for; the clock stands still at times, and leaps.
    fn curves() -> impl Strategy<Value = Vec<CurvePoint>> {
        let ms = prop_oneof![Just(0_i64), Just(100), 0..400_i64, 0..100_000_000_i64];
        let readings = prop_oneof![
            prop::collection::vec((ms.clone(), weights()), 0..20),
            prop::collection::vec((ms, weights()), 550..2_500),
        ];
        (-500..500_i64, readings).prop_map(|(mut at, readings)| {
            let mut curve = Curve::default();
            for (ms, weight) in readings {
                at += ms;
                curve.push(at, weight);
            }
            curve.points()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_curve_of_a_scale_is_the_same_bit_for_bit_after_its_steps_were_written_and_read(points in curves()) {
            let steps = serde_json::to_string(&curve::encode(&points)).unwrap();
            let read = curve::decode(&serde_json::from_str::<Vec<curve::Step>>(&steps).unwrap()).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&points).unwrap());
        }

        #[test]
        fn an_event_carries_any_curve_of_a_scale_in_either_form(points in curves(), form in prop_oneof![Just(CurveForm::Points), Just(CurveForm::Steps)]) {
            let capture = Capture {
                weight: Kilograms::from_whole(18_340),
                gap: false,
                on_mono_ms: 0,
                raw: "0d0a".into(),
                curve: points.clone(),
                curve_steps: Vec::new(),
            };
            let draft = Draft {
                station_id: 1,
                cycle: Some(CycleId::from_bits(1)),
                at: EdgeClock { wall: chrono::DateTime::default(), mono_ms: 0, boot: uuid::Uuid::nil() },
                kind: EventKind::Capture(capture),
            };
            let id = EventId { epoch: Epoch::from_bits(1), seq: 1 };
            let (event, committed) = draft.born(id, form).unwrap();
            prop_assert_eq!(&committed.kind, &draft.kind);
            let body: EventBody = serde_json::from_str(&event.body).unwrap();
            let EventKind::Capture(capture) = body.kind else { unreachable!() };
            prop_assert_eq!(capture.curve_steps.is_empty(), points.is_empty() || form == CurveForm::Points);
            prop_assert_eq!(curve::decode(&capture.steps().unwrap()).unwrap(), points);
        }
    }
}
