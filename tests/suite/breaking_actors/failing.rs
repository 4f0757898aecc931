//! An actor that cannot start is FAILED, says so, does not hinder the others, and comes back by itself.

use super::yard::Yard;

#[actix_web::test]
async fn an_actor_that_cannot_start_is_failed_and_comes_back_when_it_can() {
    let mut yard = Yard::open(3).await;
    // Five starts after the first failure, then two trials; the third succeeds.
    yard.server.panic("indicator-2", "started", 7).await;
    yard.server.panic("indicator-2", "message", 1).await;
    yard.server.until("indicator-2", |row| row.state == "FAILED").await;
    let ready = yard.server.admin.get("/readyz").await;
    assert_eq!(ready.outcome(), "503 UNAVAILABLE");
    assert_eq!(ready.body["error"]["reasons"][0], "actor indicator-2 is FAILED");
    assert_eq!(yard.server.admin.get("/healthz").await.outcome(), "200");
    for station in 1..=3 {
        yard.edge.stay(station, 18_000);
    }
    yard.edge.all_acknowledged().await;
    assert_eq!(
        yard.server.actor("indicator-2").await.state,
        "FAILED",
        "its events did not wait for it"
    );
    let row = yard.server.until("indicator-2", |row| row.state == "RUNNING").await;
    assert_eq!(row.generation, 9);
    assert_eq!(yard.server.admin.get("/readyz").await.outcome(), "200");
    for neighbour in ["indicator-1", "indicator-3", "queue-1", "repository"] {
        assert_eq!(yard.server.actor(neighbour).await.generation, 1, "{neighbour}");
    }
    check_pauses(&yard.server.logged("too often; it is tried again in"));
    yard.reckon().await;
}

/// 1, 2 and 4 seconds, each up to a fifth longer or shorter, and rounded as the log has them.
#[track_caller]
fn check_pauses(logged: &[String]) {
    let pauses: Vec<f64> = logged.iter().map(|line| seconds(line)).collect();
    let expected = [(0.8, 1.2), (1.6, 2.4), (3.2, 4.8)];
    assert_eq!(pauses.len(), expected.len(), "{logged:?}");
    for (pause, (least, most)) in pauses.iter().zip(expected) {
        assert!((least - 0.5..=most + 0.5).contains(pause), "{logged:?}");
    }
}

/// Of `… in 958ms` or `… in 2s`.
fn seconds(line: &str) -> f64 {
    let (_, pause) = line.rsplit_once(' ').unwrap();
    match pause.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse::<f64>().unwrap() / 1000.0,
        None => pause.trim_end_matches('s').parse().unwrap(),
    }
}
