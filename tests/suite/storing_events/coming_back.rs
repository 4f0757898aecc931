//! A database that was restored from a backup gets weighings back as they were, in whichever order their edges come.

use weighbridge::db::edge_event::Outcome;

use crate::support::yard::Yard;

/// What each record is for those outside.
const WEIGHINGS: &str = "SELECT string_agg(concat_ws(' ', id, status, slip_number, direction, first_weight, second_weight, \
    gross_weight, tare_weight, net_weight, needs_review, review_reason), ', ' ORDER BY id) FROM weigh_record \
    WHERE first_weight IS NOT NULL";
const EFFECTS: &str = "SELECT string_agg(concat_ws(' ', idempotency_key, aggregate_key, payload->>'net_kg'), ', ' ORDER BY id) \
    FROM outbox WHERE kind = 'ERP_COMPLETE'";

async fn state(yard: &Yard) -> [String; 2] {
    [yard.text(WEIGHINGS).await, yard.text(EFFECTS).await]
}

#[tokio::test]
async fn two_passes_at_two_edges_come_back_with_slip_direction_and_key_though_the_second_edge_comes_first() {
    let mut yards = Yard::several(2).await;
    yards[0]
        .execute("UPDATE vehicle SET tare_weight = NULL WHERE id = 1")
        .await;
    Yard::learn_the_databases_name(&mut yards).await;
    let backup = yards[0].database().backup();
    yards[0].check_in_and_call().await;
    let first = yards[0].weigh(25_000).await;
    yards[0].check_in_and_be_called_to(&yards[1]).await;
    let second = yards[1].weigh(9_000).await;
    let before = state(&yards[0]).await;
    let told = "001 IN 25000.00 9000.00 25000.00 9000.00 16000.00 f";
    assert!(before[0].ends_with(told), "{before:?}");

    Yard::restore(&mut yards, &backup).await;
    yards[1].store(second).await;
    let waits = "SELECT count(*) FROM weigh_record WHERE status = 'WEIGHING' AND review_reason = 'RESTORED_INCOMPLETE'";
    assert_eq!(yards[0].count(waits).await, 1);
    assert_eq!(yards[0].broken_promises().await, Vec::<&str>::new());
    // Another truck is weighed meanwhile: the number that was printed is not for it.
    let other = yards[1].check_in_and_call().await;
    yards[1].weigh(25_000).await;
    let slip = yards[1].record(other.record_id.unwrap()).await.slip_number.unwrap();
    assert!(slip.ends_with("002"), "{slip}");

    yards[0].store(first).await;
    let after = state(&yards[0]).await;
    assert!(after[0].starts_with(&before[0]), "{after:?} instead of {before:?}");
    assert!(after[1].contains(&before[1]), "{after:?} instead of {before:?}");
    assert_eq!(yards[0].broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_weighing_comes_back_with_the_net_weight_that_was_printed_and_is_looked_at_where_the_tare_is_another() {
    let mut yards = Yard::several(1).await;
    let backup = yards[0].database().backup();
    yards[0].execute("UPDATE vehicle SET tare_weight = 9500").await;
    yards[0].check_in_and_call().await;
    let events = yards[0].weigh(25_000).await;
    let before = state(&yards[0]).await;
    assert!(
        before[0].ends_with("001 25000.00 25000.00 9500.00 15500.00 f"),
        "{before:?}"
    );

    Yard::restore(&mut yards, &backup).await;
    yards[0].store(events).await;
    let [records, effects] = state(&yards[0]).await;
    let told = before[0].trim_end_matches('f');
    assert_eq!(records, format!("{told}t RESTORED_WEIGHTS"));
    assert_eq!(effects, before[1]);
    assert_eq!(yards[0].broken_promises().await, Vec::<&str>::new());
}

#[tokio::test]
async fn what_was_weighed_with_another_server_waits_for_staff_and_takes_neither_call_nor_number() {
    let (mut tried, mut here) = (Yard::several(1).await, Yard::several(1).await);
    Yard::learn_the_databases_name(&mut tried).await;
    Yard::learn_the_databases_name(&mut here).await;
    tried[0].check_in_and_call().await;
    // The other server calls its own truck to a station of the same number meanwhile.
    here[0].check_in_and_call().await;
    let events = tried[0].weigh(25_000).await;
    let receipt = events[1].receipt.clone().unwrap();
    assert!(
        receipt.slip_number.is_some() && receipt.database.is_some(),
        "{receipt:?}"
    );

    // The edge is pointed at that server.
    tried[0].go_over_to(&here[0]).await;
    let Outcome::Taken(taken) = tried[0].store(events).await else {
        panic!("fenced")
    };
    let alarms = taken.changes.alarms.iter().map(|alarm| alarm.code);
    assert!(
        alarms.clone().any(|code| code == "RECEIPT_OF_ANOTHER_SERVER"),
        "{:?}",
        alarms.collect::<Vec<_>>()
    );
    let waiting = here[0].unassigned().await;
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0].told_elsewhere && waiting[0].receipt.is_some(), "{waiting:?}");
    for nothing in [
        "SELECT count(*) FROM slip",
        "SELECT count(*) FROM weigh_record WHERE first_weight IS NOT NULL",
        "SELECT count(*) FROM outbox WHERE kind = 'ERP_COMPLETE'",
    ] {
        assert_eq!(here[0].count(nothing).await, 0, "{nothing}");
    }
    assert_eq!(here[0].broken_promises().await, Vec::<&str>::new());
}
