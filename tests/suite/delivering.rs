//! What is owed to others is delivered: in order, once per lease, and by nobody else while it is on its way.

mod carriers;
mod deciding;
mod settling;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use weighbridge::{
    db::{
        Runner,
        outbox::{Claim, Settle},
    },
    domain::delivery::{Outcome, Settlement},
};

use self::carriers::{Porter, Post};
use crate::support::database::Database;

const MINUTE: Duration = Duration::from_mins(1);

fn claim(limit: i64, lease: Duration) -> Claim {
    Claim {
        destination: "ERP",
        owner: "another".to_owned(),
        lease,
        limit,
    }
}

#[actix_rt::test]
async fn messages_of_one_aggregate_go_in_order_and_others_do_not_wait_for_them() {
    let post = Post::new().await;
    for aggregate in ["a", "b", "c", "d"] {
        for number in 1..=5 {
            post.owe("ERP_COMPLETE", aggregate, json!({ "number": number })).await;
        }
    }
    // Every third delivery fails, each comes again within milliseconds.
    let carrier = Porter::that(|due, nth| match nth % 3 {
        0 => Outcome::Retry {
            why: "503".to_owned(),
            after: None,
        },
        _ => Porter::sent(due),
    });
    post.courier(&carrier);
    post.all_settled().await;
    for aggregate in ["a", "b", "c", "d"] {
        assert_eq!(carrier.arrived(aggregate), [1, 2, 3, 4, 5], "{aggregate}");
    }
    assert!(carrier.calls() > 20, "some failed");
}

#[actix_rt::test]
async fn a_dead_message_holds_back_its_aggregate_at_its_destination_alone() {
    let post = Post::new().await;
    post.owe("ERP_COMPLETE", "a", json!({ "number": 1, "bad": true })).await;
    post.owe("ERP_VOID", "a", json!({ "number": 2 })).await;
    post.owe("SMS_WELCOME", "a", json!({ "number": 3 })).await;
    post.owe("ERP_COMPLETE", "b", json!({ "number": 4 })).await;
    let carrier = Porter::that(|due, _| {
        if due.payload["bad"] == true {
            return Outcome::Dead {
                why: "422: no such product".to_owned(),
            };
        }
        Porter::sent(due)
    });
    post.courier(&carrier);
    carrier.until_arrived(1).await;
    post.until(
        "SELECT count(*) FROM outbox WHERE state = 'DEAD' AND last_error = '422: no such product'",
        1,
    )
    .await;
    // It would have gone with the look that took the other one.
    post.look_twice().await;
    assert_eq!(post.states().await, ["DEAD", "PENDING", "PENDING", "SENT"]);
    let elsewhere = Claim {
        destination: "SMS",
        ..claim(8, MINUTE)
    };
    let due = post.runner().run(elsewhere).await.unwrap();
    assert_eq!(due.len(), 1, "what goes to another does not wait for it");
}

#[actix_rt::test]
async fn a_message_is_owed_until_its_receiver_has_it_and_nobody_else_takes_it_meanwhile() {
    let post = Post::new().await;
    post.owe("ERP_COMPLETE", "a", json!({ "number": 1 })).await;
    let carrier = Porter::that(|due, _| Porter::sent(due)).held();
    post.courier(&carrier);
    carrier.until_called(1).await;
    assert_eq!(post.states().await, ["LEASED"], "on its way, and not sent yet");
    assert!(post.runner().run(claim(8, MINUTE)).await.unwrap().is_empty());
    carrier.release();
    post.all_settled().await;
    assert_eq!(post.states().await, ["SENT"]);
}

#[actix_rt::test]
async fn two_servers_share_the_work_and_send_each_message_once() {
    let post = Post::new().await;
    for number in 0..120 {
        post.owe(
            "ERP_COMPLETE",
            &format!("slip {}", number % 40),
            json!({ "number": number }),
        )
        .await;
    }
    let carriers = [
        Porter::that(|due, _| Porter::sent(due)),
        Porter::that(|due, _| Porter::sent(due)),
    ];
    for carrier in &carriers {
        post.courier(carrier);
    }
    post.all_settled().await;
    let counts = [carriers[0].calls(), carriers[1].calls()];
    assert_eq!(counts[0] + counts[1], 120, "each once: {counts:?}");
    assert!(counts.iter().all(|count| *count > 0), "both worked: {counts:?}");
}

