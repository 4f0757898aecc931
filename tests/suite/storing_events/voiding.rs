//! A record is voided while the events arrive that complete it.

use chrono::Utc;
use weighbridge::db::{audit_log::Author, weigh_record::VoidRecord};

use crate::support::yard::Yard;

fn void(record_id: i64) -> VoidRecord {
    VoidRecord {
        record_id,
        reason: "시험".into(),
        requeue: false,
        author: Author {
            user_id: 1,
            login: "clerk".into(),
            address: "127.0.0.1".into(),
            request_id: "r".into(),
        },
        now: Utc::now(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_completed_while_it_is_voided_is_void_with_both_its_weights() {
    let mut yard = Yard::new().await;
    yard.execute(
        "INSERT INTO app_user (id, login_id, password_hash, name, role) VALUES (1, 'clerk', 'x', 'clerk', 'STAFF')",
    )
    .await;
    yard.forget_tare().await;
    let record = yard.check_in_and_call().await.record_id.unwrap();
    yard.store_stay(25_000).await;
    yard.check_in_and_call().await;
    let second_pass = yard.stay(9_980);
    // The events have come first, and wait for the station; the void has read its record, and waits behind them.
    let holder = yard.hold_station().await;
    let voiding = async {
        yard.until_locked_out(1).await;
        yard.insist_on(void(record)).await
    };
    let releasing = async {
        yard.until_locked_out(2).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (_, voided, ()) = tokio::join!(yard.store(second_pass), voiding, releasing);
    assert!(voided.unwrap().is_ok());
    assert_eq!(yard.record(record).await.status, "VOIDED");
    let undecided = "SELECT count(*) FROM capture WHERE state = 'UNASSIGNED'";
    assert_eq!(yard.count(undecided).await, 2, "both weights wait for a decision");
    let told = "SELECT count(*) FROM outbox c JOIN outbox v ON v.aggregate_key = c.aggregate_key AND v.id > c.id
                WHERE c.kind = 'ERP_COMPLETE' AND v.kind = 'ERP_VOID'";
    assert_eq!(yard.count(told).await, 1, "the ERP hears of both");
    assert_eq!(yard.broken_promises().await, Vec::<&str>::new());
}
