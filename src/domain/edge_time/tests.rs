//! The clocks of an edge against the server's.

use super::*;
use weighbridge_protocol::{CycleId, Epoch};

const BOOT: Uuid = Uuid::from_u128(1);

fn server(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&format!("2026-01-25T{text}Z"))
        .unwrap()
        .to_utc()
}

fn clock(wall: &str, mono_ms: i64) -> EdgeClock {
    EdgeClock {
        wall: server(wall).fixed_offset(),
        mono_ms,
        boot: BOOT,
    }
}

fn event(wall: &str, mono_ms: i64, boot: Uuid) -> EventBody {
    EventBody {
        epoch: Epoch::from_bits(1),
        seq: 1,
        station_id: 1,
        cycle: Some(CycleId::from_bits(1)),
        at: server(wall).fixed_offset(),
        mono_ms,
        boot,
        kind: EventKind::VehicleOn {},
    }
}

#[track_caller]
fn check(model: ClockModel, event: &EventBody, at: &str, doubtful: bool) {
    let moments = model.moments(event, server("10:00:00"));
    assert_eq!((moments.at, moments.doubtful), (server(at), doubtful));
}

#[test]
fn of_the_connected_boot_the_monotonic_clock_counts_however_wrong_the_wall_is() {
    let model = ClockModel::new(&clock("12:00:00", 60_000), server("10:00:00"));
    check(model, &event("11:59:30", 30_000, BOOT), "09:59:30", false);
}

#[test]
fn a_wall_clock_set_since_makes_the_time_doubtful() {
    let model = ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00"));
    check(model, &event("08:59:30", 30_000, BOOT), "09:59:30", true);
}

#[test]
fn another_boot_is_doubtful_and_its_wall_is_corrected_past_two_seconds() {
    let model = ClockModel::new(&clock("10:00:10", 60_000), server("10:00:00"));
    check(model, &event("09:30:10", 5, Uuid::from_u128(2)), "09:30:00", true);
    let model = ClockModel::new(&clock("10:00:01", 60_000), server("10:00:00"));
    check(model, &event("09:30:01", 5, Uuid::from_u128(2)), "09:30:01", true);
}

#[test]
fn an_absurd_date_is_the_time_of_receipt() {
    let model = ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00"));
    let mut event = event("10:00:00", 0, Uuid::from_u128(2));
    for absurd in ["1970-01-01T00:00:00Z", "2038-01-20T00:00:00Z"] {
        event.at = DateTime::parse_from_rfc3339(absurd).unwrap();
        check(model, &event, "10:00:00", true);
    }
}

#[test]
fn a_sample_that_was_long_under_way_is_doubtful_until_a_quick_one_comes() {
    let sample = |wall, mono_ms, received, delay| {
        let model = ClockModel::new(&clock(wall, mono_ms), server(received));
        model.delayed(TimeDelta::milliseconds(delay))
    };
    let slow = sample("10:00:00", 60_000, "10:00:09", 9_000);
    check(slow, &event("09:59:50", 50_000, BOOT), "09:59:59", true);
    let no_better = slow.refined(sample("10:00:05", 65_000, "10:00:10", 5_000));
    check(no_better, &event("09:59:50", 50_000, BOOT), "09:59:55", true);
    let quick = no_better.refined(sample("10:00:10", 70_000, "10:00:10.100", 200));
    check(quick, &event("09:59:50", 50_000, BOOT), "09:59:50.100", false);
}

#[test]
fn a_truck_drove_on_as_early_as_the_sample_may_have_been_under_way() {
    let model = ClockModel::new(&clock("10:00:00", 60_000), server("10:00:00")).delayed(TimeDelta::milliseconds(1_500));
    let mut event = event("09:59:50", 50_000, BOOT);
    event.kind = EventKind::Capture(weighbridge_protocol::link::event::Capture {
        weight: weighbridge_protocol::Kilograms::ZERO,
        gap: false,
        on_mono_ms: 46_000,
        raw: String::new(),
        curve: Vec::new(),
        curve_steps: Vec::new(),
    });
    let moments = model.moments(&event, server("10:00:00"));
    assert_eq!((moments.at, moments.on), (server("09:59:50"), server("09:59:44.500")));
}