#[actix_rt::test]
async fn what_a_dead_server_had_taken_comes_back_and_who_wakes_late_settles_nothing() {
    let post = Post::new().await;
    post.owe("ERP_COMPLETE", "a", json!({ "number": 1 })).await;
    let runner = post.runner();
    let taken = runner
        .run(claim(8, Duration::from_millis(200)))
        .await
        .unwrap()
        .remove(0);
    let carrier = Porter::that(|due, _| Porter::sent(due)).held();
    post.courier(&carrier);
    carrier.until_called(1).await;
    let late = |settlement| Settle {
        id: taken.id,
        lease_term: taken.lease_term,
        settlement,
    };
    let why = || "late".to_owned();
    for settlement in [
        Settlement::Sent { response: json!({}) },
        Settlement::Dead {
            why: why(),
            panicked: false,
        },
        Settlement::Discarded { why: why() },
    ] {
        assert!(!runner.run(late(settlement)).await.unwrap(), "its lease is another's");
        assert_eq!(post.states().await, ["LEASED"]);
    }
    carrier.release();
    post.all_settled().await;
    assert!(
        !runner
            .run(late(Settlement::Dead {
                why: why(),
                panicked: false
            }))
            .await
            .unwrap()
    );
    assert_eq!(post.states().await, ["SENT"]);
}

#[actix_rt::test]
async fn a_message_that_breaks_its_sender_is_set_aside_after_three_times_and_the_others_arrive() {
    let post = Post::new().await;
    post.owe("ERP_COMPLETE", "poison", json!({ "number": 1, "bad": true }))
        .await;
    for number in 2..=40 {
        post.owe("ERP_COMPLETE", &format!("slip {number}"), json!({ "number": number }))
            .await;
    }
    let carrier = Porter::that(|due, _| {
        assert!(due.payload["bad"] != true, "poison");
        Porter::sent(due)
    });
    post.courier(&carrier);
    post.until(
        "SELECT count(*) FROM outbox WHERE state = 'DEAD' AND panics = 3 AND last_error LIKE 'set aside%poison'",
        1,
    )
    .await;
    post.until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 39).await;
    assert_eq!(carrier.calls(), 42);
}

#[actix_rt::test]
async fn a_destination_that_is_down_is_asked_now_and_then_and_no_attempt_is_used_up() {
    let post = Post::with(|settings| {
        settings.breaker_rest = Duration::from_millis(150);
        settings.attempts = 3;
    })
    .await;
    for number in 0..30 {
        post.owe("ERP_COMPLETE", &format!("slip {number}"), json!({ "number": number }))
            .await;
    }
    let carrier = Porter::that(|due, nth| match nth {
        ..20 => Outcome::Retry {
            why: "connection refused".to_owned(),
            after: None,
        },
        _ => Porter::sent(due),
    });
    post.courier(&carrier);
    carrier.until_called(8).await;
    let at_first = carrier.moments();
    post.all_settled().await;
    let moments = carrier.moments();
    assert!(
        at_first.len() <= 12,
        "what was on its way, and no more: {}",
        at_first.len()
    );
    // The twelve probes of the outage were a rest apart each.
    let outage = moments[19].duration_since(moments[8]);
    assert!(outage >= Duration::from_millis(150) * 8, "{outage:?}");
    assert_eq!(post.states().await, ["SENT"; 30]);
}

#[actix_rt::test]
async fn messages_that_failed_together_do_not_come_back_together() {
    let post = Post::with(|settings| {
        settings.first_pause = Duration::from_hours(1);
        settings.longest_pause = Duration::from_hours(1);
    })
    .await;
    for number in 0..24 {
        post.owe("ERP_COMPLETE", &format!("slip {number}"), json!({ "number": number }))
            .await;
    }
    let carrier = Porter::that(|_, _| Outcome::Retry {
        why: "503".to_owned(),
        after: None,
    });
    post.courier(&carrier);
    post.until("SELECT count(*) FROM outbox WHERE last_error = '503'", 24)
        .await;
    // Drawn from an hour, so that 24 of them lie within ten minutes once in 10^16 runs.
    let spread = "SELECT (max(next_attempt_at) - min(next_attempt_at) > interval '10 min' \
                  AND max(next_attempt_at) <= now() + interval '1 h')::text FROM outbox";
    assert_eq!(post.text(spread).await, "true");
}

