//! What the database itself refuses, whoever asks: each rule by the statement that would break it, and beside it what
//! must still be possible.

use tokio_postgres::Client;

use crate::support::database::Database;

async fn yard(database: &Database) -> Client {
    let client = database.connect().await;
    client.batch_execute(include_str!("support/yard.sql")).await.unwrap();
    client
}

/// Tries a statement and takes it back. `constraint`: what must refuse it; empty: it must be accepted.
#[track_caller]
fn check(outcome: Result<(), tokio_postgres::Error>, statement: &str, constraint: &str) {
    match outcome {
        Ok(()) => assert_eq!(constraint, "", "accepted: {statement}"),
        Err(error) => {
            let refused = error.as_db_error().unwrap();
            assert_eq!(
                refused.constraint().unwrap_or("none"),
                constraint,
                "{statement}: {refused}"
            );
        }
    }
}

async fn check_all(cases: &[(&str, &str)]) {
    let database = Database::new();
    let client = yard(&database).await;
    for (statement, constraint) in cases {
        client.batch_execute("BEGIN").await.unwrap();
        let both = format!("{statement}; SET CONSTRAINTS ALL IMMEDIATE");
        let outcome = client.batch_execute(&both).await;
        check(outcome, statement, constraint);
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_completed_weighing_can_only_be_voided() {
    check_all(&[
        ("UPDATE weigh_record SET gross_weight = 20000, net_weight = 11660 WHERE id = 1", "weigh_record_completed_is_final"),
        ("UPDATE weigh_record SET vehicle_id = 2 WHERE id = 1", "weigh_record_completed_is_final"),
        ("UPDATE weigh_record SET weighed_at = weighed_at + interval '1 s' WHERE id = 1", "weigh_record_completed_is_final"),
        ("UPDATE weigh_record SET slip_number = NULL WHERE id = 1", "weigh_record_completed_is_final"),
        ("UPDATE weigh_record SET overload = 'OK' WHERE id = 1", "weigh_record_completed_is_final"),
        ("UPDATE weigh_record SET status = 'WEIGHING' WHERE id = 1", "weigh_record_completed_is_only_voided"),
        ("UPDATE weigh_record SET voided_at = now() WHERE id = 1", "weigh_record_voided_says_when_and_why"),
        ("UPDATE weigh_record SET status = 'VOIDED' WHERE id = 1", "weigh_record_voided_says_when_and_why"),
        ("DELETE FROM weigh_record WHERE id = 1", "weigh_record_completed_stays"),
        ("DELETE FROM weigh_record_2026_11 WHERE id = 1", "weigh_record_completed_stays"),
        ("TRUNCATE weigh_record", "weigh_record_is_not_emptied"),
        ("UPDATE weigh_record SET status = 'VOIDED', voided_at = now(), voided_by = 1, void_reason = 'wrong truck' WHERE id = 1", ""),
        ("UPDATE weigh_record SET needs_review = TRUE, review_reason = 'MOVED', reprint_count = 1 WHERE id = 1", ""),
        ("UPDATE weigh_record SET erp_sent = TRUE, erp_sent_at = now(), erp_response = '{}' WHERE id = 1", ""),
    ])
    .await;
}

#[tokio::test]
async fn a_voided_weighing_stays_voided() {
    const VOID: &str = "UPDATE weigh_record SET status = 'VOIDED', voided_at = now(), void_reason = 'x' WHERE id = 1";
    let then = |statement: &str| format!("{VOID}; {statement}");
    check_all(&[
        (
            &then("UPDATE weigh_record SET status = 'COMPLETED', voided_at = NULL, void_reason = NULL WHERE id = 1"),
            "weigh_record_voided_is_final",
        ),
        (
            &then("UPDATE weigh_record SET void_reason = 'y' WHERE id = 1"),
            "weigh_record_voided_is_final",
        ),
        (
            &then("DELETE FROM weigh_record WHERE id = 1"),
            "weigh_record_completed_stays",
        ),
        (&then("UPDATE weigh_record SET erp_sent = TRUE WHERE id = 1"), ""),
    ])
    .await;
}

#[tokio::test]
async fn an_open_weighing_completes_with_exact_weights_and_a_slip_of_its_own() {
    let complete = |number: &str, gross: i32, tare: i32, net: i32| {
        format!(
            "UPDATE weigh_record SET status = 'COMPLETED', slip_number = '{number}', gross_weight = {gross}, \
             tare_weight = {tare}, net_weight = {net} WHERE id = 2"
        )
    };
    let slip = "INSERT INTO slip (slip_number, site_id, day, number, record_id) VALUES ('WR20261125003', 1, '2026-11-25', 3, 2)";
    let with_slip = |gross, tare, net| format!("{slip}; {}", complete("WR20261125003", gross, tare, net));
    check_all(&[
        (&with_slip(18340, 8340, 10000), ""),
        (
            &format!("{}; {slip}", complete("WR20261125003", 18340, 8340, 10000)),
            "",
        ),
        (&with_slip(18340, 8340, 9999), "weigh_record_net_is_gross_less_tare"),
        (&with_slip(8340, 18340, -10000), "weigh_record_gross_exceeds_tare"),
        (&with_slip(18340, -10, 18350), "weigh_record_tare_is_not_negative"),
        (&complete("WR20261125003", 18340, 8340, 10000), "weigh_record_slip_fkey"),
        (&complete("WR20261125001", 18340, 8340, 10000), "weigh_record_slip_fkey"),
        (
            "UPDATE weigh_record SET status = 'COMPLETED' WHERE id = 2",
            "weigh_record_completed_has_a_slip",
        ),
        (
            "UPDATE weigh_record SET slip_number = 'WR20261125001' WHERE id = 2",
            "weigh_record_open_has_no_slip",
        ),
        (
            "UPDATE weigh_record SET status = 'DONE' WHERE id = 2",
            "weigh_record_status_is_known",
        ),
        (
            &format!(
                "SELECT ensure_weigh_record_partition('2026-12-01 00:00+09'); {slip}; {}",
                complete("WR20261125003', weighed_at = '2026-12-01 00:00+09", 18340, 8340, 10000)
            ),
            "",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_open_weighing_is_removed_only_while_it_has_no_weight() {
    check_all(&[
        ("DELETE FROM weigh_record WHERE id = 2", "weigh_record_weighed_stays"),
        ("DELETE FROM weigh_record WHERE id = 3", ""),
        ("SELECT ensure_weigh_record_partition('2026-12-25'); INSERT INTO weigh_record (id, station_id, vehicle_id, site_id, weighed_at) VALUES (3, 1, 1, 1, '2026-12-25')", "record_id_pkey"),
        ("DELETE FROM weigh_record WHERE id = 3; INSERT INTO weigh_record (id, station_id, vehicle_id, site_id) VALUES (3, 1, 1, 1)", ""),
        (
            "UPDATE weigh_record SET first_weight = 1 WHERE id = 3",
            "weigh_record_first_pass_is_whole",
        ),
        (
            "UPDATE weigh_record SET manual = TRUE WHERE id = 3",
            "weigh_record_manual_has_reason_and_key",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_slip_number_is_given_once_and_stays_explained() {
    let slip = |number: &str, day: &str, count: i32| {
        format!(
            "INSERT INTO slip (slip_number, site_id, day, number, record_id) VALUES ('{number}', 1, '{day}', {count}, 7)"
        )
    };
    check_all(&[
        (&slip("WR20261125001", "2026-11-25", 1), "slip_pkey"),
        (&slip("XX20261125001", "2026-11-25", 1), "slip_number_of_day_key"),
        (&slip("WR20261125004", "2026-11-25", 5), "slip_number_ends_in_its_number"),
        (&slip("wr20261125004", "2026-11-25", 4), "slip_number_is_well_formed"),
        (&slip("WR202611251000", "2026-11-25", 1000), ""),
        ("INSERT INTO slip (slip_number, site_id, day, number, record_id) VALUES ('WR20261125003', 1, '2026-11-25', 3, 1)", "slip_record_id_key"),
        ("UPDATE slip SET record_id = 9 WHERE number = 1", "slip_issued_is_final"),
        ("UPDATE slip SET day = '2026-11-26' WHERE number = 2", "slip_lost_is_only_filled"),
        ("UPDATE slip SET state = 'ISSUED', record_id = 9 WHERE number = 2", ""),
        ("UPDATE slip SET state = 'ISSUED' WHERE number = 2", "slip_is_issued_to_a_record"),
        ("DELETE FROM slip WHERE number = 2", "slip_stays"),
        ("UPDATE slip_counter SET last_number = 1", "slip_counter_never_falls"),
        ("UPDATE slip_counter SET last_number = 502", ""),
        ("UPDATE queue_counter SET last_number = 1", "queue_counter_never_falls"),
    ])
    .await;
}

#[tokio::test]
async fn a_driver_waits_once_and_a_station_has_one_truck_called() {
    let entry = |driver: i32, number: i32, rest: &str| {
        format!(
            "INSERT INTO wait_queue (site_id, day, position, vehicle_id, driver_id, queue_number, status, station_id, \
             called_at, record_id) VALUES (1, '2026-11-25', 3, 2, {driver}, {number}, {rest})"
        )
    };
    check_all(&[
        (&entry(1, 3, "'WAITING', NULL, NULL, NULL"), "wait_queue_one_open_per_driver"),
        (&entry(2, 3, "'WAITING', NULL, NULL, NULL"), "wait_queue_one_open_per_driver"),
        (&entry(2, 3, "'CANCELLED', NULL, NULL, NULL"), ""),
        (&entry(2, 2, "'CANCELLED', NULL, NULL, NULL"), "wait_queue_number_key"),
        ("UPDATE wait_queue SET status = 'CALLED', station_id = 1, called_at = now(), record_id = 4 WHERE driver_id = 2", "wait_queue_one_called_per_station"),
        ("UPDATE wait_queue SET status = 'CALLED', station_id = 2, called_at = now(), record_id = 4 WHERE driver_id = 2", ""),
        ("UPDATE wait_queue SET status = 'CALLED' WHERE driver_id = 2", "wait_queue_called_to_a_station"),
        ("UPDATE wait_queue SET priority = TRUE WHERE driver_id = 2", "wait_queue_priority_has_a_reason"),
        ("UPDATE wait_queue SET status = 'GONE' WHERE driver_id = 2", "wait_queue_status_is_known"),
        ("UPDATE wait_queue SET status = 'NO_SHOW' WHERE driver_id = 1", ""),
    ])
    .await;
}

#[tokio::test]
async fn what_an_edge_told_is_kept_as_it_was_told() {
    check_all(&[
        ("INSERT INTO edge_event (epoch, seq, edge_id, status) SELECT epoch, seq, edge_id, 'LOST' FROM edge_event WHERE seq = 1", "edge_event_pkey"),
        ("UPDATE edge_event SET body = '[]' WHERE seq = 1", "edge_event_is_final"),
        ("UPDATE edge_event SET status = 'REJECTED' WHERE seq = 1", "edge_event_is_final"),
        ("UPDATE edge_event SET decided_by = 1, decided_at = now(), decided_why = 'debris' WHERE seq = 1", ""),
        ("UPDATE edge_event SET status = 'STORED', body = '{}', sha256 = repeat('b', 64), kind = 'capture' WHERE seq = 3", ""),
        ("UPDATE edge_event SET seq = 4 WHERE seq = 3", "edge_event_keeps_its_identity"),
        ("UPDATE edge_event SET status = 'STORED' WHERE seq = 3", "edge_event_has_its_text_unless_lost"),
        ("DELETE FROM edge_event WHERE seq = 3", "edge_event_stays"),
        ("INSERT INTO edge_lost_range (epoch, from_seq, to_seq) SELECT epoch, 9, 8 FROM edge_epoch", "edge_lost_range_is_ascending"),
        ("INSERT INTO edge_lost_range (epoch, from_seq, to_seq) SELECT epoch, 0, 8 FROM edge_epoch", "edge_lost_range_counts_from_one"),
        ("UPDATE capture SET weight = 1 WHERE id = 1", "capture_is_final"),
        ("UPDATE capture SET curve = '[]' WHERE id = 1", "capture_curve_is_only_erased"),
        ("UPDATE capture SET curve = NULL WHERE id = 1", ""),
        ("UPDATE capture SET state = 'UNASSIGNED', record_id = NULL WHERE id = 1", ""),
        ("UPDATE capture SET state = 'UNASSIGNED' WHERE id = 1", "capture_is_assigned_to_a_record"),
        ("UPDATE capture SET state = 'DISMISSED', record_id = NULL WHERE id = 1", "capture_is_dismissed_for_a_reason"),
        ("DELETE FROM capture WHERE id = 1", "capture_stays"),
        ("INSERT INTO capture (station_id, cycle, epoch, seq, weight, captured_at) SELECT 1, cycle, epoch, 3, 1, now() FROM capture WHERE id = 1", "capture_cycle_key"),
        ("INSERT INTO capture (station_id, cycle, epoch, seq, weight, captured_at) VALUES (1, gen_random_uuid(), gen_random_uuid(), 1, 1, now())", "capture_event_fkey"),
        ("INSERT INTO edge_conflict (epoch, seq, edge_id, sha256, body) VALUES (gen_random_uuid(), 1, 1, 'x', 'y'); DELETE FROM edge_conflict", "edge_conflict_is_final"),
        ("INSERT INTO audit_log (actor, action, subject) VALUES ('a', 'b', 'c'); UPDATE audit_log SET actor = 'd'", "audit_log_is_final"),
        ("DELETE FROM audit_log", "audit_log_is_final"),
    ])
    .await;
}

#[tokio::test]
async fn names_that_must_be_unique_are() {
    check_all(&[
        (
            "INSERT INTO vehicle (plate_number) VALUES ('12가3456')",
            "idx_vehicle_plate",
        ),
        (
            "INSERT INTO app_user (login_id, password_hash, name) VALUES ('admin', 'x', 'y')",
            "idx_user_login",
        ),
        ("INSERT INTO site (name) VALUES ('second')", "site_slip_prefix_key"),
        (
            "INSERT INTO site (name, slip_prefix) VALUES ('second', 'W2')",
            "site_slip_prefix_ends_in_a_letter",
        ),
        ("INSERT INTO site (name, slip_prefix) VALUES ('second', 'BS')", ""),
        (
            "UPDATE app_user SET refresh_token = 'secret'",
            "app_user_keeps_no_token",
        ),
        ("UPDATE app_user SET role = 'ROOT'", "app_user_role_is_known"),
        (
            "INSERT INTO database_identity (only_row, system_identifier, timeline) VALUES (FALSE, 1, 1)",
            "database_identity_is_one_row",
        ),
    ])
    .await;
}

#[tokio::test]
async fn views_show_an_event_with_the_slip_it_led_to() {
    let database = Database::new();
    let client = yard(&database).await;
    let rows = client
        .query(
            "SELECT edge, epoch, seq, slip_number, length(cycle) AS digits FROM v_edge_events ORDER BY seq",
            &[],
        )
        .await
        .unwrap();
    let slips: Vec<Option<&str>> = rows.iter().map(|row| row.get("slip_number")).collect();
    assert_eq!(slips, [Some("WR20261125001"), None, None]);
    assert_eq!(rows[0].get::<_, &str>("epoch"), "000000000000000000000000000000e1");
    assert_eq!(rows[0].get::<_, Option<i32>>("digits"), Some(32));
    assert_eq!(rows[0].get::<_, i64>("edge"), 1);
    for view in ["v_outbox", "v_queue", "v_audit", "v_sessions"] {
        client.batch_execute(&format!("SELECT * FROM {view}")).await.unwrap();
    }
}

#[tokio::test]
async fn a_stations_address_tells_its_host_and_port() {
    let database = Database::new();
    let client = yard(&database).await;
    let rows = client
        .query(
            "SELECT serial_port, ip_address, port FROM weigh_station ORDER BY id",
            &[],
        )
        .await
        .unwrap();
    let told: Vec<(Option<&str>, Option<&str>, Option<i32>)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(
        told,
        [
            (None, Some("192.168.0.20"), Some(9000)),
            (Some("/dev/ttyUSB0"), None, None)
        ]
    );
}
