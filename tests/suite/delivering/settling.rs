//! What follows when a message is settled: the next of its aggregate, what it held sealed, and what its destination counts as.

use std::time::Duration;

use serde_json::json;
use weighbridge::{
    db::outbox::{Claim, Settle},
    domain::delivery::{Outcome, Settlement},
};

use super::{
    MINUTE,
    carriers::{Porter, Post},
    claim,
};

#[actix_rt::test]
async fn the_next_of_an_aggregate_goes_when_the_one_before_has_arrived() {
    // Not when somebody looks again.
    let post = Post::with(|settings| settings.look_every = Duration::from_hours(1)).await;
    for number in 1..=3 {
        post.owe("ERP_COMPLETE", "a", json!({ "number": number })).await;
    }
    let carrier = Porter::that(|due, _| Porter::sent(due));
    post.courier(&carrier);
    post.all_settled().await;
    assert_eq!(carrier.arrived("a"), [1, 2, 3]);
}

/// Whoever refuses a message is there.
#[actix_rt::test]
async fn a_destination_that_refuses_one_message_after_the_other_is_not_left_alone() {
    let post = Post::with(|settings| {
        settings.breaker_rest = Duration::from_hours(1);
        settings.parallel = 1;
    })
    .await;
    for number in 1..=12 {
        let refused = number <= 10;
        post.owe(
            "ERP_COMPLETE",
            &format!("slip {number}"),
            json!({ "number": number, "bad": refused }),
        )
        .await;
    }
    let carrier = Porter::that(|due, _| {
        if due.payload["bad"] == true {
            Outcome::Dead { why: "422".to_owned() }
        } else {
            Porter::sent(due)
        }
    });
    post.courier(&carrier);
    post.until("SELECT count(*) FROM outbox WHERE state = 'SENT'", 2).await;
}

#[actix_rt::test]
async fn what_is_sealed_in_a_message_goes_with_it_and_stays_while_it_may_be_retried() {
    let post = Post::new().await;
    for aggregate in ["a", "b", "c"] {
        post.owe("SMS_SLIP", aggregate, json!({ "sealed": "010" })).await;
    }
    let taken = Claim {
        destination: "SMS",
        ..claim(8, MINUTE)
    };
    let why = "as told".to_owned();
    let settlements = [
        Settlement::Sent { response: json!({}) },
        Settlement::Discarded { why: why.clone() },
        Settlement::Dead { why, panicked: false },
    ];
    for (due, settlement) in post.runner().run(taken).await.unwrap().iter().zip(settlements) {
        let settle = Settle {
            id: due.id,
            lease_term: due.lease_term,
            settlement,
        };
        assert!(post.runner().run(settle).await.unwrap());
    }
    let kept = "SELECT string_agg(concat_ws(' ', state, payload ? 'sealed'), ', ' ORDER BY id) FROM outbox";
    assert_eq!(post.text(kept).await, "SENT f, DISCARDED f, DEAD t");
}