#[actix_rt::test]
async fn an_outage_uses_up_nothing_of_the_time_for_which_a_message_is_tried() {
    let post = Post::with(|settings| settings.lifetime = Duration::from_hours(72)).await;
    for name in ["probed", "waited", "tried"] {
        post.owe("ERP_COMPLETE", name, json!({ "number": 1 })).await;
    }
    // What a long outage leaves: a message that was only a probe, one that had failed before and was then left alone, and
    // beside them one that was tried all the time.
    post.execute(
        "UPDATE outbox SET first_attempt_at = now() - interval '100 h', next_attempt_at = now() WHERE aggregate_key = 'probed'; \
         UPDATE outbox SET first_attempt_at = now() - interval '100 h', next_attempt_at = now() - interval '99 h', attempts = 1 \
           WHERE aggregate_key = 'waited'; \
         UPDATE outbox SET first_attempt_at = now() - interval '100 h', next_attempt_at = now(), attempts = 1 \
           WHERE aggregate_key = 'tried'",
    )
    .await;
    let carrier = Porter::that(|due, nth| match nth {
        ..3 => Outcome::Retry {
            why: "500".to_owned(),
            after: None,
        },
        _ => Porter::sent(due),
    });
    post.courier(&carrier);
    post.all_settled().await;
    assert_eq!(post.states().await, ["SENT", "SENT", "DEAD"]);
}

#[actix_rt::test]
async fn a_probe_begins_the_time_of_its_message_anew_and_a_failure_that_counts_does_not() {
    let post = Post::new().await;
    post.owe("ERP_COMPLETE", "a", json!({ "number": 1 })).await;
    for (counted, begun) in [(false, "f"), (true, "t")] {
        let due = post.runner().run(claim(1, MINUTE)).await.unwrap().remove(0);
        let settlement = Settlement::Later {
            why: "503".to_owned(),
            wait: Duration::ZERO,
            counted,
            panicked: false,
        };
        let settle = Settle {
            id: due.id,
            lease_term: due.lease_term,
            settlement,
        };
        assert!(post.runner().run(settle).await.unwrap());
        assert_eq!(
            post.text("SELECT left((first_attempt_at IS NOT NULL)::text, 1) FROM outbox")
                .await,
            begun
        );
    }
}

#[actix_rt::test]
async fn a_delivery_that_takes_too_long_is_broken_off_and_tried_again() {
    let post = Post::with(|settings| settings.send_timeout = Duration::from_millis(50)).await;
    post.owe("ERP_COMPLETE", "a", json!({ "number": 1 })).await;
    let carrier = Porter::that(|due, _| Porter::sent(due)).held();
    post.courier(&carrier);
    post.until(
        "SELECT count(*) FROM outbox WHERE attempts > 0 AND last_error = 'no answer within 0.05 s'",
        1,
    )
    .await;
    carrier.release();
    post.all_settled().await;
    assert_eq!(post.states().await, ["SENT"]);
}

#[actix_rt::test]
async fn without_a_destination_messages_wait_untouched() {
    let post = Post::new().await;
    post.owe("ERP_COMPLETE", "a", json!({ "number": 1 })).await;
    let row = "SELECT xmin::text || state || attempts FROM outbox";
    let before = post.text(row).await;
    post.idle_courier();
    post.look_twice().await;
    assert_eq!(post.text(row).await, before, "not written once");
}

#[tokio::test]
async fn taking_what_is_due_reads_no_more_of_the_table_than_that() {
    let database = Database::new();
    let client = database.connect().await;
    let rows = "INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload, state, settled_at) \
        SELECT 'ERP_COMPLETE', gen_random_uuid(), 'slip ' || n, '{}', 'SENT', now() FROM generate_series(1, 20000) n; \
        INSERT INTO outbox (kind, idempotency_key, aggregate_key, payload) \
        SELECT 'ERP_COMPLETE', gen_random_uuid(), 'owed ' || n, '{}' FROM generate_series(1, 2000) n; ANALYZE outbox";
    client.batch_execute(rows).await.unwrap();
    // As the server prepares it: the plan must be good without knowing the values.
    let prepared = format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE take (text, bigint, text, bigint) AS {}",
        weighbridge::db::outbox::claim::TAKE
    );
    client.batch_execute(&prepared).await.unwrap();
    let plan = client
        .query("EXPLAIN (ANALYZE, BUFFERS) EXECUTE take('ERP', 8, 'me', 60000)", &[])
        .await
        .unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(!plan.contains("Seq Scan"), "{plan}");
    assert!(
        plan.contains("idx_outbox_due") && plan.contains("idx_outbox_unsettled"),
        "{plan}"
    );
    let runner = Arc::new(Runner::new(database.pool(), MINUTE).unwrap());
    assert_eq!(runner.run(claim(8, MINUTE)).await.unwrap().len(), 8);
}
