//! How a weight settled is kept by differences, in whichever form its edge wrote it.

use weighbridge::db::{Query, capture::CurvesOf};
use weighbridge_protocol::{
    Kilograms,
    link::{
        Event, EventBody, EventKind,
        event::{CurvePoint, sha256_hex},
    },
};

use super::{Yard, acknowledged};

fn points() -> Vec<CurvePoint> {
    [(0, 62_000), (100, -150), (100, 2_499_950), (350, 2_500_000)]
        .map(|(ms, hundredths)| CurvePoint(ms, Kilograms::from_hundredths(hundredths)))
        .to_vec()
}

/// The stay's capture with something else in its text.
fn with(stay: &mut [Event], change: impl FnOnce(String) -> String) {
    let capture = &mut stay[1];
    capture.body = change(std::mem::take(&mut capture.body));
    capture.sha256 = sha256_hex(&capture.body);
}

fn with_curve(stay: &mut [Event], by_steps: bool) {
    with(stay, |text| {
        let mut body: EventBody = serde_json::from_str(&text).unwrap();
        if let EventKind::Capture(capture) = &mut body.kind {
            capture.curve = points();
        }
        if by_steps {
            body.kind = body.kind.in_steps();
        }
        serde_json::to_string(&body).unwrap()
    });
}

#[tokio::test]
async fn an_older_edges_points_and_a_newer_ones_steps_are_kept_and_read_as_the_same_curve() {
    let mut yard = Yard::new().await;
    for by_steps in [false, true] {
        let record = yard.check_in_and_call().await.record_id.unwrap();
        let mut stay = yard.stay(25_000);
        with_curve(&mut stay, by_steps);
        assert_eq!(stay[1].body.contains("curve_steps"), by_steps);
        yard.store(stay).await;
        let kept = format!(
            "SELECT count(*) FROM capture WHERE record_id = {record} \
             AND curve = '[[0, 62000], [100, -62150], [0, 2500100], [250, 50]]'"
        );
        assert_eq!(yard.count(&kept).await, 1, "by steps: {by_steps}");
        let mut conn = yard.database().pool().get().await.unwrap();
        let read = CurvesOf(record).run(&mut conn).await.unwrap().remove(0);
        assert_eq!(read.points, Some(points()));
    }
}

#[tokio::test]
async fn a_capture_whose_steps_are_no_curve_is_set_aside_with_its_code_and_its_weight() {
    let mut yard = Yard::new().await;
    let refused = [
        ("[[0,0],[-1,0]]", "CURVE_BACKWARDS"),
        ("[[0,0],[9223372036854775807,0]]", "CURVE_OUT_OF_RANGE"),
        ("[[0,9223372036854775807]]", "CURVE_OUT_OF_RANGE"),
    ];
    for (steps, code) in refused {
        let mut stay = yard.stay(25_000);
        let seq = stay[1].seq;
        with(&mut stay, |text| {
            text.replace(r#""curve":[]"#, &format!(r#""curve":[],"curve_steps":{steps}"#))
        });
        assert_eq!(acknowledged(&yard.store(stay).await), seq + 1, "it holds up nothing");
        let set_aside = format!(
            "SELECT count(*) FROM edge_event WHERE seq = {seq} AND status = 'REJECTED' AND reason LIKE '{code}: point %'"
        );
        assert_eq!(yard.count(&set_aside).await, 1, "{steps}");
    }
    assert_eq!(yard.count("SELECT count(*) FROM capture").await, 0);
}