/// A pong: what the edge's monotonic clock said, when it came, and how long it can have been under way.
fn pong(mono_ms: i64, received: &str, delay_ms: i64) -> ClockModel {
    let received = server(received);
    let clock = EdgeClock {
        wall: received.fixed_offset(),
        mono_ms,
        boot: BOOT,
    };
    ClockModel::new(&clock, received).delayed(TimeDelta::milliseconds(delay_ms))
}

#[track_caller]
fn check_at(model: ClockModel, mono_ms: i64, received: &str, at: &str) {
    let mut event = event("10:00:00", mono_ms, BOOT);
    event.at = (model.wall_at_boot + TimeDelta::milliseconds(mono_ms)).fixed_offset();
    let moments = model.moments(&event, server(received));
    assert_eq!((moments.at, moments.doubtful), (server(at), false));
}

#[test]
fn a_sample_with_less_delay_moves_the_zero_back() {
    let refined = pong(60_000, "10:00:00.300", 301).refined(pong(65_000, "10:00:05.002", 3));
    check_at(refined, 50_000, "10:00:05", "09:59:50.002");
    let unmoved = refined.refined(pong(70_000, "10:00:10.900", 901));
    // Half a millisecond of drift since is possible.
    check_at(unmoved, 50_000, "10:00:10", "09:59:50.002500");
}

#[test]
fn a_servers_clock_that_is_set_is_followed_either_way() {
    let before = pong(60_000, "10:00:00", 5);
    check_at(
        before.refined(pong(65_000, "10:02:05", 5)),
        66_000,
        "10:02:06",
        "10:02:06",
    );
    check_at(
        before.refined(pong(65_000, "09:58:05", 5)),
        66_000,
        "09:58:06",
        "09:58:06",
    );
    let away = pong(65_000, "10:02:05", 120_005);
    check_at(before.refined(away), 66_000, "10:02:06", "10:00:06.000500");
    check_at(
        before.refined(away).refined(pong(70_000, "10:02:10", 5)),
        71_000,
        "10:02:11",
        "10:02:11",
    );
}

#[test]
fn a_monotonic_clock_that_runs_slower_or_faster_is_followed() {
    for (pace, last) in [(4_900, "10:01:40"), (5_100, "10:01:40")] {
        let pongs = (1..=20).map(|n| {
            let received = server("10:00:00") + TimeDelta::seconds(5 * n);
            pong(60_000 + pace * n, &received.format("%H:%M:%S").to_string(), 10)
        });
        let model = pongs.fold(pong(60_000, "10:00:00", 10), ClockModel::refined);
        let mut now = event(last, 60_000 + pace * 20, BOOT);
        now.at = (model.wall_at_boot + TimeDelta::milliseconds(now.mono_ms)).fixed_offset();
        let off = server(last) - model.moments(&now, server("11:00:00")).at;
        assert!(off.abs() <= TimeDelta::milliseconds(10), "{off} at {pace}");
    }
}

#[test]
fn events_of_a_boot_are_never_dated_backwards() {
    let before = pong(60_000, "10:00:00", 5);
    let mut earlier = event("10:00:01", 61_000, BOOT);
    earlier.at = server("10:00:01").fixed_offset();
    let before = before.having_dated(&earlier, server("10:00:02"));
    let faster = before.refined(pong(68_000, "10:00:05", 5));
    check_at(faster, 62_000, "10:00:05", "10:00:01");
    check_at(faster, 65_000, "10:00:05", "10:00:02");
    check_at(faster, 60_500, "10:00:05", "09:59:57.500");
    let set_back = before.refined(pong(65_000, "09:00:05", 5));
    check_at(set_back, 66_000, "09:00:07", "09:00:07");
}
